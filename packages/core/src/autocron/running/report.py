"""Which event tells what became of a job."""

from __future__ import annotations

from autocron import events
from autocron.model import (
    Cancellation,
    ClaimedJob,
    Failed,
    JobStatus,
    Outcome,
    Released,
    Retrying,
    Settled,
    Succeeded,
)


def report(
    job: ClaimedJob, outcome: Outcome, settled: Settled, now: float, seconds: float = 0.0
) -> None:
    """Emit the event that tells what became of a job."""
    is_cancelled = settled.status is JobStatus.CANCELLED
    match outcome:
        case _ if settled.status is None:
            events.emit("job.lost", id=job.id, task=job.task)
        case Succeeded():
            events.emit("job.done", id=job.id, task=job.task, seconds=seconds)
        case Released() if not is_cancelled:
            events.emit("job.released", id=job.id, task=job.task)
        case Retrying(Failed(error), run_at) if not is_cancelled:
            pause = 0.0 if run_at is None else max(0.0, run_at - now)
            events.emit(
                "job.retrying",
                id=job.id,
                task=job.task,
                error=error,
                next=job.attempt + 1,
                pause=pause,
            )
        case Failed(error, traceback):
            events.emit("job.failed", id=job.id, task=job.task, error=error, traceback=traceback)
        case _:
            events.emit("job.cancelled", id=job.id, task=job.task)


def report_cancellation(job_id: str, done: Cancellation) -> None:
    """Emit the event that tells what cancelling has done; of one that runs, its worker will tell the rest."""
    if done.changed:
        name = "job.cancelled" if done.status.is_final else "job.cancel_requested"
        events.emit(name, id=job_id, task=done.task)
