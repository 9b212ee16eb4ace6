"""Telling of what fails for a while: once when it begins, and once when it is over."""

from __future__ import annotations

import time
from typing import Any

from autocron import events

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0  # so that all goes on soon after the cause is gone
_MOST_CAUSES = (
    10  # of one outage; if no two messages were the same, the log would be filled by them
)


class Outage:
    """What one part of a process tells of its failures: each cause once, until it works again.

    Args:
        failed: the event for a cause, which has the error and the details.
        ended: the event for the end of it, which has its length in seconds and the details.
        details: of both events.

    Example:
        >>> outage = Outage("worker.store_failed", "worker.store_works", number=1)
        >>> outage.failed(OSError("the disk is full")), outage.failed(OSError("the disk is full"))
        (0.5, 1.0)
        >>> outage.ended()
    """

    def __init__(self, failed: str, ended: str, **details: Any) -> None:
        self._failed = failed
        self._ended = ended
        self._details = details
        self._causes: set[str] = set()
        self._began = 0.0
        self._pause = 0.0

    @property
    def lasts(self) -> bool:
        """Whether it has failed, and not worked since."""
        return bool(self._causes)

    def failed(self, error: Exception, **details: Any) -> float:
        """Tell of an error, unless that has been done; return after how many seconds to try again."""
        if not self.lasts:
            self._began = time.monotonic()
        cause = str(error)
        if cause not in self._causes and len(self._causes) < _MOST_CAUSES:
            self._causes.add(cause)
            events.emit(self._failed, error=error, **self._details, **details)
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
        return self._pause

    def ended(self, **details: Any) -> None:
        """Tell that it works, if it has not before."""
        if not self.lasts:
            return
        seconds = time.monotonic() - self._began
        self._causes.clear()
        self._pause = 0.0
        events.emit(self._ended, seconds=seconds, **self._details, **details)
