"""What is wrong with a database and the processes around it, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.settings import Settings
from autocron.stores.protocol import AdminStore


@dataclass(frozen=True)
class Patient:
    """What is examined."""

    database: Path
    folder: RuntimeFolder
    store: AdminStore
    settings: Settings
    now: float


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    check: str
    """Which check has found it, by a name that stays."""
    problem: str
    remedy: str


def examine(patient: Patient) -> list[Finding]:
    """Return all that is found to be wrong."""
    return [finding for check in CHECKS for finding in check(patient)]


def workers_that_are_not_there(patient: Patient) -> Iterator[Finding]:
    """Nothing runs, though the application does."""
    if is_held(patient.folder.apps_lock) and not is_held(patient.folder.supervisor_lock):
        yield Finding(
            "no-supervisor",
            "the application runs, but there is no supervisor, and so nobody keeps workers",
            "look into the application's log for why it could not be started",
        )


CHECKS: tuple[Callable[[Patient], Iterator[Finding]], ...] = (workers_that_are_not_there,)
