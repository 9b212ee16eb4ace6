"""Who starts the next supervisor: whoever sees first that there is none, and never two at once.

Web processes watch the supervisor in a thread. Where they cannot have one, as under a uWSGI without
`--enable-threads`, the next call that a web process hands over and the workers that have lost their
supervisor look after it.

The supervisor lock is only ever tried, and never waited for: who waits is given it in the kernel, and if
his thread does not run then, or a child that was forked meanwhile has the same open file, nobody can start a
supervisor any more. What is waited for is another lock, on a file that each supervisor makes anew, so
that it does not matter who has got the one of its predecessor, and whether he lets it go.
"""

from __future__ import annotations

import math
import os
import subprocess
import threading
import time
from collections.abc import Callable

from autocron import events
from autocron.errors import StoreError
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock, is_held
from autocron.processes.spawn import Orders, spawn
from autocron.running.outage import Outage

_MOMENT = 1.0
"""Seconds within which a web process whose threads run has started the next supervisor."""

_SHORT_LIFE = 2.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


class Succession:
    """Starts the supervisor of a database, in a web process, a worker, or a supervisor that ends.

    Args:
        folder: the run-time files.
        orders: returns what a supervisor is to know, at the time it is started.
    """

    def __init__(self, folder: RuntimeFolder, orders: Callable[[], Orders]) -> None:
        self._folder = folder
        self._orders = orders
        self._starting = threading.Lock()
        self._started: subprocess.Popen[bytes] | None = None
        self._started_at = -math.inf
        self._pause = 0.0
        self._not_before = -math.inf
        self._outage = Outage("app.supervisor_failed", "app.supervisor_works")

    def try_start(self) -> bool:
        """Start a supervisor unless there is one; never waits. Return whether one was started.

        One that ends at once, again and again, is not worth a busy machine: then it does nothing for as
        long as `seconds_to_wait` says.
        """
        if not self._starting.acquire(blocking=False):
            return False  # another thread is just at it
        try:
            return self.seconds_to_wait() == 0 and self._try_start()
        finally:
            self._starting.release()

    def _try_start(self) -> bool:
        lock = Lock(self._folder.supervisor_lock)
        try:
            if not lock.acquire(wait=False):
                return False
            self._started = spawn("supervisor", self._orders(), lock.descriptor)
        except (OSError, ValueError, StoreError) as error:
            # A full disk, no more processes, or orders of another version.
            self._not_before = time.monotonic() + self._outage.failed(error)
            return False
        finally:
            lock.release()
        self._outage.ended()
        now = time.monotonic()
        was_short = now - self._started_at < _SHORT_LIFE + self._pause
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE) if was_short else 0.0
        self._started_at, self._not_before = now, now + self._pause
        events.emit("app.supervisor_started", pid=self._started.pid)
        return True

    def seconds_to_wait(self) -> float:
        """Return for how long no supervisor is to be started, since the last ones ended so soon."""
        return max(0.0, self._not_before - time.monotonic())

    def wait_for_end(self) -> None:
        """Return when there is no supervisor, or when it is only just starting.

        Raises:
            OSError: the lock cannot be opened.
            StoreError: it is none of ours.
        """
        started, self._started = self._started, None
        if started is not None:
            started.wait()  # no detour, as its lock is held until then, and leaves no zombie
        lock = Lock(self._folder.alive_lock)
        lock.acquire(wait=True, shared=True)
        lock.release()

    def has_supervisor(self) -> bool:
        """Whether there is a supervisor that is no longer just starting."""
        lock = Lock(self._folder.alive_lock)
        try:
            is_free = lock.acquire(wait=False, shared=True)  # shared, so as not to disturb others
        except (OSError, StoreError):
            return False
        lock.release()
        return not is_free

    def see_to_successor(self) -> None:
        """Start the next supervisor if there is an app, and none of its processes does so in a moment."""
        if is_held(self._folder.apps_lock):
            time.sleep(_MOMENT)
            if is_held(self._folder.apps_lock):
                self.try_start()


class Reign:
    """What the supervisor itself holds, from its start to its end.

    Args:
        folder: the run-time files.
        lock: the supervisor lock, which it was handed.
    """

    def __init__(self, folder: RuntimeFolder, lock: Lock) -> None:
        self._lock = lock
        fresh = folder.alive_lock.with_name(f"{folder.alive_lock.name}.{os.getpid()}")
        self._alive = Lock(fresh)
        try:
            fresh.unlink(missing_ok=True)  # of a process that had this id, and was killed just here
            self._alive.acquire(wait=False)
            os.replace(fresh, folder.alive_lock)
        except OSError:
            # The disk is full. Then web processes look from time to time whether we are still there.
            self._alive.release()

    def end(self) -> None:
        """Let all go."""
        self._lock.release()  # before those wake up who try to get it
        self._alive.release()
