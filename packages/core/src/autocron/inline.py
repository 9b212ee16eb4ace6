"""Jobs that were run in their caller, since autocron is disabled: there is no store to find them in."""

from __future__ import annotations

from collections.abc import Callable

from autocron.model import Failed, Job, JobStatus, NewJob, Succeeded


class InlineJob:
    """Where the handle on such a job finds it.

    Args:
        job: what was to be stored.
        outcome: what came of it.
        began: when it was run, in seconds since 1970 UTC.
        ended: when it had been run.
    """

    def __init__(
        self, job: NewJob, outcome: Succeeded | Failed, began: float, ended: float
    ) -> None:
        failed = outcome if isinstance(outcome, Failed) else None
        self._job = Job(
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
        )

    def job(self, job_id: str) -> Job | None:
        """Return the job."""
        return self._job

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back at once."""
        callback()
