"""What an administrator does to jobs and schedules: done, told to whom it concerns, and logged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from autocron import events
from autocron.administration.database import Opened
from autocron.clock import system_clock
from autocron.errors import NotRetryable
from autocron.model import JobStatus, Tick
from autocron.running import scheduler
from autocron.running.report import report_cancellation

ENDED = tuple(status for status in JobStatus if status.is_final)
UNENDED = tuple(status for status in JobStatus if not status.is_final)
FAILED = (JobStatus.ERROR, JobStatus.CANCELLED)
DELETABLE = tuple(status for status in JobStatus if status is not JobStatus.RUNNING)

_AT_ONCE = 500


def cancel(
    database: Opened, job_ids: Iterable[str], *, force: bool = False
) -> dict[str, JobStatus | None]:
    """Have jobs that wait not run, and ask those that are running to stop.

    Args:
        database: where they are.
        job_ids: their ids.
        force: stop those that are running.

    Returns:
        Where each of them stands now; None for those that are gone.
    """
    statuses = {job_id: _cancel(database, job_id, force=force) for job_id in job_ids}
    if statuses:
        database.tell_supervisor()
    return statuses


def _cancel(database: Opened, job_id: str, *, force: bool) -> JobStatus | None:
    done = database.store.cancel(job_id, system_clock(), force=force)
    if done is None:
        return None
    report_cancellation(job_id, done)
    if done.awaited:
        database.tell_waiting()
    return done.status


def retry(database: Opened, job_ids: Sequence[str]) -> list[str]:
    """Let jobs that have failed or were cancelled begin anew, with all their retries.

    Returns:
        The ids of those that do; others have begun or ended otherwise by now.
    """
    begun = [job_id for job_id in job_ids if database.store.try_again(job_id, system_clock())]
    for job_id in begun:
        events.emit("job.renewed", id=job_id)
    database.tell_workers(len(begun))
    return begun


def check_retryable(database: Opened, job_ids: Iterable[str]) -> None:
    """Do nothing if all of these jobs can begin anew, or are gone.

    Raises:
        NotRetryable: one of them is neither.
    """
    for job in filter(None, map(database.store.get, job_ids)):
        if job.status not in FAILED:
            raise NotRetryable(id=job.id, status=job.status)


def delete(
    database: Opened, job_ids: Iterable[str], statuses: Sequence[JobStatus] = DELETABLE
) -> int:
    """Delete those of the jobs that have one of the statuses, none of which may be `RUNNING`; return how many."""
    rest, count = iter(job_ids), 0
    while some := list(islice(rest, _AT_ONCE)):
        count += database.store.delete(some, statuses)
    database.tell_supervisor()  # runs of a schedule may have waited for them
    database.tell_waiting()
    return count


def pause_schedule(database: Opened, name: str) -> None:
    """Have a schedule not be due until it is resumed, restarts of the application included.

    Raises:
        UnknownSchedule: there is none of that name.
        RetiredSchedule: the code does not have it any more.
    """
    scheduler.pause(database.store, name, system_clock())


def resume_schedule(database: Opened, name: str) -> float:
    """Have a schedule go on that was paused; return when it is due.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    due = scheduler.resume(database.store, name, system_clock())
    database.tell_supervisor()
    return due


def run_schedule_now(database: Opened, name: str) -> Tick:
    """Run a schedule now, besides the times at which it is due, and also if it is paused.

    Raises:
        UnknownSchedule: there is none of that name.
    """
    tick = scheduler.run_now(database.store, name, system_clock())
    database.tell_workers()
    return tick
