from autocron.model import Failed, JobStatus, Released, Retrying, Succeeded
from autocron.model_admin import Selection


def test_there_may_be_no_such_job(store):
    """To look for one is no error."""
    assert store.get("nothing") is None
    assert store.get("") is None


def test_the_latest_come_first(store, put, now):
    """Newest first, by when they were put in, and no more than wanted."""
    put("c", "a")
    put("b", priority=100)
    assert [job.id for job in store.latest(10)] == ["b", "a", "c"]
    assert [job.id for job in store.latest(2)] == ["b", "a"]
    assert store.latest(0) == []


def make_one_of_each(store, put, now):
    """Put jobs in of each status but CANCELLED."""
    put("done", "failed", "retrying", "running")
    store.settle(store.claim(1, now), Succeeded("1"), now)
    store.settle(store.claim(1, now), Failed("no", ""), now)
    store.settle(store.claim(1, now), Retrying(Failed("no", ""), now + 9), now)
    store.claim(1, now)
    put("waiting")
    put("later", delay=5.0)


def test_jobs_are_found_by_their_status(store, put, now):
    """For later, for another attempt or for a worker: all of these are waiting."""
    make_one_of_each(store, put, now)
    found = {
        status: [job.id for job in store.latest(10, Selection((status,)))] for status in JobStatus
    }
    assert found == {
        "WAITING": ["later", "waiting", "retrying"],
        "RUNNING": ["running"],
        "DONE": ["done"],
        "ERROR": ["failed"],
        "CANCELLED": [],
    }
    assert [job.id for job in store.latest(1, Selection((JobStatus.WAITING,)))] == ["later"]
    assert all(
        job.status is status
        for status in JobStatus
        for job in store.latest(10, Selection((status,)))
    )


def test_jobs_are_counted_by_their_status(store, put, now):
    """Each status has its number, 0 included."""
    assert store.counts() == dict.fromkeys(JobStatus, 0)
    make_one_of_each(store, put, now)
    assert store.counts() == {"WAITING": 3, "RUNNING": 1, "DONE": 1, "ERROR": 1, "CANCELLED": 0}


def test_who_ends_a_watched_job_is_told(store, put, now):
    """Only for those that somebody waits for."""
    put("watched", "other", "failing")
    assert store.watch(["watched", "failing"]) == set()
    outcomes = (Succeeded("1"), Succeeded("1"), Failed("no", ""))
    settled = [store.settle(store.claim(1, now), outcome, now) for outcome in outcomes]
    assert [each.awaited for each in settled] == [True, False, True]


def test_what_has_ended_before_is_said_at_once(store, put, now):
    """Ended or gone: nobody will be told of these any more."""
    put("done", "waiting")
    store.settle(store.claim(1, now), Succeeded("1"), now)
    assert store.watch(["done", "waiting", "gone"]) == {"done", "gone"}
    assert store.watch([]) == set()


def test_a_job_that_is_not_over_is_watched_on(store, put, now):
    """A retry is no end; a release, or another worker, does not forget who waits."""
    put("a", retries=3)
    store.watch(iter(["a"]))
    retried = store.settle(store.claim(1, now), Retrying(Failed("no", ""), now), now)
    assert retried.awaited is False
    store.promote(lambda: now, 10)
    store.settle(store.claim(1, now), Released(), now)
    store.settle(store.claim(1, now), Retrying(Failed("it was killed"), None), now)
    ended = store.settle(store.claim(2, now), Succeeded("1"), now)
    assert ended.awaited is True


def test_what_has_ended_can_be_asked(store, put, now):
    """Of some jobs, those that have ended or are gone; to ask changes nothing."""
    put("a", "b", "c")
    store.settle(store.claim(1, now), Succeeded("1"), now)
    store.claim(1, now)
    assert store.ended(["a", "b", "c", "gone"]) == {"a", "gone"}
    assert store.ended(iter(["b"])) == set()
    assert store.ended([]) == set()
    ended = store.settle(store.claim(1, now), Succeeded("1"), now)
    assert ended.awaited is False


def test_thousands_may_be_watched(store, put, now):
    """No limit of an engine stands in the way."""
    ids = [str(number) for number in range(5000)]
    put(*ids)
    store.settle(store.claim(1, now), Succeeded("1"), now)
    assert store.watch(ids) == {"0"}
    assert store.ended(ids) == {"0"}
