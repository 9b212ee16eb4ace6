import pytest

from autocron import events
from autocron.model import NewJob, Options, Succeeded
from autocron.running import maintenance

NOW = 1_795_000_000.0


def put(store, *ids, **options):
    """Put jobs in."""
    store.enqueue(
        [NewJob(job_id, "shop.task", "[[],{}]", Options(**options)) for job_id in ids], NOW
    )


@pytest.fixture
def told():
    """Return the events that the test emits."""
    before, told = events._subscribers[:], []
    events.subscribe(lambda name, details: told.append((name, details)))
    yield told
    events._subscribers[:] = before


def reclaim(store, worker=1, notify=lambda: None):
    """Reclaim the jobs of a worker that was killed."""
    return maintenance.reclaim(store, worker, "was killed by SIGKILL", NOW, notify)


def test_a_dead_workers_job_waits_again(store, told):
    """Another worker gets it, as its second attempt; the log says what happened."""
    put(store, "a", "b")
    store.claim(1, NOW)
    store.claim(2, NOW)
    assert reclaim(store) == 1
    again = store.claim(3, NOW)
    assert (again.id, again.attempt) == ("a", 2)
    assert store.get("b").worker == 2
    ((name, details),) = told
    assert (name, details["id"]) == ("job.reclaimed", "a")
    assert details["reason"] == "was killed by SIGKILL"


def test_a_job_that_kills_its_workers_ends(store, told):
    """The third worker that dies of a job is the last; who waits for it is told."""
    put(store, "a")
    store.watch(["a"])
    notified = []
    for attempt in (1, 2, 3):
        assert store.claim(1, NOW).attempt == attempt
        assert notified == []
        assert reclaim(store, notify=lambda: notified.append(1)) == 1
    job = store.get("a")
    assert (job.status, job.error) == ("ERROR", "the worker was killed by SIGKILL")
    assert notified == [1]
    assert [name for name, _ in told] == ["job.reclaimed"] * 2 + ["job.crashed_too_often"]


def test_a_worker_without_a_job_costs_nothing(store, told):
    """There is nothing to put back and nothing to tell."""
    put(store, "a")
    assert reclaim(store) == 0
    assert told == []


def test_all_that_is_over_is_deleted(store):
    """However much there is, in steps that let others write in between; the rest stays."""
    put(store, *map(str, range(1203)), ttl=10.0)
    put(store, "keep", ttl=1000.0)
    put(store, "waiting", ttl=10.0)
    for _ in range(1204):
        store.settle(store.claim(1, NOW), Succeeded("null"), NOW)
    assert maintenance.prune(store, lambda: NOW + 9.9) == 0
    assert maintenance.prune(store, lambda: NOW + 10) == 1203
    assert maintenance.prune(store, lambda: NOW + 10) == 0
    assert {job.id for job in store.latest(10)} == {"keep", "waiting"}
