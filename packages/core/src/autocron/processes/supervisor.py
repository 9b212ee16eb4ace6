"""The supervisor: keeps workers and schedules while there is an app. It imports no application code."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import Any

from autocron import events
from autocron.clock import Clock, system_clock
from autocron.errors import StoreError
from autocron.model_admin import Wishes
from autocron.processes import crew as crews
from autocron.processes.clockwatch import ClockWatch
from autocron.processes.crew import BecomeWorker, Crew
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock, when_free
from autocron.processes.log import log_in_own_process
from autocron.processes.output import direct_output
from autocron.processes.spawn import Orders, read_orders, settings_from, version_of_orders
from autocron.processes.wakeup import Inbox, Sender, wait_for
from autocron.running import maintenance, scheduler
from autocron.running.outage import Outage
from autocron.settings import Settings, usable_settings
from autocron.stores.protocol import Store

APPS_GONE = b"gone"

_NO_APP = "no process of the app is left"

_MOMENT = 0.5
_UNKNOWN = -1


class Supervisor:
    """Sleeps until a message, a signal or a due time, looks at everything, and sleeps again.

    Args:
        settings: of the app.
        orders: what it was told, to be passed on to its workers.
        store: where the jobs are.
        clock: gives the time.
    """

    def __init__(
        self, settings: Settings, orders: Orders, store: Store, clock: Clock = system_clock
    ) -> None:
        self._settings = settings
        self._orders = orders
        self._wishes = Wishes(orders.admin, restarts=_UNKNOWN, paused=False)
        self._folder = RuntimeFolder.of(settings.database)
        self._store = store
        self._clock = clock
        self._inbox = Inbox(self._folder.supervisor_socket)
        self._workers_inbox = Inbox(self._folder.workers_socket)
        self._wake_worker = Sender(self._folder.workers_socket).send
        self._signals, self._signals_end = _watch_signals()
        # What threads of its own have to say must not get lost among the wake-ups of others.
        self._own, self._own_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._own.setblocking(False)
        self._crew = Crew(
            self._folder, store, orders, self._workers_inbox.fileno(), self._own_end.send, clock
        )
        self._clock_watch = ClockWatch(clock)
        self._has_looked_at_delays = False
        self._to_do: list[Callable[[], object]] = [self._recover]
        self._to_stop: Mapping[int, str] = {}
        self._known_orders: tuple[int, int] | None = None
        self._reason_to_end: str | None = None
        self._outage = Outage("supervisor.failed", "supervisor.works", database=settings.database)
        self._next_check = 0.0

    def run(self) -> None:
        """Keep workers and schedules until there is no app any more, or a signal asks to end.

        Raises:
            BecomeWorker: in the forked processes that are to be workers.
        """
        try:
            self._run()
        except BecomeWorker:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Close, in a forked child, what only the supervisor may have."""
        signal.set_wakeup_fd(-1)
        for descriptor in (self._signals, self._signals_end):
            os.close(descriptor)
        self._own.close()
        self._own_end.close()
        self._clock_watch.close()
        self._inbox.socket.close()
        self._workers_inbox.socket.close()

    def _run(self) -> None:
        events.emit("supervisor.started", pid=os.getpid(), database=self._settings.database)
        self._watch_apps()
        while True:
            timeout = self._persist(self._look_at_everything)
            timeout = min(timeout, self._crew.seconds_to_next_limit())
            if self._reason_to_end and self._crew.is_gone:
                break
            watched = [self._inbox.fileno(), self._own.fileno(), self._signals]
            wait_for(watched + self._clock_watch.descriptors + self._crew.descriptors, timeout)
            self._read_messages()
        self._inbox.close()
        self._workers_inbox.close()
        events.emit("supervisor.ended", pid=os.getpid())

    # What it does when it wakes -------------------------------------------------------------

    def _look_at_everything(self) -> float:
        """Do all that is to be done now; return after how many seconds to look again."""
        self._crew.keep_limits(self._to_stop)  # first: it needs no database
        self._read_orders()
        if self._reason_to_end:
            self._crew.end()
        self._crew.kill_late()
        if self._crew.reap():  # a job of theirs may wait again
            self._wake_worker()
        self._to_stop = self._store.to_be_stopped()
        if self._to_stop:
            self._crew.keep_limits(self._to_stop)
        if self._reason_to_end:
            return self._crew.seconds_to_next_act()
        self._heed_wishes()
        while self._to_do:
            self._to_do[0]()
            del self._to_do[0]  # now that it is done, and has not raised
        self._crew.keep(self._settings.workers if self._is_active else 0)
        if self._is_active:
            scheduler.run_due(self._store, self._clock_watch.time, self._wake_workers)
        self._check()
        return min(self._crew.seconds_to_next_act(), self._seconds_to_next_due())

    @property
    def _is_active(self) -> bool:
        """Whether jobs and schedules are to run at all, as far as settings and administrator say."""
        return self._settings.enabled and not self._wishes.paused

    def _recover(self) -> None:
        self._crew.recover()
        self._wake_worker()

    def _wake_workers(self, count: int) -> None:
        for _ in range(min(count, self._settings.workers)):
            self._wake_worker()

    def _seconds_to_next_due(self) -> float:
        next_due = self._store.next_due() if self._is_active else None
        times = [self._next_check] + ([] if next_due is None else [next_due])
        return max(0.0, min(times) - self._clock())

    def _check(self) -> None:
        """From time to time: tidy up, and wake a worker in case that a wake-up got lost."""
        now = self._clock()
        interval = self._settings.check_interval
        if now < self._next_check <= now + interval:
            return
        self._wake_worker()
        if not self._has_looked_at_delays:  # later on, the clock is watched
            self._store.shorten_delays(now)
            self._has_looked_at_delays = True
        maintenance.prune(self._store, self._clock_watch.time)
        self._store.tune()
        self._next_check = now + interval  # now that it is done, and has not raised

    def _persist(self, work: Callable[[], float]) -> float:
        """Do what may fail for a while; if it does, return after how many seconds to try again."""
        try:
            timeout = work()
        except (StoreError, OSError) as error:  # a full disk, or no more processes
            return self._outage.failed(error)
        self._outage.ended()
        return timeout

    # What wakes it --------------------------------------------------------------------------

    def _read_messages(self) -> None:
        with suppress(BlockingIOError):
            for number in os.read(self._signals, 100):
                if number != signal.SIGCHLD:
                    self._drain(f"asked to end by {signal.Signals(number).name}")
        for _ in self._inbox.messages():
            pass  # they only say that there is something to be looked at
        self._crew.listen()
        with suppress(BlockingIOError):
            while True:
                self._act_on(self._own.recv(100))
        self._look_at_clock()

    def _look_at_clock(self) -> None:
        change = self._clock_watch.look()
        if change is not None:
            self._to_do.append(lambda: scheduler.clock_was_set(self._store, change, self._clock))

    def _act_on(self, message: bytes) -> None:
        if message == APPS_GONE:
            self._apps_are_gone()
        elif message.startswith(crews.FREED):
            number = int(message.removeprefix(crews.FREED))
            self._crew.forget_stranger(number)
            self._to_do.append(lambda: self._free(number))

    def _free(self, number: int) -> None:
        self._crew.was_freed(number)
        self._wake_worker()

    def _read_orders(self) -> None:
        """See whether there is a newer process of the app, and do what it wants."""
        version = version_of_orders(self._folder.orders)
        if version in (None, self._known_orders):
            return
        self._known_orders = version
        try:
            orders = read_orders(self._folder.orders)
            settings_from(orders)
        except (OSError, ValueError, TypeError, StoreError) as error:
            events.emit("supervisor.orders_failed", error=error)
        else:
            self._welcome(orders)

    def _use(self, orders: Orders) -> None:
        self._orders = orders
        self._settings = settings = settings_from(orders)
        self._store.configure(ttl=settings.ttl, busy_timeout=settings.busy_timeout)
        log_in_own_process(settings.log_level)
        direct_output(settings)

    def _heed_wishes(self) -> None:
        """See whether an administrator wants something else than before, and do it."""
        wishes = self._store.wishes()
        if wishes == self._wishes:
            return
        before, self._wishes = self._wishes, wishes
        if wishes.settings != self._orders.admin:
            self._configure(wishes.settings)
        if before.restarts not in (wishes.restarts, _UNKNOWN):
            events.emit("supervisor.restarting")
            self._crew.replace_all()
            # The new ones may have other schedules.
            self._to_do.append(self._store.await_registration)

    def _configure(self, admin: Mapping[str, Any]) -> None:
        usable, problems = usable_settings(self._orders.settings, admin)
        if problems:
            events.emit("supervisor.settings_wrong", error="; ".join(problems))
        orders = replace(self._orders, admin=usable)
        self._crew.configure(orders)
        self._use(orders)
        events.emit("supervisor.settings_changed")

    def _welcome(self, orders: Orders) -> None:
        # Of what an administrator has set, the web process may know less by now than we do.
        orders = replace(orders, admin=self._orders.admin)
        some_stay = self._crew.adopt(orders)
        self._use(orders)
        if self._reason_to_end == _NO_APP:
            self._reason_to_end = None
            self._watch_apps()
            events.emit("supervisor.resumed")
        if not some_stay:  # the new workers may have other schedules
            self._to_do.append(self._store.await_registration)

    def start_over(self) -> None:
        """Begin anew with another database, which has been put in the place of the one before.

        What is running there is run by nobody, and its schedules are not those of the code: workers are
        replaced, so that each of them begins as after a start.
        """
        self._crew.replace_all()
        self._to_do += [self._store.await_registration, self._recover]

    def _watch_apps(self) -> None:
        def wait_a_moment() -> None:
            time.sleep(_MOMENT)  # all web processes may just be recycled, or a server reload itself
            self._own_end.send(APPS_GONE)

        when_free(self._folder.apps_lock, wait_a_moment, name="autocron-apps")

    def _apps_are_gone(self) -> None:
        apps = Lock(self._folder.apps_lock)
        try:
            is_free = apps.acquire(wait=False)
        except FileNotFoundError:
            is_free = True  # the whole folder was deleted
        except (OSError, StoreError):  # too many open files, for example
            is_free = False
        apps.release()
        if is_free:
            self._drain(_NO_APP)
        else:  # one came between the thread's look and ours
            self._watch_apps()

    def _drain(self, reason: str) -> None:
        if self._reason_to_end is None:
            self._reason_to_end = reason
            events.emit("supervisor.draining", reason=reason)


def _watch_signals() -> tuple[int, int]:
    """Have the signals that concern us written, as numbers, to a descriptor; return both its ends."""
    receiver, sender = socket.socketpair()
    receiver.setblocking(False)
    sender.setblocking(False)
    signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, _ignore)
    return receiver.detach(), sender.detach()


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number to the descriptor; the loop acts on it."""
