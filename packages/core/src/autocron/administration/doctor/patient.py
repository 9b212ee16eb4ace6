"""What is examined, and what is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autocron.errors import StoreError
from autocron.private import located
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.settings import Settings

_MOST_NAMED = 5


@dataclass(frozen=True)
class Patient:
    """A database, and the files and processes around it."""

    database: Path
    folder: RuntimeFolder
    settings: Settings
    """Those in force, as far as they are known."""
    now: float
    """In seconds since 1970 UTC."""
    fault: StoreError | None = None
    """Why the database cannot be opened, if it cannot."""

    @property
    def files(self) -> list[Path]:
        """The database, its log and the index of that; not all of them need be there."""
        path = located(self.database)
        return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]

    @property
    def has_application(self) -> bool:
        """Whether a process of the application is there."""
        return is_held(self.folder.apps_lock)

    @property
    def has_supervisor(self) -> bool:
        """Whether a supervisor is there."""
        return is_held(self.folder.supervisor_lock)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    check: str
    """Which check has found it, by a name that stays."""
    problem: str
    remedy: str


def in_two(error: StoreError) -> tuple[str, str]:
    """Return what an error says is wrong, and what it says is to be done.

    Example:
        >>> in_two(StoreError(path="a.db", reason="is damaged: restore a backup"))
        ('a.db: is damaged', 'restore a backup')
    """
    problem, _, remedy = str(error).rpartition(": ")
    if not problem or problem == str(error.details.get("path")) or problem.endswith(" says"):
        return str(error), "look into the application's log for more"
    return problem, remedy.rstrip(".")


def listed(items: Iterable[object]) -> str:
    """Return some items as words, and how many more there are.

    Example:
        >>> listed(["a", "b"]), listed("abcdefg")
        ('a, b', 'a, b, c, d, e and 2 more')
    """
    names = [str(item) for item in items]
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
