"""What is due: makes jobs of schedules whose time has come, and delayed jobs claimable."""

from __future__ import annotations

from collections.abc import Iterable

from autocron import codec, events
from autocron.errors import InvalidSchedule
from autocron.model import DueSchedule, NewJob, Schedule, new_job_id
from autocron.scheduling import parse_rule
from autocron.stores.protocol import Store

_NO_ARGUMENTS = codec.encode_arguments((), (), {})
_PROMOTE_AT_ONCE = 500


def first_due(schedule: Schedule, now: float) -> DueSchedule:
    """Return a schedule with the time at which it is due if it is registered now."""
    if schedule.start_now:
        return DueSchedule(schedule, now)
    return DueSchedule(schedule, parse_rule(schedule.rule).next_after(now, now))


def register(store: Store, schedules: Iterable[Schedule], now: float) -> None:
    """Have exactly these schedules from now on; those that are known keep their times."""
    store.register([first_due(schedule, now) for schedule in schedules], now)


def run_due(store: Store, now: float) -> int:
    """Make claimable all that is due; return how many jobs."""
    fired = sum(_fire(store, due, now) for due in store.schedules() if due.due <= now)
    return fired + store.promote(now, _PROMOTE_AT_ONCE)


def next_due(store: Store) -> float | None:
    """Return the time at which something will be due next; None if nothing is planned."""
    job_due = store.next_due()
    schedule_due = next((due.due for due in store.schedules() if _is_readable(due)), None)
    return min((due for due in (job_due, schedule_due) if due is not None), default=None)


def _is_readable(due: DueSchedule) -> bool:
    try:
        parse_rule(due.schedule.rule)
    except InvalidSchedule:
        return False
    return True


def _fire(store: Store, due: DueSchedule, now: float) -> bool:
    schedule = due.schedule
    try:
        next_time = parse_rule(schedule.rule).next_after(now, due.due)
    except InvalidSchedule as error:  # somebody else wrote the row
        events.emit("schedule.failed", name=schedule.name, error=error)
        return False
    job = NewJob(new_job_id(), schedule.task, _NO_ARGUMENTS, schedule.options)
    fired = store.fire(due, next_time, job, now)
    if fired:
        events.emit("schedule.fired", name=schedule.name, id=job.id, due=due.due)
    return fired
