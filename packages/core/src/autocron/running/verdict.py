"""What becomes of a job after an attempt: the one place where retries, crashes and limits are judged."""

from __future__ import annotations

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
    Outcome,
    Produced,
    Released,
    Retrying,
)
from autocron.scheduling.retries import is_retried_after, pause_after

MISFITS = frozenset(kinds_of(error)[0] for error in (TaskNotFound, ArgumentsMismatch))
"""What fails when the code is not that of the caller."""

# The same code would fail again with the same job.
_HOPELESS = MISFITS | {kinds_of(error)[0] for error in (UnreadableValue, UnsupportedValue)}

_TIME_LIMIT = kinds_of(TimeLimitExceeded)


def after_attempt(job: ClaimedJob, produced: Produced, now: float) -> Outcome:
    """Return what becomes of a job whose attempt has come to its own end, or to its time limit."""
    match produced:
        case AskedAgain(failure, after):
            return Retrying(failure, now + (_pause(job) if after is None else after))
        case Failed(kinds=kinds) as failure:
            is_retried = is_retried_after(kinds, job.policy) and _HOPELESS.isdisjoint(kinds)
            if is_retried and job.attempt - job.excused <= job.retries:
                return Retrying(failure, now + _pause(job))
            return failure
        case ended:
            return ended


def _pause(job: ClaimedJob) -> float:
    return pause_after(job.attempt - job.excused, job.policy.backoff)


def after_crash(job: ClaimedJob, reason: str, crash_limit: int) -> Outcome:
    """Return what becomes of a job whose worker died, for which the job may be to blame.

    Args:
        job: what the worker was running.
        reason: what became of the worker, as a sentence.
        crash_limit: how many workers a job may cost before it is not tried again.
    """
    if job.policy.on_crash == "fail":
        return Failed(f"{reason}; {_NOT_AGAIN}", outcome=AttemptOutcome.CRASHED)
    failure = Failed(reason, outcome=AttemptOutcome.CRASHED)
    return failure if job.crashes + 1 >= crash_limit else Retrying(failure, None)


def after_loss(job: ClaimedJob, reason: str) -> Outcome:
    """Return what becomes of a job whose worker was lost, for which the job is not to blame."""
    failure = Failed(reason, outcome=AttemptOutcome.INTERRUPTED)
    return _unless_forbidden(job, failure, Retrying(failure, None))


def after_interruption(job: ClaimedJob, reason: str) -> Outcome:
    """Return what becomes of a job that has to end before it has: it was no attempt."""
    failure = Failed(reason, outcome=AttemptOutcome.INTERRUPTED)
    return _unless_forbidden(job, failure, Released())


def _unless_forbidden(job: ClaimedJob, failure: Failed, outcome: Outcome) -> Outcome:
    if job.policy.on_crash == "fail":
        return Failed(f"{failure.error}; {_NOT_AGAIN}", outcome=failure.outcome)
    return outcome


_NOT_AGAIN = 'since it has on_crash="fail", it is not run again'


def limit_reached(job: ClaimedJob, *, was_killed: bool, traceback: str = "") -> Failed:
    """Return that an attempt ran for longer than its time limit."""
    error = f"TimeLimitExceeded: it ran for longer than its timeout of {job.policy.timeout:g} s"
    if was_killed:
        error += ", did not end when it was told to, and its worker was killed"
    return Failed(error, traceback, AttemptOutcome.TIMED_OUT, kinds=_TIME_LIMIT)


def stopped(*, was_killed: bool, traceback: str = "") -> Cancelled:
    """Return that an attempt was stopped, since its job was cancelled by force."""
    error = "it was cancelled by force"
    if was_killed:
        error += ", did not end when it was told to, and its worker was killed"
    return Cancelled(Failed(error, traceback, AttemptOutcome.CANCELLED))
