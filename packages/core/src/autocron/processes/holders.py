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
    if sys.platform != "linux" or not path.exists():
        return set()
    status = path.stat()
    wanted = (status.st_dev, status.st_ino)
    return {
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and int(process.name) != os.getpid()
        if any(_is_locked(process, descriptor) for descriptor in _open_at(process, wanted))
    }


def _open_at(process: Path, wanted: tuple[int, int]) -> Iterator[str]:
    """Give the descriptors with which a process has a file open."""
    with suppress(OSError):  # it is another user's, or has just ended
        for entry in (process / "fd").iterdir():
            with suppress(OSError):
                status = entry.stat()
                if (status.st_dev, status.st_ino) == wanted:
                    yield entry.name


def _is_locked(process: Path, descriptor: str) -> bool:
    with suppress(OSError):
        lines = (process / "fdinfo" / descriptor).read_text().splitlines()
        return any(line.startswith("lock:") and " FLOCK " in line for line in lines)
    return False
