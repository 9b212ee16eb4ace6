"""Jobs that were run in their caller, since autocron is disabled: there is no store to find them in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from autocron.model import (
    AskedAgain,
    Attempt,
    Cancelled,
    Failed,
    Job,
    JobStatus,
    NewJob,
    Produced,
    Succeeded,
)

_KEPT = 1000
_NOTHING: tuple[None, Sequence[Attempt]] = (None, ())


def inline_job(job: NewJob, produced: Produced, began: float, ended: float) -> Job:
    """Return such a job as a store would.

    Args:
        job: what was to be stored.
        produced: what came of it; there is only one attempt.
        began: when it was run, in seconds since 1970 UTC.
        ended: when it had been run.
    """
    status, failed = _judge(produced)
    return Job(
        id=job.id,
        task=job.task,
        arguments=job.arguments,
        queue=job.options.queue,
        priority=job.options.priority,
        status=status,
        attempt=1,
        retries=job.options.retries,
        enqueued_at=began,
        run_at=None,
        started_at=began,
        finished_at=ended,
        worker=None,
        result=produced.result if isinstance(produced, Succeeded) else None,
        error=failed.error if failed else None,
        traceback=failed.traceback if failed else None,
        schedule=None,
        scheduled_for=None,
        policy=job.options.policy,
    )


def _judge(produced: Produced) -> tuple[JobStatus, Failed | None]:
    match produced:
        case Succeeded():
            return JobStatus.DONE, None
        case Cancelled(failure):
            return JobStatus.CANCELLED, failure
        case AskedAgain(failure) | (Failed() as failure):
            return JobStatus.ERROR, failure


def attempts_at(job: Job, produced: Produced) -> list[Attempt]:
    """Return the attempt at such a job, if it did not succeed, as a store would."""
    _, failed = _judge(produced)
    if failed is None:
        return []
    assert job.started_at is not None
    assert job.finished_at is not None
    exception = failed.kinds[0] if failed.kinds else None
    times = job.started_at, job.finished_at
    return [Attempt(1, failed.outcome, *times, None, failed.error, failed.traceback, exception)]


class Ended:
    """Where the handle on such a job finds it."""

    def __init__(self, job: Job, attempts: list[Attempt]) -> None:
        self._job = job
        self._attempts = attempts

    def job(self, job_id: str) -> Job | None:
        """Return the job."""
        return self._job

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the only attempt, if it did not succeed."""
        return self._attempts

    def cancel(self, job_id: str, *, force: bool) -> JobStatus | None:
        """Change nothing: it has ended."""
        return self._job.status

    def will_store(self) -> None:
        """Do nothing: there is nothing to store."""

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back at once."""
        callback()


class Latest:
    """The latest such jobs of this process, for those who look for them later."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[Job, Sequence[Attempt]]] = OrderedDict()

    def add(self, job: Job, attempts: Sequence[Attempt]) -> None:
        """Keep a job, and forget the oldest when there are too many."""
        self._jobs[job.id] = job, attempts
        if len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None if it is not (any more) among the latest."""
        return self._jobs.get(job_id, _NOTHING)[0]

    def attempts(self, job_id: str) -> Sequence[Attempt]:
        """Return the attempt at a job, if it did not succeed."""
        return self._jobs.get(job_id, _NOTHING)[1]

    def list(self, status: JobStatus | None) -> list[Job]:
        """Return all, or those of one status, newest first."""
        jobs = [job for job, _ in reversed(self._jobs.values())]
        return [job for job in jobs if status is None or job.status is status]
