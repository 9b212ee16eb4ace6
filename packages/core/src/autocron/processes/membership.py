"""A web process among the others: it keeps the supervisor alive, together with them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from autocron import events
from autocron.errors import StoreError
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock
from autocron.processes.spawn import Orders, spawn, write_orders
from autocron.processes.wakeup import Sender
from autocron.running.outage import Outage

_SHORT_LIFE = 2.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0


class Membership:
    """Holds this process's share of the apps lock, and starts a supervisor whenever there is none.

    The process that has the supervisor lock hands it to the supervisor that it spawns. All others
    wait for it in a thread; when a supervisor is gone, one of them gets the lock and starts the next.

    Args:
        folder: the run-time files.
        orders: returns what a supervisor is to know, at the time it is started.
    """

    def __init__(self, folder: RuntimeFolder, orders: Callable[[], Orders]) -> None:
        self._folder = folder
        self._orders = orders
        self._apps = Lock(folder.apps_lock)
        self._supervisor = Lock(folder.supervisor_lock)
        self._process: Any = None
        self._spawned_at = -math.inf
        self._left = threading.Event()
        self._outage = Outage("app.supervisor_failed", "app.supervisor_works")
        self._untold = Outage("app.orders_failed", "app.orders_given")

    def join(self) -> None:
        """Become one of the app's processes; never waits for another process."""
        try:
            joined = self._apps.acquire(shared=True, wait=False)
        except OSError as error:  # a full disk, which has no room for the file
            self._outage.failed(error)
            joined = False
        self._give_orders()
        if joined and not self._untold.lasts and self._supervisor.acquire(wait=False):
            self._start_supervisor()
        else:
            self._wake_supervisor()
        threading.Thread(
            target=self._keep_supervisor,
            kwargs={"joined": joined},
            name="autocron-watch",
            daemon=True,
        ).start()

    def leave(self) -> None:
        """No longer be one of the app's processes; leaving twice does no harm."""
        self._left.set()
        self._apps.release()

    def _give_orders(self) -> float:
        """Have the supervisor, this one or the next, see that there is a newer process.

        Returns:
            After how many seconds to try again, if that failed.
        """
        try:
            write_orders(self._folder.orders, self._orders())
        except OSError as error:
            return self._untold.failed(error)
        self._untold.ended()
        return 0.0

    def _wake_supervisor(self) -> None:
        sender = Sender(self._folder.supervisor_socket)
        sender.send()
        sender.close()

    def _keep_supervisor(self, *, joined: bool) -> None:
        if not joined:  # a supervisor was just looking whether anybody is there
            self._acquire(self._apps, shared=True)
        if not joined or self._untold.lasts:
            while pause := self._give_orders():
                if self._left.wait(pause):
                    return
            self._wake_supervisor()
        pause = 0.0
        while not self._left.is_set():
            self._reap()
            lock = Lock(self._folder.supervisor_lock)
            self._acquire(lock)
            self._supervisor = lock
            # One that ends at once, again and again, is not worth a busy machine.
            lived = time.monotonic() - self._spawned_at
            pause = (
                min(max(pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE) if lived < _SHORT_LIFE else 0.0
            )
            if self._left.wait(pause):
                lock.release()
            else:
                self._left.wait(self._start_supervisor())

    def _acquire(self, lock: Lock, *, shared: bool = False) -> None:
        """Wait for a lock, also for as long as its file cannot be made or opened."""
        while not self._left.is_set():
            try:
                lock.acquire(wait=True, shared=shared)
            except (OSError, StoreError) as error:
                self._left.wait(self._outage.failed(error))
            else:
                return

    def _reap(self) -> None:
        # As long as our own supervisor lives its lock is taken, so waiting for it is no detour,
        # and leaves no zombie.
        process, self._process = self._process, None
        if process is not None:
            process.wait()

    def _start_supervisor(self) -> float:
        """Spawn the supervisor, which inherits the lock.

        Returns:
            After how many seconds to try again, if that failed.
        """
        lock = self._supervisor
        try:
            if not self._folder.orders.exists():  # without them it could not do anything
                write_orders(self._folder.orders, self._orders())
            self._process = spawn("supervisor", self._orders(), lock.descriptor)
        except OSError as error:
            return self._outage.failed(error)
        finally:
            lock.release()
        self._spawned_at = time.monotonic()
        self._outage.ended()
        events.emit("app.supervisor_started", pid=self._process.pid)
        return 0.0
