"""Are the right processes there, do they run, and do they all run the same autocron?"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from autocron.administration.doctor.patient import Finding, Patient, listed
from autocron.administration.overview import WorkerView, workers
from autocron.errors import StoreError
from autocron.private import name_of
from autocron.processes.filelocks import all_locks, locks_on
from autocron.processes.holders import holders, takers
from autocron.processes.spawn import VERSION, read_orders
from autocron.processes.table import ProcessInfo, look_at, processes_with_open, program_of
from autocron.stores.protocol import AdminStore

_SUPERVISOR = "the supervisor"
_OLDER = "an older one"


def other_users(patient: Patient) -> Iterator[Finding]:
    """Who runs as another user makes files that the owner cannot use, or cannot use the owner's."""
    database = patient.files[0]
    if not database.exists():
        return
    owner = database.stat().st_uid
    files = [*patient.files, *_run_time_files(patient)]
    # A lock is seen by everybody, what a process has open only by its user and by root.
    pids = processes_with_open(files) | {lock.pid for lock in locks_on(files, all_locks())}
    pids -= {os.getpid()}
    strangers: dict[int, list[ProcessInfo]] = {}
    for process in filter(None, map(look_at, sorted(pids))):
        if process.user != owner:
            strangers.setdefault(process.user, []).append(process)
    for user, processes in strangers.items():
        theirs, ours = name_of(user), name_of(owner)
        yield Finding(
            "other-user",
            f"the database belongs to the user {ours}, but is in use by processes of {theirs}: {listed(processes)}",
            f"end them, and run them as {ours}",
        )


def _run_time_files(patient: Patient) -> list[Path]:
    with suppress(FileNotFoundError, PermissionError):  # whose it is has a check of its own
        return [path for path in patient.folder.path.iterdir() if path.suffix == ".lock"]
    return []


def supervisor_is_missing(patient: Patient) -> Iterator[Finding]:
    """Nothing runs, though the application does."""
    if patient.has_application and not patient.has_supervisor:
        yield Finding(
            "no-supervisor",
            "the application runs, but there is no supervisor, and so nobody keeps workers",
            "look into the application's log for why it could not be started",
        )


def uwsgi_without_threads(patient: Patient) -> Iterator[Finding]:
    """A thread watches the supervisor; uWSGI has none unless it is told to, or is 2.0.27 or later."""
    # The master has the application, and forks those that serve, so that they have its lock until they
    # are first called: only who has taken it is known to use autocron.
    known = [look_at(pid) for pid in takers(patient.folder.apps_lock)]
    hosts = [process for process in known if process and _is_uwsgi(process)]
    masters = {
        process.parent for process in map(look_at, holders(patient.folder.apps_lock)) if process
    }
    silent = [each for each in hosts if each.threads == 1 and each.pid not in masters]
    if silent:
        yield Finding(
            "uwsgi-threads",
            f"uWSGI runs without threads, so that these cannot watch the supervisor: {listed(silent)}",
            "give uWSGI the option --enable-threads, or install 2.0.27 or later",
        )


def _is_uwsgi(process: ProcessInfo) -> bool:
    program = Path(program_of(process.pid) or "").name
    return any("uwsgi" in name.lower() for name in (process.name, program))


def stopped(patient: Patient) -> Iterator[Finding]:
    """A process that stands still keeps its locks, so that nobody takes its place."""
    locks = {
        _SUPERVISOR: patient.folder.supervisor_lock,
        "a process of the application": patient.folder.apps_lock,
    }
    for role, lock in locks.items():
        yield from _stopped(role, holders(lock), is_replaced=role == _SUPERVISOR)


def stopped_workers(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """The same of workers."""
    for worker in alive(patient, store):
        number = worker.info.number
        # The noted id may be one of another container.
        pids = holders(patient.folder.worker_lock(number)) or {worker.info.pid}
        yield from _stopped(f"worker {number}", pids, is_replaced=True)


def _stopped(role: str, pids: Iterable[int], *, is_replaced: bool) -> Iterator[Finding]:
    for process in map(look_at, sorted(pids)):
        if process is not None and process.is_stopped:
            by = "a debugger" if process.state == "t" else "a signal"
            remedy = f"kill -CONT {process.pid}; after that it goes on"
            if is_replaced:
                remedy += f", or kill -KILL {process.pid} to have it replaced"
            problem = f"{role}, process {process}, was stopped by {by} and stands still"
            yield Finding("stopped", problem, remedy)


def versions(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Old and new code of autocron beside each other, as after an upgrade without a restart."""
    if not patient.has_application:
        return
    try:
        of_web = read_orders(patient.folder.orders, root_may=True).version
    except FileNotFoundError:
        return  # it has only just begun
    except (ValueError, StoreError) as error:
        problem = f"what the application has told the supervisor cannot be read: {error}"
        remedy = f"use the autocron of the application's environment; this one is {VERSION}"
        yield Finding("version", problem, remedy)
        return
    of_workers = {worker.info.number: worker.info.version for worker in alive(patient, store)}
    others = {number: version for number, version in of_workers.items() if version != of_web}
    if others:
        shown = listed(
            f"worker {number} runs {version or _OLDER}" for number, version in others.items()
        )
        yield Finding(
            "version",
            f"the application runs autocron {of_web}, but {shown}",
            "restart all processes of the application, so that all run the one that is installed",
        )
    if VERSION not in {of_web, *of_workers.values()}:
        yield Finding(
            "tool-version",
            f"this command is of autocron {VERSION}, and the application runs {of_web}",
            "use the command of the application's environment",
        )


def alive(patient: Patient, store: AdminStore) -> list[WorkerView]:
    """Return the workers that are there."""
    return [worker for worker in workers(store, patient.folder) if worker.alive]
