import pytest

from autocron.model import (
    AttemptOutcome,
    Cancellation,
    Cancelled,
    Failed,
    JobStatus,
    Released,
    Retrying,
    Succeeded,
)

FAILURE = Failed("ValueError: no", "Traceback: ...")


def test_a_job_that_waits_never_runs(store, put, now):
    """It ends at once, and says so; whoever waits for it is to be told."""
    put("a", "b")
    store.watch(["b"])
    assert store.cancel("a", now + 1) == Cancellation(
        JobStatus.CANCELLED, awaited=False, changed=True, task="shop.task"
    )
    assert store.cancel("b", now + 1) == Cancellation(
        JobStatus.CANCELLED, awaited=True, changed=True, task="shop.task"
    )
    job = store.get("a")
    assert (job.status, job.finished_at, job.attempt) == ("CANCELLED", now + 1, 0)
    assert job.error == "it was cancelled before it began"
    assert store.claim(1, now) is None


def test_a_job_for_later_never_runs(store, put, now):
    """Nor one that waits for its next attempt, which keeps its error."""
    put("later", delay=60.0)
    put("again", retries=1)
    store.settle(store.claim(1, now), Retrying(FAILURE, now + 60), now)
    for job_id in ("later", "again"):
        assert store.cancel(job_id, now).status == "CANCELLED"
    assert store.get("again").error == FAILURE.error
    assert store.promote(lambda: now + 99, 10) == 0
    assert store.next_due() is None


def test_a_running_job_is_asked(store, put, now):
    """It goes on, and can see that it was asked."""
    put("a", "b")
    job = store.claim(1, now)
    assert not store.is_cancel_requested("a")
    assert store.cancel("a", now) == Cancellation(
        JobStatus.RUNNING, awaited=False, changed=True, task="shop.task"
    )
    assert store.is_cancel_requested("a")
    assert not store.is_cancel_requested("b")
    assert store.get("a").cancel_requested
    assert store.settle(job, Succeeded("1"), now).status == "DONE"


@pytest.mark.parametrize(
    "outcome", [Retrying(FAILURE, 2e9), Retrying(FAILURE, None), Released()], ids=repr
)
def test_a_job_that_was_asked_does_not_run_again(store, put, now, outcome):
    """Whatever would have had it wait again: a retry, the death of its worker, the end of the application."""
    put("a", retries=5)
    store.watch(["a"])
    job = store.claim(1, now)
    store.cancel("a", now)
    settled = store.settle(job, outcome, now + 1)
    assert (settled.status, settled.awaited) == ("CANCELLED", True)
    assert (store.get("a").status, store.get("a").finished_at) == ("CANCELLED", now + 1)
    assert store.claim(1, now) is None
    store.prune(lambda: now + 10**9, 10)
    assert store.get("a") is None


def test_what_is_to_be_stopped_is_known(store, put, now):
    """With the number of its worker, for as long as it runs; also if it had only been asked before."""
    put("a", "b", "c")
    jobs = [store.claim(number, now) for number in (4, 5, 6)]
    store.cancel("a", now)
    store.cancel("b", now, force=True)
    assert store.to_be_stopped() == {5: "b"}
    store.cancel("a", now, force=True)
    store.cancel("b", now)
    assert store.to_be_stopped() == {4: "a", 5: "b"}
    stopped = Cancelled(Failed("stopped", outcome=AttemptOutcome.CANCELLED))
    store.settle(jobs[0], stopped, now)
    assert store.to_be_stopped() == {5: "b"}


def test_a_job_that_has_ended_is_left_alone(store, put, now):
    """Its status is told, and nothing changes. One that is not there is None."""
    put("a", "b")
    store.settle(store.claim(1, now), Succeeded("1"), now)
    store.settle(store.claim(1, now), FAILURE, now)
    before = store.get("a"), store.get("b")
    assert store.cancel("a", now, force=True) == Cancellation(
        JobStatus.DONE, awaited=False, changed=False, task="shop.task"
    )
    assert store.cancel("b", now) == Cancellation(
        JobStatus.ERROR, awaited=False, changed=False, task="shop.task"
    )
    assert (store.get("a"), store.get("b")) == before
    assert store.cancel("c", now) is None
    assert not store.is_cancel_requested("c")


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_a_job_can_begin_anew(store, put, now, how):
    """With all its retries and crashes to come; its earlier attempts are still there."""
    put("a", retries=2)
    crash = Failed("killed", outcome=AttemptOutcome.CRASHED)
    store.settle(store.claim(1, now), Retrying(crash, None), now)
    if how == "failed":
        store.settle(store.claim(1, now), FAILURE, now)
    else:
        store.cancel("a", now)
    assert store.try_again("a", now)
    job = store.get("a")
    assert (job.status, job.finished_at, job.cancel_requested) == ("WAITING", None, False)
    again = store.claim(1, now)
    assert (again.attempt - again.excused, again.crashes) == (1, 0)
    assert store.attempts("a")[0].outcome == "CRASHED"
    store.settle(again, Succeeded("5"), now)
    assert (store.get("a").status, store.get("a").result, store.get("a").error) == (
        "DONE",
        "5",
        None,
    )
    store.prune(lambda: now + 10**9, 10)
    assert store.get("a") is None


def test_only_what_has_ended_without_success_begins_anew(store, put, now):
    """A job that waits, runs, is done, or is not there stays as it is."""
    put("a", "b", "c")
    store.settle(store.claim(1, now), Succeeded("1"), now)
    store.claim(1, now)
    before = [store.get(job_id) for job_id in "abc"]
    assert [store.try_again(job_id, now) for job_id in "abcd"] == [False] * 4
    assert [store.get(job_id) for job_id in "abc"] == before
