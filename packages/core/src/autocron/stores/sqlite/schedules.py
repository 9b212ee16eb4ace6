"""Schedules and their ticks as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from autocron.model import NewTick, Options, Schedule, StoredSchedule, Tick, TickOutcome
from autocron.model_admin import KnownTask
from autocron.policy import policy_from_text, policy_to_text
from autocron.stores.sqlite import queries
from autocron.stores.sqlite.database import Connection, Row
from autocron.stores.sqlite.jobs import new_row
from autocron.stores.sqlite.queries import State

MOST_HELD = 100
"""How many runs of a schedule may wait for one another."""

_KEPT_TICKS = 1000


def schedule_row(stored: StoredSchedule) -> Row:
    """Return what `queries.REGISTER` takes."""
    schedule, options = stored.schedule, stored.schedule.options
    return (
        schedule.name,
        schedule.task,
        schedule.rule,
        options.queue,
        options.priority,
        options.retries,
        options.ttl,
        policy_to_text(options.policy),
        schedule.start_now,
        schedule.timezone,
        schedule.catch_up,
        schedule.grace,
        schedule.overlap,
        stored.anchor,
        stored.planned_at,
        stored.due,
    )


def _task_row(task: KnownTask) -> Row:
    options = task.options
    policy = policy_to_text(options.policy)
    return (task.name, options.queue, options.priority, options.retries, options.ttl, policy)


def stored_schedule(row: Row) -> StoredSchedule:
    """Return a row of `queries.SCHEDULES` as what it stands for."""
    name, task, rule, queue, priority, retries, ttl, policy, start_now, *others = row
    zone, catch_up, grace, overlap, anchor, planned_at, due, *state = others
    last_due, paused, retired, confirmed, problem = state
    schedule = Schedule(
        name, task, rule,
        options=Options(
            queue=queue, priority=priority, retries=retries, ttl=ttl, policy=policy_from_text(policy)
        ),
        start_now=bool(start_now),
        timezone=zone,
        catch_up=catch_up,
        grace=grace,
        overlap=overlap,
    )  # fmt: skip
    return StoredSchedule(
        schedule,
        due=due,
        anchor=anchor,
        planned_at=planned_at,
        last_due=last_due,
        paused=bool(paused),
        retired=bool(retired),
        confirmed=bool(confirmed),
        problem=problem,
    )


def tick_of(row: Row) -> Tick:
    """Return a row of `queries.TICKS` as what it stands for."""
    schedule, due, outcome, reason, job, noted_at = row
    return Tick(schedule, due, TickOutcome(outcome), reason, job, noted_at)


def register(
    connection: Connection,
    schedules: Sequence[StoredSchedule],
    generation: int | None,
    tasks: Sequence[KnownTask],
) -> list[str]:
    """Register schedules and tasks, unless there is a later generation, and retire other schedules."""
    (present,) = connection.execute(queries.GENERATION).fetchone()
    if generation not in (None, present):
        return []
    for stored in schedules:
        schedule = stored.schedule
        identity = {"name": schedule.name, "rule": schedule.rule, "timezone": schedule.timezone}
        connection.execute(queries.FORGET_CHANGED, identity | {"now": stored.planned_at})
        connection.execute(queries.REGISTER, schedule_row(stored))
    connection.execute(queries.FORGET_TASKS)
    connection.executemany(queries.ADD_TASK, [_task_row(task) for task in tasks])
    names = json.dumps([stored.schedule.name for stored in schedules])
    return [name for (name,) in connection.execute(queries.RETIRE, (names,)).fetchall()]


def fire(
    connection: Connection,
    stored: StoredSchedule,
    ticks: Sequence[NewTick],
    next_due: float | None,
    now: float,
) -> list[Tick]:
    """Move a schedule on to its next due time, and put in the jobs of those that have come."""
    if not advance(connection, stored, next_due, now):
        return []
    return note(connection, stored.schedule.name, ticks, now)


def advance(
    connection: Connection, stored: StoredSchedule, next_due: float | None, now: float
) -> bool:
    """Give a schedule another due time, if it is still as it was read; return whether it is."""
    schedule = stored.schedule
    values = (next_due, now, schedule.name, stored.due, schedule.rule, schedule.timezone)
    return bool(connection.execute(queries.ADVANCE, values).fetchall())


def note(connection: Connection, name: str, ticks: Sequence[NewTick], now: float) -> list[Tick]:
    """Note ticks and put in their jobs; return those that had not been noted before."""
    connection.execute(queries.REMOVE_ENDED_RUNS, {"name": name})
    noted = [_note(connection, name, tick, now) for tick in ticks]
    connection.execute(queries.FORGET_OLD_TICKS, (name, name, _KEPT_TICKS))
    return [tick for tick in noted if tick is not None]


def add_run(connection: Connection, name: str, tick: NewTick, now: float) -> Tick | None:
    """Note one tick and put in its job, unless the schedule is retired."""
    if not connection.execute(queries.IS_CURRENT, (name,)).fetchall():
        return None
    return next(iter(note(connection, name, [tick], now)), None)


def pause(connection: Connection, name: str, missed: Sequence[NewTick], now: float) -> None:
    """Pause a schedule, and note what it has missed."""
    if connection.execute(queries.PAUSE, (name,)).fetchall():
        note(connection, name, missed, now)


def _note(connection: Connection, name: str, new: NewTick, now: float) -> Tick | None:
    """Note a tick, and put in its job if there is to be one; None if it has been noted before."""
    state, reason = _place(connection, name, new)
    outcome = TickOutcome.FIRED
    if state is None:
        outcome = TickOutcome.MISSED if new.job is None else TickOutcome.SKIPPED
    job = new.job if state is not None else None
    tick = Tick(name, new.due, outcome, reason, job.id if job else None, now)
    row = (tick.schedule, tick.due, str(tick.outcome), tick.reason, tick.job, tick.noted_at)
    if not connection.execute(queries.ADD_TICK, row).fetchall():
        return None
    if job is not None and state is not None:
        connection.execute(queries.ADD_QUEUE, (job.options.queue,))
        row = new_row(job, now, name, new.due, state)
        seq = connection.execute(queries.ENQUEUE, row).lastrowid
        connection.execute(queries.ADD_RUN, (name, seq, state is State.HELD))
    return tick


def _place(connection: Connection, name: str, new: NewTick) -> tuple[State | None, str | None]:
    """Return the state in which a run begins, None if it does not, and why it does not begin at once."""
    if new.job is None:
        return None, new.reason
    unended = connection.execute(queries.UNENDED_RUNS, (name, MOST_HELD + 1)).fetchall()
    if not unended or new.overlap == "allow":
        return State.READY, None
    reason = f"the run before (job {unended[-1][0]}) had not ended"
    if new.overlap == "skip":
        return None, reason
    if len(unended) > MOST_HELD:
        return None, f"{MOST_HELD} runs were waiting already"
    return State.HELD, reason


def end_run(connection: Connection, place: int) -> None:
    """Forget a run whose job has ended, and let the next one of its schedule go."""
    for schedule in connection.execute(queries.REMOVE_RUN, {"place": place}).fetchall():
        _let_go(connection, queries.FIRST_HELD_OF, schedule)


def release_held(connection: Connection) -> int:
    """Let the runs go that have waited for others, and are the earliest of their schedule now."""
    return _let_go(connection, queries.FIRST_HELD)


def _let_go(connection: Connection, sql: str, values: Row = ()) -> int:
    released = connection.execute(sql, values).fetchall()
    for schedule, seq in released:
        connection.execute(queries.RELEASE_JOB, (seq,))
        connection.execute(queries.RELEASE_RUN, (schedule, seq))
    return len(released)
