"""What the command does with schedules."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from itertools import islice

from autocron.cli.output import Report, Table, Text
from autocron.cli.verbs import Opened, wake
from autocron.clock import system_clock
from autocron.errors import InvalidSchedule
from autocron.model import Schedule, StoredSchedule, TickOutcome
from autocron.options import check_schedule_options
from autocron.processes.locks import is_held
from autocron.processes.wakeup import SOMETHING_DUE
from autocron.running import scheduler
from autocron.scheduling.cron import parse_cron
from autocron.scheduling.timetable import Timetable


def list_schedules(database: Opened, _arguments: Namespace) -> Report:
    """Show the schedules: when each is due next, and what came of its latest due time."""
    store, data, rows = database.store, [], []
    for stored in store.schedules():
        schedule = stored.schedule
        latest = next(iter(store.ticks(schedule.name, 1)), None)
        data.append(asdict(stored) | {"state": _state(stored), "latest": latest and asdict(latest)})
        came = latest and f"{latest.outcome} {_local(stored, latest.due)}"
        zone = (schedule.timezone or "machine") if schedule.is_local else None
        due = _local(stored, stored.due)
        rows.append([schedule.name, schedule.rule, zone, _state(stored), due, came])
    heads = ["schedule", "rule", "zone", "state", "next", "latest"]
    notes = []
    if store.settings().get("enabled") is False:
        words = (
            "no schedule will run after its next start" if _runs(database) else "no schedule runs"
        )
        notes = [Text(f"autocron is disabled for this application: {words}.")]
    return Report(data, [*notes, Table(heads, rows)])


def show_next_runs(database: Opened, arguments: Namespace) -> Report:
    """Show the coming times of a schedule."""
    stored = scheduler.find(database.store, arguments.name)
    if stored.due is None or stored.problem or not stored.confirmed:
        reason = f": {stored.problem}" if stored.problem else ""
        text = f"{arguments.name} is {_state(stored)}, and not due at any time{reason}."
        return Report([], [Text(text)])
    times, now = Timetable.of(stored.schedule, stored.anchor), system_clock()
    # What is over will be seen to when the application is started.
    first = stored.due if stored.due > now else times.next_after(now)
    return _times(times, first, arguments.limit)


def show_expression(arguments: Namespace) -> Report:
    """Show the coming times of a crontab expression; needs no database."""
    rule = str(parse_cron(arguments.expression))
    options = check_schedule_options({"timezone": arguments.timezone})
    times = Timetable.of(Schedule("", "", rule, **options))
    return _times(times, times.next_after(system_clock()), arguments.limit)


def _times(times: Timetable, first: float, count: int) -> Report:
    coming = [times.local(due) for due in islice(times.coming(first), count)]
    rows = [[f"{due:%a}", due.isoformat(" ", "seconds")] for due in coming]
    return Report([due.isoformat() for due in coming], [Table(["day", "time"], rows)])


def show_ticks(database: Opened, arguments: Namespace) -> Report:
    """Show what came of the latest due times of a schedule, latest first."""
    stored = scheduler.find(database.store, arguments.name)
    ticks = database.store.ticks(arguments.name, arguments.limit)
    rows = [[_local(stored, tick.due), tick.outcome, tick.job, tick.reason] for tick in ticks]
    heads = ["due", "outcome", "job", "remark"]
    return Report([asdict(tick) for tick in ticks], [Table(heads, rows)])


def pause_schedule(database: Opened, arguments: Namespace) -> Report:
    """Have a schedule not run until it is resumed, restarts of the application included."""
    scheduler.pause(database.store, arguments.name, system_clock())
    data = {"schedule": arguments.name, "state": "paused"}
    return Report(data, [Text(f"{arguments.name} is paused.")])


def resume_schedule(database: Opened, arguments: Namespace) -> Report:
    """Have a paused schedule go on; what was due meanwhile is not made up for."""
    before, now = scheduler.find(database.store, arguments.name), system_clock()
    due = scheduler.resume(database.store, arguments.name, now)
    wake(database.folder.supervisor_socket, SOMETHING_DUE)
    says = "goes on" if before.paused else "was not paused"
    when = "is due next" if due > now else "has been due since the application ended, first"
    data = {"schedule": arguments.name, "state": "active", "due": due}
    return Report(data, [Text(f"{arguments.name} {says}, and {when} at {_local(before, due)}.")])


def run_schedule_now(database: Opened, arguments: Namespace) -> Report:
    """Run a schedule now, besides the times at which it is due, and also if it is paused."""
    tick = scheduler.run_now(database.store, arguments.name, system_clock())
    wake(database.folder.workers_socket)
    if tick.outcome is not TickOutcome.FIRED:
        text = f"Nothing was put in: {tick.reason}."
    elif database.store.settings().get("enabled") is False and not _runs(database):
        text = f"Job {tick.job} was put in, and waits: autocron is disabled for this application."
    elif tick.reason:
        text = f"Job {tick.job} waits for its turn: {tick.reason}."
    else:
        text = f"Job {tick.job} was put in."
    return Report(asdict(tick), [Text(text)])


def _runs(database: Opened) -> bool:
    return is_held(database.folder.supervisor_lock)


def _state(stored: StoredSchedule) -> str:
    if stored.retired:
        return "retired"
    if stored.problem:
        return "unusable"
    if stored.paused:
        return "paused"
    return "active" if stored.confirmed else "not loaded"


def _local(stored: StoredSchedule, moment: float | None) -> str | None:
    if moment is None:
        return None
    try:
        return Timetable.of(stored.schedule).in_words(moment)
    except (InvalidSchedule, OverflowError, ValueError, OSError):  # somebody else wrote it
        return str(moment)
