"""A web process among the others: it keeps the supervisor alive, together with them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from autocron.errors import StoreError
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock
from autocron.processes.spawn import Orders, write_orders
from autocron.processes.succession import Succession
from autocron.processes.wakeup import Sender
from autocron.running.outage import Outage

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5


class Membership:
    """Holds this process's share of the apps lock, and starts a supervisor whenever there is none.

    The process that gets the supervisor lock hands it to the supervisor that it spawns. All others
    wait in a thread for the end of that one; then one of them gets the lock and starts the next.

    Args:
        folder: the run-time files.
        orders: returns what a supervisor is to know, at the time it is started.
    """

    def __init__(self, folder: RuntimeFolder, orders: Callable[[], Orders]) -> None:
        self._folder = folder
        self._orders = orders
        self._apps = Lock(folder.apps_lock)
        self._succession = Succession(folder, self._orders_for_supervisor)
        self._left = threading.Event()
        self._locking = Outage("app.supervisor_failed", "app.supervisor_works")
        self._untold = Outage("app.orders_failed", "app.orders_given")

    def join(self) -> None:
        """Become one of the app's processes; never waits for another process, if it has threads."""
        can_watch = _can_have_thread()
        try:
            joined = self._apps.acquire(shared=True, wait=not can_watch)
        except OSError as error:  # a full disk, which has no room for the file
            self._locking.failed(error)
            joined = False
        self._give_orders()
        if not (joined and not self._untold.lasts and self._succession.try_start()):
            self._wake_supervisor()
        if can_watch:
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

    def revive(self) -> None:
        """Start a supervisor if there is none, in case that there is no thread; never waits."""
        if not self._left.is_set():
            self._succession.try_start()

    def _orders_for_supervisor(self) -> Orders:
        orders = self._orders()
        if not self._folder.orders.exists():  # without them it could not do anything
            write_orders(self._folder.orders, orders)
        return orders

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
            self._insist(lambda: self._apps.acquire(shared=True, wait=True))
        if not joined or self._untold.lasts:
            while pause := self._give_orders():
                if self._left.wait(pause):
                    return
            self._wake_supervisor()
        while not self._left.is_set():
            self._insist(self._succession.wait_for_end)
            self._start_next()

    def _insist(self, wait: Callable[[], object]) -> None:
        """Wait for a lock, also for as long as its file cannot be made or opened."""
        while not self._left.is_set():
            try:
                wait()
            except (OSError, StoreError) as error:
                if self._left.is_set():
                    return  # whoever stops may delete the files as well
                self._left.wait(self._locking.failed(error))
            else:
                self._locking.ended()
                return

    def _start_next(self) -> None:
        pause = _FIRST_PAUSE
        while not self._left.wait(self._succession.seconds_to_wait()):
            if self._succession.try_start():
                break
            # The kernel has not freed all locks yet, or another process was faster.
            if self._left.wait(pause) or self._succession.has_supervisor():
                break
            pause = min(pause * 2, _LONGEST_PAUSE)


def _can_have_thread() -> bool:
    """Whether a thread of this process would do good: all but some of uWSGI's processes can have one.

    Its master imports the app and then forks the web processes, without Python's knowledge: one that is
    forked while a thread runs stands still for ever, since nobody releases its interpreter's lock. And
    without `--enable-threads` a thread only goes on while a request is served: it might stop for long in
    the midst of starting a supervisor, with the lock. There, calls and workers look after the supervisor.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    is_host = hasattr(uwsgi, "worker_id") and hasattr(uwsgi, "has_threads")
    return not is_host or bool(uwsgi.has_threads and uwsgi.worker_id() > 0)
