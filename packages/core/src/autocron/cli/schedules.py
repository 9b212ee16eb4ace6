"""What the command does with schedules."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import islice

from autocron.administration import actions
from autocron.administration.coming import coming_runs
from autocron.administration.database import Opened
from autocron.cli.output import Either, JobId, Report, Table, Text
from autocron.clock import system_clock
from autocron.errors import CommandError, InvalidSchedule, UnknownQueue, nearest
from autocron.model import Schedule, StoredSchedule, Tick, TickOutcome
from autocron.options import check_schedule_options
from autocron.running import scheduler
from autocron.scheduling.cron import parse_cron
from autocron.scheduling.timetable import Timetable


def list_schedules(database: Opened, _arguments: Namespace) -> Report:
    """Show the schedules: when each is due next, and what came of its latest due time."""
    store, data, rows = database.store, [], []
    for stored in store.schedules():
        schedule = stored.schedule
        latest = next(iter(store.ticks(schedule.name, 1)), None)
        data.append(asdict(stored) | {"state": stored.state, "latest": latest and asdict(latest)})
        came = latest and _latest(stored, latest)
        zone = (schedule.timezone or "machine") if schedule.is_local else None
        due = None if stored.due is None else _cell(stored, stored.due)
        rows.append([schedule.name, stored.state, due, schedule.rule, zone, came])
    heads = ["schedule", "state", "next", "rule", "zone", "latest"]
    notes = []
    if not database.settings().enabled:
        notes.append(Text("autocron is disabled for this application: no schedule runs."))
    if store.wishes().paused:
        notes.append(Text("All is paused: no schedule runs."))
    return Report(data, [*notes, Table(heads, rows, "No schedules.")])


def show_next_runs(database: Opened, arguments: Namespace) -> Report:
    """Show the coming times of a schedule."""
    stored = scheduler.find(database.store, arguments.name)
    if stored.due is None or stored.problem or not stored.confirmed:
        reason = f": {stored.problem}" if stored.problem else ""
        text = f"{arguments.name} is {stored.state}, and not due at any time{reason}."
        return Report([], [Text(text)])
    return _times(coming_runs(stored, system_clock()), arguments.limit)


def show_expression(arguments: Namespace) -> Report:
    """Show the coming times of a crontab expression; needs no database."""
    rule = str(parse_cron(arguments.expression))
    options = check_schedule_options({"timezone": arguments.timezone})
    times = Timetable.of(Schedule("", "", rule, **options))
    first = times.next_after(system_clock())
    return _times(map(times.local, times.coming(first)), arguments.limit)


def _times(dues: Iterator[datetime], count: int) -> Report:
    coming = list(islice(dues, count))
    rows = [[f"{due:%a}", due.isoformat(" ", "seconds")] for due in coming]
    return Report([due.isoformat() for due in coming], [Table(["day", "time"], rows)])


def show_ticks(database: Opened, arguments: Namespace) -> Report:
    """Show what came of the latest due times of a schedule, latest first."""
    stored = scheduler.find(database.store, arguments.name)
    ticks = database.store.ticks(arguments.name, arguments.limit)
    rows = [[_cell(stored, tick.due), tick.outcome, JobId(tick.job), tick.reason] for tick in ticks]
    heads = ["due", "outcome", "job", "remark"]
    return Report([asdict(tick) for tick in ticks], [Table(heads, rows, "None yet.")])


def pause(database: Opened, arguments: Namespace) -> Report:
    """Have a schedule, a queue, or all rest until it is resumed, restarts of the application included."""
    match _what_is_meant(arguments):
        case "all":
            database.store.pause_all(paused=True)
            database.tell_supervisor()
            words = "All is paused: no job begins, and no schedule is due. What runs may end."
            return Report({"all": "paused"}, [Text(words)])
        case "queue":
            _pause_queue(database, arguments.queue, paused=True)
            words = f"The queue {arguments.queue} is paused: none of its jobs begins."
            return Report({"queue": arguments.queue, "state": "paused"}, [Text(words)])
    actions.pause_schedule(database, arguments.name)
    data = {"schedule": arguments.name, "state": "paused"}
    return Report(data, [Text(f"{arguments.name} is paused.")])


def resume(database: Opened, arguments: Namespace) -> Report:
    """Have what was paused go on; of a schedule that was named, what was due meanwhile is not made up for."""
    match _what_is_meant(arguments):
        case "all":
            database.store.pause_all(paused=False)
            database.tell_supervisor()
            words = "All goes on, but for schedules and queues that were paused by themselves."
            return Report({"all": "active"}, [Text(words)])
        case "queue":
            ready = _pause_queue(database, arguments.queue, paused=False)
            database.tell_workers(ready)
            words = f"The queue {arguments.queue} goes on."
            return Report({"queue": arguments.queue, "state": "active"}, [Text(words)])
    return _resume_schedule(database, arguments.name)


def _what_is_meant(arguments: Namespace) -> str:
    given = {"schedule": arguments.name, "queue": arguments.queue, "all": arguments.all}
    meant = [kind for kind, value in given.items() if value]
    if len(meant) != 1:
        raise CommandError(reason="name a schedule, or a queue with --queue, or say --all")
    return meant[0]


def _pause_queue(database: Opened, name: str, *, paused: bool) -> int:
    """Pause or resume a queue; return how many jobs are ready in it.

    Raises:
        UnknownQueue: there is none of that name.
    """
    known = {queue.name: queue.ready for queue in database.store.queues()}
    if not database.store.pause_queue(name, paused=paused):
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known) or 'none'}"
        raise UnknownQueue(name=name, hint=hint)
    return known.get(name, 0)


def _resume_schedule(database: Opened, name: str) -> Report:
    before, now = scheduler.find(database.store, name), system_clock()
    due = actions.resume_schedule(database, name)
    says = "goes on" if before.paused else "was not paused"
    when = "is due next" if due > now else "has been due since the application ended, first"
    data = {"schedule": name, "state": "active", "due": due}
    return Report(data, [Text(f"{name} {says}, and {when} at {_local(before, due)}.")])


def run_schedule_now(database: Opened, arguments: Namespace) -> Report:
    """Run a schedule now, besides the times at which it is due, and also if it is paused."""
    tick = actions.run_schedule_now(database, arguments.name)
    if tick.outcome is not TickOutcome.FIRED:
        text = f"Nothing was put in: {tick.reason}."
    elif database.store.wishes().paused:
        text = f"Job {tick.job} was put in, and waits: all is paused."
    elif not database.settings().enabled:
        text = f"Job {tick.job} was put in, and waits: autocron is disabled for this application."
    elif tick.reason:
        text = f"Job {tick.job} waits for its turn: {tick.reason}."
    else:
        text = f"Job {tick.job} was put in."
    return Report(asdict(tick), [Text(text)])


def _cell(stored: StoredSchedule, moment: float) -> Either:
    full = _local(stored, moment) or "-"
    return Either(full, full[: len("2026-11-26 03:00")])


def _latest(stored: StoredSchedule, tick: Tick) -> Either:
    cell = _cell(stored, tick.due)
    return Either(f"{tick.outcome} {cell.full}", f"{tick.outcome} {cell.short}")


def _local(stored: StoredSchedule, moment: float | None) -> str | None:
    if moment is None:
        return None
    try:
        return Timetable.of(stored.schedule).in_words(moment)
    except (InvalidSchedule, OverflowError, ValueError, OSError):  # somebody else wrote it
        return str(moment)
