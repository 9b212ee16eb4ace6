import dataclasses

import pytest

from autocron.model import (
    Attempt,
    AttemptOutcome,
    Cancelled,
    Failed,
    JobStatus,
    Released,
    Retrying,
    Settled,
    Succeeded,
)

FAILURE = Failed("ValueError: no", "Traceback: ...")
LOST = Failed("the worker was killed", outcome=AttemptOutcome.INTERRUPTED)
OUTCOMES = [
    *(Succeeded("5"), FAILURE, Retrying(FAILURE, 2e9), Retrying(FAILURE, None)),
    *(Cancelled(FAILURE), Released()),
]
AT_ONCE = [Retrying(FAILURE, None), Released()]
"""With which a job may be the next one itself."""


def lose(store, job, now):
    """Have somebody else find that the worker of a job is dead."""
    return store.settle(job, Retrying(LOST, None), now)


def test_a_job_that_succeeded_is_done(store, put, now):
    """It has its result and the time of its end, and nobody else can take it."""
    put("a")
    job = store.claim(1, now)
    assert store.settle(job, Succeeded('{"$":"tuple","v":[]}'), now + 2) == Settled(
        JobStatus.DONE, False, None
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


def test_an_attempt_knows_the_class_of_its_exception(store, put, now):
    """If one has ended it: the death of a worker is none."""
    put("a", retries=9)
    failure = Failed("KeyError: 5", "T", kinds=("shop.Missing", "builtins.KeyError"))
    store.settle(store.claim(1, now), Retrying(failure, None), now)
    lose(store, store.claim(1, now), now)
    assert [attempt.exception for attempt in store.attempts("a")] == ["shop.Missing", None]


def test_a_retry_waits_for_its_time(store, put, now):
    """The job is waiting again, with its error to be seen, and its next attempt counts on."""
    put("a", retries=1)
    settled = store.settle(store.claim(1, now), Retrying(FAILURE, now + 5), now)
    assert settled.status == "WAITING"
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
    lose(store, lost, now)
    store.claim(2, now)
    before = store.get("a")
    assert store.settle(lost, outcome, now + 1) == Settled(None, False, None)
    assert store.get("a") == before


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_job_ends_once(store, put, now, outcome):
    """Whoever settles the same attempt again changes nothing."""
    put("a")
    job = store.claim(1, now)
    store.settle(job, Succeeded("1"), now)
    before = store.get("a")
    assert store.settle(job, outcome, now + 1).status is None
    assert store.get("a") == before


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_job_that_waits_again_cannot_be_settled(store, put, now, outcome):
    """Released or put back, it belongs to nobody."""
    put("a", retries=5)
    job = store.claim(1, now)
    lose(store, job, now)
    before = store.get("a")
    assert store.settle(job, outcome, now).status is None
    assert store.get("a") == before


def test_a_job_that_is_gone_cannot_be_settled(store, put, now):
    """There is nothing to change, and no error."""
    put("a")
    job = store.claim(1, now)
    unknown = dataclasses.replace(job, id="b")
    assert store.settle(unknown, Succeeded("1"), now).status is None


@pytest.mark.parametrize(
    "outcome",
    [outcome for outcome in OUTCOMES if outcome not in AT_ONCE],
    ids=lambda outcome: type(outcome).__name__,
)
def test_the_next_job_comes_with_the_end(store, put, now, outcome):
    """One step ends a job and takes the next, by the rules of `claim`."""
    put("a")
    put("low", priority=-1)
    put("later", delay=5.0)
    job = store.claim(1, now)
    put("high", priority=1)
    settled = store.settle(job, outcome, now + 1, claim_for=4)
    assert (settled.status is not None, settled.next.id, settled.next.attempt) == (True, "high", 1)
    high = store.get("high")
    assert (high.status, high.worker, high.started_at) == ("RUNNING", 4, now + 1)
    assert store.settle(settled.next, Succeeded("1"), now, claim_for=4).next.id == "low"


def test_the_next_job_comes_also_if_this_one_was_lost(store, put, now):
    """The worker goes on."""
    put("a", "b")
    lost = store.claim(1, now)
    store.settle(lost, FAILURE, now)
    settled = store.settle(lost, Succeeded("1"), now, claim_for=1)
    assert (settled.status, settled.next.id) == (None, "b")


def test_without_a_claim_nothing_is_taken(store, put, now):
    """A worker that is to end gets no other job."""
    put("a", "b")
    assert store.settle(store.claim(1, now), Succeeded("1"), now).next is None
    assert store.get("b").status == "WAITING"


def test_a_job_that_is_given_back_is_as_it_was(store, put, now):
    """Its attempt does not count, nothing of it is kept, and it has the place that it had before."""
    put("a", "b", retries=2)
    before = store.get("a")
    assert store.settle(store.claim(1, now), Released(), now + 1).status == "WAITING"
    assert store.get("a") == before
    assert store.attempts("a") == []
    again = store.claim(2, now)
    assert (again.id, again.attempt) == ("a", 1)


def test_a_retry_at_once_can_be_claimed(store, put, now):
    """It need not be promoted."""
    put("a")
    store.settle(store.claim(1, now), Retrying(LOST, None), now)
    job = store.get("a")
    assert (job.status, job.run_at, job.worker, job.error) == ("WAITING", None, None, LOST.error)
    assert store.claim(2, now).attempt == 2


def test_what_does_not_count_against_the_retries_is_known(store, put, now):
    """Attempts that the task asked to repeat, and those that were interrupted; not those that failed."""
    put("a", retries=9)
    excused = []
    for outcome in AttemptOutcome:
        failure = Failed("no", outcome=outcome)
        store.settle(store.claim(1, now), Retrying(failure, None), now)
        job = store.claim(1, now)
        excused.append((job.attempt, job.excused))
        store.settle(job, Released(), now)
    assert excused == [(2, 0), (3, 0), (4, 0), (5, 1), (6, 2), (7, 2)]
    assert list(AttemptOutcome)[3:5] == ["INTERRUPTED", "RETRY"]


def test_crashes_are_counted(store, put, now):
    """Only those attempts at which the worker died; the next one is told."""
    put("a")
    crash = Failed("the worker was killed", outcome=AttemptOutcome.CRASHED)
    for failure in (crash, FAILURE, crash):
        store.settle(store.claim(1, now), Retrying(failure, None), now)
    job = store.claim(1, now)
    assert job.crashes == 2
    store.settle(job, crash, now)
    assert (store.get("a").status, store.get("a").crashes) == ("ERROR", 3)


def test_a_cancelled_job_says_why(store, put, now):
    """It has ended without an attempt to come."""
    put("a", retries=5)
    stopped = Cancelled(Failed("Cancel: not needed", outcome=AttemptOutcome.CANCELLED))
    assert store.settle(store.claim(1, now), stopped, now + 2).status == "CANCELLED"
    job = store.get("a")
    assert (job.status, job.error, job.finished_at) == ("CANCELLED", "Cancel: not needed", now + 2)
    assert store.claim(1, now) is None


def test_what_a_worker_runs_is_known(store, put, now):
    """As it was claimed; nothing of others, and nothing when it has ended."""
    put("a", "b", "c", retries=3)
    first, _ = store.claim(1, now), store.claim(2, now)
    assert store.running(1) == [first]
    assert [job.id for job in store.running(2)] == ["b"]
    store.settle(first, Succeeded("1"), now)
    assert store.running(1) == store.running(9) == []


def test_every_attempt_that_did_not_succeed_is_kept(store, put, now):
    """With how and when it ended, who ran it, its error and its traceback; in their order."""
    put("a", retries=5)
    for number, outcome in enumerate(AttemptOutcome, 1):
        failure = Failed(f"error {number}", f"Traceback {number}", outcome)
        store.settle(store.claim(number, now + number), Retrying(failure, None), now + 2 * number)
    store.settle(store.claim(9, now), Succeeded("1"), now)
    kept = [
        Attempt(number, outcome, now + number, now + 2 * number, number, f"error {number}", f"Traceback {number}")
        for number, outcome in enumerate(AttemptOutcome, 1)
    ]  # fmt: skip
    assert store.attempts("a") == kept
    assert store.attempts("b") == []


def test_the_latest_thousand_attempts_are_kept(store, put, now):
    """A job that fails for ever does not fill the disk."""
    put("a", retries=10**6)
    for _ in range(1003):
        store.settle(store.claim(1, now), Retrying(FAILURE, None), now)
    kept = store.attempts("a")
    assert [kept[0].number, kept[-1].number, len(kept)] == [4, 1003, 1000]


def test_attempts_go_with_their_job(store, put, now):
    """They are deleted when its time to live is over, and no later job gets them."""
    put("a", ttl=10.0)
    store.settle(store.claim(1, now), FAILURE, now)
    assert len(store.attempts("a")) == 1
    store.prune(lambda: now + 10, 10)
    put("b", "c")
    assert store.attempts("a") == store.attempts("b") == []
