"""Keeps forks and the use of SQLite apart.

A thread that is in the midst of SQLite at a fork leaves the child with SQLite's own locks taken, for ever.
And SQLite knows for each process which files it has locked: a child would inherit that knowledge, but not
the locks, and others could take the log away from under its connections. So a fork waits for what
is going on, has all connections closed, and keeps others from beginning until it is done. (Where hooks of a
fork do not run, as under uWSGI, there are no threads either, and the parent has the locks for as long as it lives.)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType

_PATIENCE = 1.0
"""For how many seconds a fork waits: somebody may be waiting for a lock of another program."""


class ForkGate:
    """Entered around each use of SQLite.

    Args:
        close_all: closes all connections that are not in use.
    """

    def __init__(self, close_all: Callable[[], None]) -> None:
        self._close_all = close_all
        self._is_hooked = False
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside = 0
        self._forks = 0

    def hook(self) -> None:
        """See to all forks of this process from now on; twice does no harm."""
        if not self._is_hooked:
            self._is_hooked = True
            os.register_at_fork(
                before=self._before, after_in_parent=self._after, after_in_child=self._reset
            )

    def __enter__(self) -> None:
        with self._changed:
            if self._forks:
                self._changed.wait_for(lambda: not self._forks, _PATIENCE)
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._inside = max(
                0, self._inside - 1
            )  # it may have been reset, by a fork in the midst
            if self._forks:
                self._changed.notify_all()

    def _before(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: not self._inside, _PATIENCE)
        self._close_all()

    def _after(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()
