import dataclasses

import pytest

from autocron.model import Failed, Retrying, Settled, Succeeded

FAILURE = Failed("ValueError: no", "Traceback: ...")
OUTCOMES = [Succeeded("5"), FAILURE, Retrying(FAILURE, 2e9)]


def test_a_job_that_succeeded_is_done(store, put, now):
    """It has its result and the time of its end, and nobody else can take it."""
    put("a")
    job = store.claim(1, now)
    assert store.settle(job, Succeeded('{"$":"tuple","v":[]}'), now + 2) == Settled(
        True, False, None
    )
    job = store.get("a")
    assert (job.status, job.result, job.finished_at) == ("DONE", '{"$":"tuple","v":[]}', now + 2)
    assert (job.error, job.traceback) == (None, None)
    assert store.claim(1, now) is None


def test_a_job_that_failed_has_its_error(store, put, now):
    """Message and traceback are kept as they were."""
    put("a")
    store.settle(store.claim(1, now), FAILURE, now + 2)
    job = store.get("a")
    assert (job.status, job.error, job.traceback) == ("ERROR", FAILURE.error, FAILURE.traceback)
    assert (job.result, job.finished_at) == (None, now + 2)


def test_a_retry_waits_for_its_time(store, put, now):
    """The job is waiting again, with its error to be seen, and its next attempt counts on."""
    put("a", retries=1)
    assert store.settle(store.claim(1, now), Retrying(FAILURE, now + 5), now).accepted
    job = store.get("a")
    assert (job.status, job.attempt, job.run_at) == ("WAITING", 1, now + 5)
    assert (job.error, job.worker, job.finished_at) == (FAILURE.error, None, None)
    assert store.claim(1, now + 9) is None
    assert store.next_due() == now + 5
    assert store.promote(lambda: now + 5, 10) == 1
    again = store.claim(2, now + 5)
    assert (again.id, again.attempt) == ("a", 2)


def test_success_after_a_retry_leaves_no_error(store, put, now):
    """The outcome is that of the last attempt."""
    put("a", retries=1)
    store.settle(store.claim(1, now), Retrying(FAILURE, now), now)
    store.promote(lambda: now, 10)
    store.settle(store.claim(1, now), Succeeded("5"), now)
    job = store.get("a")
    assert (job.status, job.result, job.error, job.traceback) == ("DONE", "5", None, None)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_earlier_attempt_changes_nothing(store, put, now, outcome):
    """A worker that has lost its job cannot overwrite what its successor does."""
    put("a", retries=5)
    lost = store.claim(1, now)
    store.reclaim(1, "it was killed", 3, now)
    store.claim(2, now)
    before = store.get("a")
    assert store.settle(lost, outcome, now + 1) == Settled(False, False, None)
    assert store.get("a") == before


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_job_ends_once(store, put, now, outcome):
    """Whoever settles the same attempt again changes nothing."""
    put("a")
    job = store.claim(1, now)
    store.settle(job, Succeeded("1"), now)
    before = store.get("a")
    assert not store.settle(job, outcome, now + 1).accepted
    assert store.get("a") == before


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_job_that_waits_again_cannot_be_settled(store, put, now, outcome):
    """Released or put back, it belongs to nobody."""
    put("a", retries=5)
    job = store.claim(1, now)
    store.reclaim(1, "it was killed", 3, now)
    before = store.get("a")
    assert not store.settle(job, outcome, now).accepted
    assert store.get("a") == before


def test_a_job_that_is_gone_cannot_be_settled(store, put, now):
    """There is nothing to change, and no error."""
    put("a")
    job = store.claim(1, now)
    unknown = dataclasses.replace(job, id="b")
    assert not store.settle(unknown, Succeeded("1"), now).accepted


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_the_next_job_comes_with_the_end(store, put, now, outcome):
    """One step ends a job and takes the next, by the rules of `claim`."""
    put("a")
    put("low", priority=-1)
    put("later", delay=5.0)
    job = store.claim(1, now)
    put("high", priority=1)
    settled = store.settle(job, outcome, now + 1, claim_for=4)
    assert (settled.accepted, settled.next.id, settled.next.attempt) == (True, "high", 1)
    high = store.get("high")
    assert (high.status, high.worker, high.started_at) == ("RUNNING", 4, now + 1)
    assert store.settle(settled.next, Succeeded("1"), now, claim_for=4).next.id == "low"


def test_the_next_job_comes_also_if_this_one_was_lost(store, put, now):
    """The worker goes on."""
    put("a", "b")
    lost = store.claim(1, now)
    store.reclaim(1, "it was killed", 1, now)
    settled = store.settle(lost, Succeeded("1"), now, claim_for=1)
    assert (settled.accepted, settled.next.id) == (False, "b")


def test_without_a_claim_nothing_is_taken(store, put, now):
    """A worker that is to end gets no other job."""
    put("a", "b")
    assert store.settle(store.claim(1, now), Succeeded("1"), now).next is None
    assert store.get("b").status == "WAITING"
