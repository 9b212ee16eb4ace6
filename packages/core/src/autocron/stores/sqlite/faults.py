"""What is wrong with a database, in words: which file it is, what has happened to it, and what to do."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from autocron.errors import DatabaseUnusable, StoreError

NO_JOBS = "holds no jobs: name the file that the application gives to autocron.start()"
IS_DIRECTORY = "is a directory: name a file in it"

_RESTORE = "stop the application and restore a backup"


def explained(path: Path, text: str, *, was_in_use: bool) -> StoreError:
    """Return the error for what SQLite says.

    Args:
        path: the database.
        text: what SQLite says.
        was_in_use: whether this process has used the file as a database before.
    """
    return (
        _no_database(path, text, was_in_use=was_in_use)
        or _trouble_with_disk(path, text)
        or StoreError(path=path, reason=f"SQLite says: {text}")
    )


def _no_database(path: Path, text: str, *, was_in_use: bool) -> StoreError | None:
    if path.is_dir():
        return DatabaseUnusable(path=path, reason=IS_DIRECTORY)
    if "no such table: autocron_" in text:
        return DatabaseUnusable(path=path, reason=NO_JOBS)
    if "not a database" in text:
        reason = (
            f"is not an SQLite database any more, something has written over it: {_RESTORE}"
            if was_in_use
            else "is not an SQLite database: name another file"
        )
        return DatabaseUnusable(path=path, reason=reason)
    if "malformed" in text:
        file = shlex.quote(str(path))
        reason = f'is damaged ({text}): {_RESTORE}, or save what can be read with sqlite3 {file} ".recover"'
        return StoreError(path=path, reason=reason)
    return None


def _trouble_with_disk(path: Path, text: str) -> StoreError | None:
    if "is full" in text or ("disk I/O error" in text and _is_full(path)):
        reason = f"its disk is full ({text}): make room in {path.parent}"
        return StoreError(path=path, reason=reason)
    if "disk I/O error" in text:
        reason = (
            f"the disk does not do what it should ({text}): look at what the kernel says (dmesg), "
            "and whether a quota is used up"
        )
        return StoreError(path=path, reason=reason)
    if "readonly" in text or "unable to open" in text:
        return read_only(path, f" ({text})")
    return None


def read_only(path: Path, text: str = "") -> StoreError:
    """Return the error for a database that cannot be written to."""
    remedy = (
        "its disk is mounted read-only, mount it to be written"
        if _is_read_only(path)
        else "check owner and mode of the file and its folder"
    )
    return DatabaseUnusable(path=path, reason=f"cannot be written{text}: {remedy}")


def _is_full(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0)


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def gone(path: Path) -> StoreError:
    """Return the error for a database that is not there (any more)."""
    reason = (
        "the file is gone, deleted or moved away: put it back, or restart the application to begin "
        "with a new one"
    )
    return StoreError(path=path, reason=reason)


def unreachable(path: Path, error: OSError) -> StoreError:
    """Return the error for a database that cannot even be looked at."""
    reason = f"cannot be looked at ({error.strerror}): check the folders that it lies in, and their modes"
    return DatabaseUnusable(path=path, reason=reason)


def emptied(path: Path) -> StoreError:
    """Return the error for a database whose content is gone."""
    reason = (
        f"has been emptied, it has no content any more: {_RESTORE}; or remove it, {path.name}-wal and "
        f"{path.name}-shm while the application is stopped, to begin with a new one"
    )
    return DatabaseUnusable(path=path, reason=reason)


def lost_log(path: Path) -> StoreError:
    """Return the error for a database in use whose log or index was deleted or replaced."""
    reason = (
        f"{path.name}-wal or {path.name}-shm, which are parts of it, were deleted or replaced while it was "
        "in use: restart the application, and leave them alone while it runs"
    )
    return StoreError(path=path, reason=reason)


def log_is_link(path: Path) -> StoreError:
    """Return the error for a log or its index that is no file of SQLite's."""
    reason = "is no regular file, and SQLite has not made it: stop the application and remove it"
    return DatabaseUnusable(path=path, reason=reason)
