"""Who holds a lock: for the one that has to be ended, and cannot be asked any more."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from autocron.processes.table import identity, open_files, others


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
    if not path.exists():
        return {}
    wanted = identity(path.stat())
    found: dict[int, set[int]] = {}
    for pid in others():
        for descriptor, file in open_files(pid):
            taken_by = _taken_by(pid, descriptor) if file == wanted else None
            if taken_by is not None:
                found.setdefault(pid, set()).add(taken_by)
    return found


def _taken_by(pid: int, descriptor: str) -> int | None:
    with suppress(OSError):
        for line in Path("/proc", str(pid), "fdinfo", descriptor).read_text().splitlines():
            if line.startswith("lock:") and " FLOCK " in line:
                return int(line.split()[5])  # lock: 1: FLOCK ADVISORY READ PID ...
    return None
