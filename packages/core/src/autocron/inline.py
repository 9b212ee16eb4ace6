"""Jobs that were run in their caller, since autocron is disabled: there is no store to find them in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from autocron.model import Failed, Job, JobStatus, NewJob, Succeeded

_KEPT = 1000


def inline_job(job: NewJob, outcome: Succeeded | Failed, began: float, ended: float) -> Job:
    """Return such a job as a store would.

    Args:
        job: what was to be stored.
        outcome: what came of it.
        began: when it was run, in seconds since 1970 UTC.
        ended: when it had been run.
    """
    failed = outcome if isinstance(outcome, Failed) else None
    return Job(
        id=job.id,
        task=job.task,
        arguments=job.arguments,
        queue=job.options.queue,
        priority=job.options.priority,
        status=JobStatus.ERROR if failed else JobStatus.DONE,
        attempt=1,
        retries=job.options.retries,
        enqueued_at=began,
        run_at=None,
        started_at=began,
        finished_at=ended,
        worker=None,
        result=outcome.result if isinstance(outcome, Succeeded) else None,
        error=failed.error if failed else None,
        traceback=failed.traceback if failed else None,
        schedule=None,
        scheduled_for=None,
    )


class Ended:
    """Where the handle on such a job finds it."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def job(self, job_id: str) -> Job | None:
        """Return the job."""
        return self._job

    def will_store(self) -> None:
        """Do nothing: there is nothing to store."""

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back at once."""
        callback()


class Latest:
    """The latest such jobs of this process, for those who look for them later."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def add(self, job: Job) -> None:
        """Keep a job, and forget the oldest when there are too many."""
        self._jobs[job.id] = job
        if len(self._jobs) > _KEPT:
            self._jobs.popitem(last=False)

    def get(self, job_id: str) -> Job | None:
        """Return a job, or None if it is not (any more) among the latest."""
        return self._jobs.get(job_id)

    def list(self, status: JobStatus | None) -> list[Job]:
        """Return all, or those of one status, newest first."""
        jobs = reversed(list(self._jobs.values()))
        return [job for job in jobs if status is None or job.status is status]
