import pytest

from autocron.errors import StoreError
from autocron.model import Job, NewJob, Options


def test_a_job_is_stored_as_it_was_given(store, now):
    """All of its fields can be read again; what has not happened yet is None."""
    options = Options(delay=10.5, retries=3, ttl=60.0, queue="post & office", priority=-7)
    store.enqueue([NewJob("a", "shop.mail", '[["ü\\u0000"],{}]', options)], now)
    assert store.get("a") == Job(
        id="a",
        task="shop.mail",
        arguments='[["ü\\u0000"],{}]',
        queue="post & office",
        priority=-7,
        status="WAITING",
        attempt=0,
        retries=3,
        enqueued_at=now,
        run_at=now + 10.5,
        started_at=None,
        finished_at=None,
        worker=None,
        result=None,
        error=None,
        traceback=None,
        schedule=None,
        scheduled_for=None,
    )


def test_all_are_stored_or_none(store, put, now):
    """If one of a thousand cannot be stored, none is, and the store goes on."""
    put("taken")
    jobs = [NewJob(str(number), "t", "[[],{}]") for number in range(999)]
    with pytest.raises(StoreError):
        store.enqueue([*jobs, NewJob("taken", "t", "[[],{}]")], now)
    assert [job.id for job in store.latest(10)] == ["taken"]
    store.enqueue(jobs, now)
    assert store.counts()["WAITING"] == 1000


def test_an_id_is_taken_once(store, put):
    """A second job of the same id is an error, and the first stays."""
    put("a", priority=1)
    with pytest.raises(StoreError):
        put("a", priority=2)
    assert store.get("a").priority == 1


def test_none_at_all_is_no_error(store, now):
    """An empty list changes nothing."""
    store.enqueue([], now)
    assert store.latest(10) == []


@pytest.mark.parametrize("options", [{"run_at": -1e9}, {"delay": 0.0}])
def test_a_due_time_in_the_past_is_none(store, put, options):
    """Such a job can be claimed at once, and a clock that is set back cannot hold it up."""
    put("a", **options)
    assert store.get("a").run_at is None
    assert store.claim(1, 0.0).id == "a"


def test_an_engines_language_is_only_text(store, now):
    """Quotes, semicolons and the rest come back as they were."""
    text = "x'); DROP TABLE autocron_jobs; -- \" \\ % ? $1 :a"
    store.enqueue([NewJob(text, text, text, Options(queue=text))], now)
    job = store.get(text)
    assert (job.id, job.task, job.arguments, job.queue) == (text,) * 4
    assert store.claim(1, now).id == text


def test_a_large_argument_is_no_problem(store, now):
    """A few megabytes are stored whole."""
    text = "x" * 5_000_000
    store.enqueue([NewJob("a", "t", text)], now)
    assert store.claim(1, now).arguments == text


def test_other_connections_see_a_job_at_once(put, open_store, now):
    """When `enqueue` returns, everybody can claim it."""
    other = open_store()
    put("a")
    assert other.claim(1, now).id == "a"


def test_sync_returns(store, put):
    """After it, what was put in is safe; it may be called at any time, and twice."""
    put("a")
    store.sync()
    store.sync()
    assert store.get("a").status == "WAITING"
