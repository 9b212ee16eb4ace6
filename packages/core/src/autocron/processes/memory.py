"""How much memory processes have."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_MEGABYTE = 1024 * 1024


def resident_megabytes() -> float:
    """Return how much memory this process has in use; where that is not known, the most that it had."""
    if sys.platform == "linux":
        return _resident("self")
    # getrusage(2) of macOS: in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


def megabytes_of(pid: int) -> float | None:
    """Return how much memory another process has in use; None if that cannot be known."""
    try:
        return _resident(str(pid))
    except OSError:  # it has just ended, or this is no Linux
        return None


def _resident(process: str) -> float:
    # proc_pid_statm(5): the second number is the resident set, in pages.
    pages = int(Path("/proc", process, "statm").read_text().split()[1])
    return pages * resource.getpagesize() / _MEGABYTE
