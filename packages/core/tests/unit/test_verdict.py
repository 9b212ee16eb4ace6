from dataclasses import replace

import pytest

from autocron.errors import (
    ArgumentsMismatch,
    TaskNotFound,
    TimeLimitExceeded,
    UnreadableValue,
    UnsupportedValue,
    kinds_of,
)
from autocron.model import (
    AskedAgain,
    AttemptOutcome,
    Cancelled,
    ClaimedJob,
    Failed,
    Released,
    Retrying,
    Succeeded,
)
from autocron.policy import Policy
from autocron.running import verdict

NOW = 1_795_000_000.0
LOST = Failed("ConnectionError: lost", "Traceback", kinds=kinds_of(ConnectionError))
DEAD = "the worker was killed by SIGKILL"
ONCE = Policy(on_crash="fail")


def job(attempt=1, retries=0, policy=Policy(backoff=(10.0,)), **more):  # noqa: B008 - it is frozen
    """Return a job that is being run."""
    return ClaimedJob("a", "shop.task", "[[],{}]", attempt, retries, policy=policy, **more)


def again(produced, **more):
    """Return whether a job is tried again after what its attempt came to."""
    return isinstance(verdict.after_attempt(job(**more), produced, NOW), Retrying)


# After an attempt -----------------------------------------------------------------------------


def test_what_went_well_or_was_cancelled_has_ended():
    """Whatever retries there are."""
    for produced in (Succeeded("1"), Cancelled(LOST)):
        assert verdict.after_attempt(job(retries=9), produced, NOW) == produced


def test_a_failed_job_is_tried_again_as_often_as_its_retries_say():
    """After the pause of its policy."""
    assert verdict.after_attempt(job(1, retries=1), LOST, NOW) == Retrying(LOST, NOW + 10)
    assert verdict.after_attempt(job(2, retries=1), LOST, NOW) == LOST
    assert verdict.after_attempt(job(1), LOST, NOW) == LOST


def test_attempts_that_do_not_count_leave_the_retries_alone():
    """Neither their number nor the pauses are those of attempts that failed."""
    policy = Policy(backoff=(1.0, 2.0, 3.0))
    outcome = verdict.after_attempt(job(5, retries=2, excused=3, policy=policy), LOST, NOW)
    assert outcome == Retrying(LOST, NOW + 2)
    assert not again(LOST, attempt=6, retries=2, excused=3)


def test_the_policy_says_after_which_exceptions():
    """By the classes that the exception is derived from."""
    assert not again(LOST, retries=9, policy=Policy(give_up_on=("builtins.OSError",)))
    assert again(LOST, retries=9, policy=Policy(retry_on=("builtins.OSError",)))
    assert not again(LOST, retries=9, policy=Policy(retry_on=("builtins.KeyError",)))


@pytest.mark.parametrize(
    "kind", [TaskNotFound, ArgumentsMismatch, UnreadableValue, UnsupportedValue]
)
def test_what_would_fail_again_is_not_tried_again(kind):
    """Nothing but another code helps there."""
    assert not again(Failed("no", kinds=kinds_of(kind)), retries=9)


def test_a_task_can_ask_for_another_attempt():
    """When it likes, or after the pause of the policy; however many retries there are."""
    assert verdict.after_attempt(job(7), AskedAgain(LOST, 60.0), NOW) == Retrying(LOST, NOW + 60)
    assert verdict.after_attempt(job(7), AskedAgain(LOST, None), NOW) == Retrying(LOST, NOW + 10)
    assert verdict.after_attempt(job(7), AskedAgain(LOST, 0), NOW) == Retrying(LOST, NOW)


def test_a_time_limit_is_a_failure_like_others():
    """It is tried again if there are retries, and the policy can name it."""
    limited = job(retries=1, policy=Policy(timeout=2.5))
    for was_killed in (False, True):
        failure = verdict.limit_reached(limited, was_killed=was_killed)
        assert failure.outcome is AttemptOutcome.TIMED_OUT
        assert "longer than its timeout of 2.5 s" in failure.error
        assert ("its worker was killed" in failure.error) == was_killed
        assert again(failure, retries=1)
        give_up = Policy(give_up_on=kinds_of(TimeLimitExceeded)[:1])
        assert not again(failure, retries=1, policy=give_up)


def test_what_was_stopped_is_cancelled():
    """It says whether the worker had to be killed for that."""
    assert verdict.stopped(was_killed=False, traceback="T") == Cancelled(
        Failed("it was cancelled by force", "T", AttemptOutcome.CANCELLED)
    )
    assert "its worker was killed" in verdict.stopped(was_killed=True).failure.error


# After the end of a worker ----------------------------------------------------------------------


def test_a_job_whose_worker_died_is_tried_again_at_once():
    """Until it has cost as many workers as the limit allows; its retries do not matter."""
    crash = Failed(DEAD, outcome=AttemptOutcome.CRASHED)
    for crashes in (0, 1):
        assert verdict.after_crash(job(crashes=crashes), DEAD, 3) == Retrying(crash, None)
    assert verdict.after_crash(job(crashes=2, retries=9), DEAD, 3) == crash
    assert verdict.after_crash(job(), DEAD, 1) == crash


def test_a_job_that_was_lost_with_its_worker_is_tried_again_at_once():
    """However often that happens: it is not to blame."""
    lost = Failed(DEAD, outcome=AttemptOutcome.INTERRUPTED)
    assert verdict.after_loss(job(crashes=99), DEAD) == Retrying(lost, None)


def test_a_job_that_has_to_end_before_it_has_is_given_back():
    """As if it had not begun."""
    assert verdict.after_interruption(job(crashes=99), DEAD) == Released()


@pytest.mark.parametrize(
    "judge",
    [
        lambda job: verdict.after_crash(job, DEAD, 3),
        lambda job: verdict.after_loss(job, DEAD),
        lambda job: verdict.after_interruption(job, DEAD),
    ],
    ids=["crash", "loss", "interruption"],
)
def test_what_must_never_run_twice_does_not(judge):
    """Whatever became of its worker, it has failed, and says why."""
    outcome = judge(replace(job(retries=9), policy=ONCE))
    assert isinstance(outcome, Failed)
    assert outcome.error == f'{DEAD}; since it has on_crash="fail", it is not run again'
