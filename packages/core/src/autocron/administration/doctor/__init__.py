"""What is wrong with a database and the processes around it, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from autocron.administration.doctor import files, locks, processes, work
from autocron.administration.doctor.patient import Finding, Patient, in_two, listed
from autocron.errors import StoreError
from autocron.stores.protocol import AdminStore

__all__ = ["CHECKS", "CHECKS_OF_STORE", "Finding", "Patient", "examine"]

CHECKS: Mapping[str, Callable[[Patient], Iterator[Finding]]] = {
    "the file system": files.network_file_system,
    "owners": files.owner,
    "modes": files.mode,
    "the folder": files.folder,
    "room on the disk": files.room,
    "processes of other users": processes.other_users,
    "the supervisor": processes.supervisor_is_missing,
    "uWSGI": processes.uwsgi_without_threads,
    "stopped processes": processes.stopped,
    "the import of the application": work.application_not_imported,
    "locks of others": locks.locked_against_all,
}
"""What can be seen from outside, by what it looks at."""

CHECKS_OF_STORE: Mapping[str, Callable[[Patient, AdminStore], Iterator[Finding]]] = {
    "the write lock": locks.foreign_lock,
    "stopped workers": processes.stopped_workers,
    "versions": processes.versions,
    "tasks": work.unknown_tasks,
    "schedules": work.silent_schedules,
    "settings": work.settings_left_out,
    "what is paused": work.nothing_runs,
    "who runs jobs": work.no_application,
    "waiting jobs": work.waiting_beside_idle_workers,
    "jobs that are due": work.overdue_jobs,
    "the clock": work.clock,
}
"""What can be seen in a database that can be opened."""


def examine(patient: Patient, store: AdminStore | None) -> list[Finding]:
    """Return all that is found to be wrong.

    Args:
        patient: what is examined.
        store: the database; None if it cannot be opened.
    """
    looks = {name: partial(check, patient) for name, check in CHECKS.items()}
    if store is not None:
        looks |= {name: partial(check, patient, store) for name, check in CHECKS_OF_STORE.items()}
    found: list[Finding] = []
    not_made: dict[tuple[str, str], list[str]] = {}
    for name, look in looks.items():
        try:
            found += look()
        except OSError as error:
            not_made.setdefault(_of_system(error), []).append(name)
        except StoreError as error:
            not_made.setdefault(in_two(error), []).append(name)
    if patient.fault is not None:
        found.append(Finding("not-opened", *in_two(patient.fault)))
    found += (
        Finding("not-examined", f"{listed(names)} could not be examined: {reason}", remedy)
        for (reason, remedy), names in not_made.items()
    )
    return _without_repetition(found)


def _of_system(error: OSError) -> tuple[str, str]:
    """Return what is wrong and what to do; without the file's name, or each check had one of its own."""
    reason = (error.strerror or str(error)).lower()
    if isinstance(error, PermissionError):
        return reason, "run the command as root, or as the user who owns the database"
    return (
        reason,
        "look at the database, its folder and the run-time files in it, and whether they can be read",
    )


def _without_repetition(findings: list[Finding]) -> list[Finding]:
    return list({(each.problem, each.remedy): each for each in reversed(findings)}.values())[::-1]
