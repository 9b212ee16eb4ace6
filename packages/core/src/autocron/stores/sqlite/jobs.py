"""Jobs as rows."""

from __future__ import annotations

from typing import Any

from autocron.model import ClaimedJob, Job, NewJob
from autocron.stores.sqlite.database import Row
from autocron.stores.sqlite.queries import STATUS_OF, State


def new_row(
    job: NewJob,
    now: float,
    schedule: str | None = None,
    scheduled_for: float | None = None,
    state: State = State.READY,
) -> Row:
    """Return what `queries.ENQUEUE` takes; a job for later waits for its time."""
    options = job.options
    run_at = options.due(now)
    return (
        job.id,
        job.task,
        job.arguments,
        options.queue,
        options.priority,
        state.value if run_at is None else 0,
        options.retries,
        options.ttl,
        now,
        run_at,
        options.delay,
        schedule,
        scheduled_for,
    )


def identity(job: ClaimedJob) -> dict[str, Any]:
    """Return by what a statement finds a claimed job, if it is still claimed."""
    return {"id": job.id, "attempt": job.attempt, "place": job.place}


def claimed_job(rows: list[Row]) -> ClaimedJob | None:
    """Return the job that a claim has given, if it has."""
    return ClaimedJob(*rows[0]) if rows else None


def stored_job(row: Row) -> Job:
    """Return a row of `queries.GET` as what it stands for."""
    # `status` is the sixth column and the sixth field
    return Job(*row[:5], STATUS_OF[row[5]], *row[6:])  # type: ignore[call-arg]
