"""Who holds a lock: for the one that has to be ended, and cannot be asked any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def holders(path: Path) -> set[int]:
    """Return the ids of the other processes that hold the lock on a file; none where nobody can tell.

    The kernel is asked: proc_pid_fdinfo(5) shows the locks of each open file.
    """
    return set(_holders(path))


def takers(path: Path) -> set[int]:
    """Return the ids of those that hold the lock and have taken it themselves: it was not left to them."""
    return {pid for pid, taken_by in _holders(path).items() if pid in taken_by}


def _holders(path: Path) -> dict[int, set[int]]:
    """Return for each process that holds the lock on a file which ones had taken it."""
    if sys.platform != "linux" or not path.exists():
        return {}
    status = path.stat()
    wanted = (status.st_dev, status.st_ino)
    found: dict[int, set[int]] = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            for descriptor in _open_at(process, wanted):
                taken_by = _taken_by(process, descriptor)
                if taken_by is not None:
                    found.setdefault(int(process.name), set()).add(taken_by)
    return found


def _open_at(process: Path, wanted: tuple[int, int]) -> Iterator[str]:
    """Give the descriptors with which a process has a file open."""
    with suppress(OSError):  # it is another user's, or has just ended
        for entry in (process / "fd").iterdir():
            with suppress(OSError):
                status = entry.stat()
                if (status.st_dev, status.st_ino) == wanted:
                    yield entry.name


def _taken_by(process: Path, descriptor: str) -> int | None:
    with suppress(OSError):
        for line in (process / "fdinfo" / descriptor).read_text().splitlines():
            if line.startswith("lock:") and " FLOCK " in line:
                return int(line.split()[5])  # lock: 1: FLOCK ADVISORY READ PID ...
    return None
