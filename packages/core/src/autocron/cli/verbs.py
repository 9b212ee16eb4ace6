"""What the command does: each verb reads or changes a store, and returns what is to be shown."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from autocron.cli.output import Facts, Part, Report, Table, Text
from autocron.clock import system_clock
from autocron.errors import DatabaseUnusable, NotRetryable, SettingsError, UnknownJob
from autocron.model import Job, JobStatus
from autocron.model_admin import Selection
from autocron.policy import policy_to_text
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.processes.wakeup import SOMETHING_DUE, Sender, wake_listeners
from autocron.settings import LoadedSettings, Settings, Source, read_setting
from autocron.stores.protocol import AdminStore
from autocron.stores.sqlite import SqliteAdminStore

_TIMES = ("enqueued_at", "run_at", "started_at", "finished_at", "scheduled_for")
_LATER = "This is in force when the application is next started or reloaded."


@dataclass(frozen=True)
class Opened:
    """A database that is there, opened for one command."""

    path: Path
    folder: RuntimeFolder
    store: AdminStore
    configured: LoadedSettings | None = None
    """What the application has configured, if that is known."""


@contextmanager
def opened(path: Path, configured: LoadedSettings | None = None) -> Iterator[Opened]:
    """Open the database at a path, and close it after.

    Raises:
        StoreError: it is not there, or is none of ours.
    """
    if not os.path.lexists(path):
        reason = "there is no such file: name the one that the application uses"
        raise DatabaseUnusable(path=path, reason=reason)
    # Without a turn: its lock would be one more file, and only serves fairness.
    store = SqliteAdminStore(
        path, turn=nullcontext(), busy_timeout=5.0, creates=False, root_may=True
    )
    with closing(store):
        store.check_is_ours()  # before `migrate` would make it so
        store.migrate()
        yield Opened(path.absolute(), RuntimeFolder.of(path), store, configured)


# Looking --------------------------------------------------------------------------------------


def show_status(database: Opened, _arguments: Namespace) -> Report:
    """Show which processes run, and how many jobs there are."""
    folder, store = database.folder, database.store
    workers = [
        asdict(worker) | {"alive": is_held(folder.worker_lock(worker.number))}
        for worker in store.workers()
    ]
    facts = {
        "database": str(database.path),
        "application": _in_words(alive=is_held(folder.apps_lock)),
        "supervisor": _in_words(alive=is_held(folder.supervisor_lock)),
    }
    counts = {str(status): count for status, count in store.counts().items()}
    rows = [
        [worker["number"], worker["pid"], _in_words(alive=worker["alive"]), _moment(worker["started_at"])]
        for worker in workers
    ]  # fmt: skip
    return Report(
        facts | {"workers": workers, "jobs": counts},
        [
            Facts(facts),
            Table(["worker", "pid", "state", "started"], rows),
            Table(["jobs", "count"], [list(pair) for pair in counts.items()]),
        ],
    )


def list_jobs(database: Opened, arguments: Namespace) -> Report:
    """Show the latest jobs, newest first."""
    found = database.store.latest(
        arguments.limit, Selection((arguments.status,)) if arguments.status else Selection()
    )
    rows = [
        [job.id, job.task, job.status, job.attempt, _moment(job.enqueued_at), _remark(job)]
        for job in found
    ]
    heads = ["id", "task", "status", "attempt", "enqueued", "remark"]
    return Report([asdict(job) for job in found], [Table(heads, rows)])


def show_job(database: Opened, arguments: Namespace) -> Report:
    """Show all that is known of one job."""
    found = database.store.get(arguments.id)
    if found is None:
        raise UnknownJob(id=arguments.id)
    attempts = database.store.attempts(arguments.id)
    policy, values = policy_to_text(found.policy), asdict(found)
    shown = values | {name: _moment(values[name]) for name in _TIMES}
    shown |= {"policy": policy, "crashes": found.crashes or None}
    shown["cancel_requested"] = found.cancel_requested or None
    trace = shown.pop("traceback")
    facts = {name.removesuffix("_at"): value for name, value in shown.items() if value is not None}
    rows = [[one.number, one.outcome, _moment(one.ended_at), one.error] for one in attempts]
    table = [Table(["attempt", "outcome", "ended", "error"], rows)] if rows else []
    data = values | {"attempts": [asdict(attempt) for attempt in attempts]}
    return Report(data, [Facts(facts), *table, *([Text(trace)] if trace else [])])


def show_settings(database: Opened, _arguments: Namespace) -> Report:
    """Show the settings, and where each of them comes from."""
    changed = database.store.settings()
    known = {
        field.name: field.default for field in fields(Settings) if field.default is not MISSING
    }
    values = {
        name: {
            "value": changed.get(name, default),
            "default": default,
            "source": str(Source.ADMIN if name in changed else Source.DEFAULT),
        }
        for name, default in (dict.fromkeys(changed) | known).items()
    }
    parts: list[Part] = [
        Text("What the application configures is not known here; it replaces the defaults.")
    ]
    if database.configured is not None:
        parts = []
        for name in values.keys() - changed.keys():
            values[name]["value"] = getattr(database.configured.settings, name)
            values[name]["source"] = str(database.configured.sources[name])
    rows = [[name, *map(_value, row.values())] for name, row in values.items()]
    return Report(values, [Table(["setting", "value", "default", "from"], rows), *parts])


# Changing jobs --------------------------------------------------------------------------------


def cancel_job(database: Opened, arguments: Namespace) -> Report:
    """Have a job that waits not run, and ask one that is running to stop."""
    done = database.store.cancel(arguments.id, system_clock(), force=arguments.force)
    if done is None:
        raise UnknownJob(id=arguments.id)
    wake(database.folder.supervisor_socket, SOMETHING_DUE)
    if done.awaited:
        wake_listeners(database.folder.listeners)
    words = {
        JobStatus.CANCELLED: "is cancelled",
        JobStatus.RUNNING: "is being stopped"
        if arguments.force
        else "is running, and asked to stop",
    }
    says = words.get(done.status, f"has ended before, as {done.status}")
    return Report({"job": arguments.id, "status": done.status}, [Text(f"{arguments.id} {says}.")])


def retry_job(database: Opened, arguments: Namespace) -> Report:
    """Let a job that has failed or was cancelled begin anew, with all its retries."""
    if not database.store.try_again(arguments.id, system_clock()):
        found = database.store.get(arguments.id)
        if found is None:
            raise UnknownJob(id=arguments.id)
        raise NotRetryable(id=arguments.id, status=found.status)
    wake(database.folder.workers_socket)
    return Report(
        {"job": arguments.id, "status": JobStatus.WAITING},
        [Text(f"{arguments.id} waits to be run.")],
    )


def wake(socket: Path, message: bytes = b"") -> None:
    """Have whoever listens at a socket look; nobody may."""
    with closing(Sender(socket)) as sender:
        sender.send(message)


# Changing settings ---------------------------------------------------------------------------------


def change_setting(database: Opened, arguments: Namespace) -> Report:
    """Set a setting; it wins over the application's configuration."""
    name = arguments.key
    try:
        value = read_setting(name, arguments.value, Source.ADMIN)
    except ValueError as error:
        raise SettingsError([str(error)]) from None
    database.store.change_settings({name: value})
    return Report({name: value}, [Text(f"{name} = {_value(value)}\n{_LATER}")])


def unset_setting(database: Opened, arguments: Namespace) -> Report:
    """Leave a setting to the application again."""
    name = arguments.key
    if name not in database.store.settings():  # one that a newer version has set is known, too
        raise SettingsError([f"{name} has not been set by the tool"])
    database.store.change_settings({name: None})
    return Report({name: None}, [Text(f"{name} is what the application says.\n{_LATER}")])


# Words ----------------------------------------------------------------------------------------


def _in_words(*, alive: bool) -> str:
    return "running" if alive else "not running"


def _moment(time: float | None) -> str | None:
    if time is None:
        return None
    try:
        return datetime.fromtimestamp(time).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):  # somebody else wrote it
        return str(time)


def _remark(job: Job) -> str:
    if job.status is JobStatus.WAITING and job.run_at is not None:
        return f"not before {_moment(job.run_at)}"
    return job.error or ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None else str(value)
