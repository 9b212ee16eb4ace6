"""What is due: makes jobs of schedules whose time has come, and delayed jobs claimable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from autocron import codec, events
from autocron.clock import Clock
from autocron.errors import InvalidSchedule, RetiredSchedule, UnknownSchedule, nearest
from autocron.model import (
    ClockSet,
    NewJob,
    NewTick,
    Overlap,
    Schedule,
    StoredSchedule,
    Tick,
    TickOutcome,
    new_job_id,
)
from autocron.model_admin import KnownTask
from autocron.scheduling import Rule
from autocron.scheduling.timetable import Timetable
from autocron.stores.protocol import Store
from autocron.zones import zone_of_machine

ON_TIME = 60.0
"""For how many seconds after its due time a run counts as one on time."""

MOST_CAUGHT_UP = 100
"""How many due times that were missed are made up for at most, with `catch_up="all"`."""

_CORRECTION = 3 * 3600.0  # cron(8) of Debian: setting the clock by more than that corrects it
_PROMOTE_AT_ONCE = 500
_NO_ARGUMENTS = codec.encode_arguments((), (), {})


# Registering ----------------------------------------------------------------------------------


def register(
    store: Store,
    schedules: Iterable[Schedule],
    now: float,
    timezone: str | None = None,
    generation: int | None = None,
    tasks: Sequence[KnownTask] = (),
) -> None:
    """Have exactly these schedules and tasks from now on; schedules that are known keep their times.

    Args:
        store: where they are kept.
        schedules: as the code has them.
        now: the time.
        timezone: the zone of those that need one and do not say it; None for the machine's.
        generation: of the workers that have this code; nothing happens if there is a later one. None
            for the present one.
        tasks: as the code has them.
    """
    known = {stored.schedule.name: stored for stored in store.schedules()}
    planned = [plan(in_zone(each, timezone), known.get(each.name), now) for each in schedules]
    for name in store.register(planned, generation, tasks):
        events.emit("schedule.retired", name=name)


def in_zone(schedule: Schedule, timezone: str | None) -> Schedule:
    """Return a schedule with a time zone, if it needs one and does not say which."""
    if schedule.timezone is not None or not schedule.is_local:
        return schedule
    return replace(schedule, timezone=timezone or zone_of_machine())


def plan(schedule: Schedule, known: StoredSchedule | None, now: float) -> StoredSchedule:
    """Return a schedule with its times as it is to be registered, if it is new or changed.

    Intervals are counted from the first registration; that is also when `start_now` counts.
    """
    anchor = known.anchor if known else float(math.floor(now))
    starts_now = schedule.start_now and known is None
    due = anchor if starts_now else Timetable.of(schedule, anchor).next_after(now)
    return StoredSchedule(schedule, due, anchor, planned_at=now)


# Firing ---------------------------------------------------------------------------------------


def run_due(store: Store, clock: Clock, wake: Callable[[int], object]) -> None:
    """Make claimable all that is due.

    Args:
        store: where it is.
        clock: gives the time.
        wake: called with the number of jobs whenever some have become claimable.
    """
    now = clock()
    for stored in store.ripe_schedules(now):
        wake(_look_at(store, stored, now))
    next_time = store.next_due()
    if next_time is not None and next_time <= now:
        wake(store.promote(clock, _PROMOTE_AT_ONCE))
    wake(store.release_held())


def _look_at(store: Store, stored: StoredSchedule, now: float) -> int:
    """Fire a schedule that is due, or plan it anew; return how many jobs were put in."""
    try:
        times = Timetable.of(stored.schedule, stored.anchor)
        if stored.due is None or stored.due > now:
            _replan(store, stored, times, now)
            return 0
        ticks = list(_ticks(stored, times, now))
        noted = store.fire(stored, ticks, times.next_after(now), now)
    except InvalidSchedule as error:  # somebody else wrote the row
        store.set_aside(stored, str(error))  # until it is registered again
        events.emit("schedule.failed", name=stored.schedule.name, error=error)
        return 0
    for tick in noted:
        _tell(tick, times)
    return sum(tick.outcome is TickOutcome.FIRED for tick in noted)


def _ticks(stored: StoredSchedule, times: Timetable, now: float) -> Iterator[NewTick]:
    """Give the due times that have come, oldest first: as one those that were missed, then those to run."""
    schedule, since = stored.schedule, stored.due
    assert since is not None
    latest_first = times.backwards(since, now)
    wanted = list(islice(latest_first, MOST_CAUGHT_UP if schedule.catch_up == "all" else 1))
    missed = next(latest_first, None)
    if schedule.catch_up != "all" and now - wanted[0] > _patience(schedule):
        missed = wanted.pop()
    if missed is not None:
        why = _why_left_out(schedule, is_latest=not wanted)
        yield NewTick(missed, None, reason=f"{_nothing_ran(times, since, missed)}; {why}")
    # Who wants to make up for all does not want them skipped since the one before has not ended.
    is_late = missed is not None or len(wanted) > 1 or now - wanted[0] > ON_TIME
    waits = schedule.catch_up == "all" and is_late and schedule.overlap == "skip"
    for due in reversed(wanted):
        yield NewTick(due, _new_run(schedule), "queue" if waits else schedule.overlap)


def _why_left_out(schedule: Schedule, *, is_latest: bool) -> str:
    """Tell why due times have no run, though there is somebody again who could see to it."""
    match schedule.catch_up:
        case "all":
            return f"only the latest {MOST_CAUGHT_UP} due times are made up for"
        case "last" if is_latest:
            return f"that is more than {_patience(schedule):g} s ago"
        case "last":
            return "only the latest due time is made up for"
        case _:
            return "nothing is made up for"


def _nothing_ran(times: Timetable, since: float, until: float) -> str:
    """Tell of the due time `until`, and of those before it."""
    return "nothing ran then" + (f", nor since {times.in_words(since)}" if since < until else "")


def _patience(schedule: Schedule) -> float:
    return max(ON_TIME, schedule.grace) if schedule.catch_up == "last" else ON_TIME


def _new_run(schedule: Schedule) -> NewJob:
    return NewJob(new_job_id(), schedule.task, _NO_ARGUMENTS, schedule.options)


def _replan(store: Store, stored: StoredSchedule, times: Timetable, now: float) -> None:
    """Go on after the clock was set back."""
    after = _where_to_go_on(times.rule, stored.last_due, now)
    store.replan(stored, times.next_after(after), now, forget_after=after)


def _where_to_go_on(rule: Rule, last: float | None, now: float) -> float:
    """Return after which moment a schedule is due again, if the clock may have been set back.

    As in cron(8) of Debian, what is due at certain times of a day is not repeated when these come a second
    time, unless the clock was set by so much that this must have been a correction. Anything
    else is not repeated within its own spacing: that is a clock that is a little off.
    """
    patience = _CORRECTION if rule.is_fixed else min(rule.spacing, _CORRECTION)
    return last if last is not None and now < last <= now + patience else now


def _tell(tick: Tick, times: Timetable) -> None:
    due = times.in_words(tick.due)
    match tick.outcome:
        case TickOutcome.FIRED:
            events.emit("schedule.fired", name=tick.schedule, id=tick.job, due=due)
        case TickOutcome.SKIPPED:
            events.emit("schedule.skipped", name=tick.schedule, due=due, reason=tick.reason)
        case TickOutcome.MISSED:
            events.emit("schedule.missed", name=tick.schedule, due=due, reason=tick.reason)


# When the clock was set -----------------------------------------------------------------------


def clock_was_set(store: Store, change: ClockSet, clock: Clock) -> None:
    """Let what was counted from a moment be as far away as it was before the clock was set."""
    store.shift_times(change, clock)
    events.emit("clock.set", seconds=change.seconds)


# What an administrator does ---------------------------------------------------------------------


def find(store: Store, name: str) -> StoredSchedule:
    """Return the schedule of that name.

    Raises:
        UnknownSchedule: there is none.
    """
    found = store.schedule(name)
    if found is None:
        known = [stored.schedule.name for stored in store.schedules()]
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"there are {len(known)} others"
        raise UnknownSchedule(name=name, hint=hint)
    return found


def _find_active(store: Store, name: str) -> StoredSchedule:
    stored = find(store, name)
    if stored.retired:
        raise RetiredSchedule(name=name)
    return stored


def pause(store: Store, name: str, now: float) -> None:
    """Have a schedule not be due until it is resumed; what it has missed before is recorded.

    Raises:
        UnknownSchedule: there is none of that name.
        RetiredSchedule: the code does not have it any more.
    """
    stored = _find_active(store, name)
    missed: list[NewTick] = []
    with suppress(InvalidSchedule):  # it was never due by a rule that cannot be read
        times = Timetable.of(stored.schedule, stored.anchor)
        if stored.due is not None and stored.due <= now:
            latest = next(times.backwards(stored.due, now))
            reason = f"{_nothing_ran(times, stored.due, latest)}; then it was paused"
            missed.append(NewTick(latest, None, reason=reason))
    store.pause(name, missed, now)


def resume(store: Store, name: str, now: float) -> float:
    """Have a paused schedule go on; return when it is due next. Raises what `pause` raises."""
    while True:
        stored = _find_active(store, name)
        if stored.due is not None:
            return stored.due
        times = Timetable.of(stored.schedule, stored.anchor)
        after = _where_to_go_on(times.rule, stored.last_due, now)
        due = times.next_after(after)
        if store.resume(stored, due, now, forget_after=after):
            return due  # or else somebody has changed it just then


def run_now(store: Store, name: str, now: float) -> Tick:
    """Put in a run of a schedule, besides those that are due; return what came of it.

    Where runs must not overlap, it waits for the end of an earlier one. Raises what `pause` raises.
    """
    due = _between_seconds(now)
    while True:
        schedule = _find_active(store, name).schedule
        overlap: Overlap = "allow" if schedule.overlap == "allow" else "queue"
        noted = store.add_run(name, NewTick(due, _new_run(schedule), overlap), now)
        if noted is not None:
            return noted
        due = _between_seconds(due + 0.001)  # somebody else has done the same just then


def _between_seconds(moment: float) -> float:
    """Return a moment, in milliseconds, that is no due time of any rule: those are whole seconds."""
    rounded = round(moment, 3)
    return rounded if rounded % 1 else round(rounded + 0.001, 3)
