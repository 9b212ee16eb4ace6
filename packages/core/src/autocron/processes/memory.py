"""How much memory this process has."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")
_MEGABYTE = 1024 * 1024


def resident_megabytes() -> float:
    """Return how much memory this process has in use; where that is not known, the most that it had."""
    if sys.platform == "linux":
        # proc_pid_statm(5): the second number is the resident set, in pages.
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / _MEGABYTE
    # getrusage(2) of macOS: in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE
