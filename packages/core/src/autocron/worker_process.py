"""A worker process: imports the application, and runs its jobs until the supervisor is gone."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn, TypeVar

from autocron import app, events, registry
from autocron.client import Client
from autocron.clock import system_clock
from autocron.errors import StoreError
from autocron.integration import Integration, find_function
from autocron.processes import line as talk
from autocron.processes.folder import RuntimeFolder, read_private, write_private
from autocron.processes.limits import Board, Limits
from autocron.processes.locks import WorkersTurn, adopt
from autocron.processes.memory import resident_megabytes
from autocron.processes.output import send_unfinished_of_thread, send_unfinished_soon
from autocron.processes.spawn import Orders, read_orders, settings_from
from autocron.processes.succession import Succession
from autocron.processes.wakeup import SOMETHING_DUE, Sender, WorkersInbox, wake_listeners
from autocron.running import scheduler
from autocron.running.outage import Outage
from autocron.running.progress import ProgressWriter
from autocron.running.worker import Surroundings, Worker, current_job_of
from autocron.stores.protocol import Store
from autocron.stores.sqlite import SqliteStore

T = TypeVar("T")

_QUEUED_WAKE_UPS = 10  # unix(7): /proc/sys/net/unix/max_dgram_qlen
_CLOCK_STEP = 10_000_000  # nanoseconds; a file's time comes from a clock that moves in such steps


class WorkerProcess:
    """Ties a `Worker` to its process: what wakes it, what ends it, and whose code it runs.

    Args:
        orders: what the supervisor told it.
        line: the descriptor of the line to the supervisor; its end tells that the supervisor is gone.
        board: where the supervisor sees what is being run.
    """

    def __init__(self, orders: Orders, line: int, board: Board) -> None:
        self._orders = orders
        self._board = board
        self._line = socket.socket(fileno=line)
        self._settings = settings_from(orders)
        self._folder = RuntimeFolder.of(self._settings.database)
        self._tell_supervisor = Sender(self._folder.supervisor_socket).send
        self._wake_worker = Sender(self._folder.workers_socket).send
        self._own_end, self._other_end = socket.socketpair()
        self._started_at = time.time_ns()
        self._loaded_at = 0
        self._files: dict[str, int] = {}
        self._worker: Worker | None = None
        self._store: Store | None = None
        self._is_stopping = False
        self._stop_asked = threading.Event()
        self._was_asked_to_end = False
        self._may_exit = threading.Event()
        self._may_exit.set()

    def run(self) -> int:
        """Be a worker; return the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end_soon)
        threading.Thread(target=self._obey, name="autocron-line", daemon=True).start()
        try:
            is_loaded = self._load()
        except BaseException:  # the boundary around the application's code
            self._report_failed_load(traceback.format_exc())
            return talk.LOAD_FAILED
        if not is_loaded:
            return 0
        with suppress(OSError):  # the disk has become read-only
            self._folder.load_error.unlink(missing_ok=True)
        assert self._worker is not None
        self._tell_supervisor(SOMETHING_DUE)
        self._say(talk.READY)
        events.emit("worker.ready", number=self._orders.number, pid=os.getpid())
        self._worker.run()
        self._client.stop()
        self._start_thread(self._exit_late)
        self._may_exit.wait()
        return 0

    # Loading the application ----------------------------------------------------------------

    def _load(self) -> bool:
        """Import the application; return False if there was no database until it was time to end."""
        code = self._orders.code
        sys.path[:], sys.argv[:] = code.path, code.argv
        integration = _integration_class(code.integration).from_description(code.data)
        settings = self._orders.settings
        client = self._persist(
            lambda: Client(integration, settings, autostart=False, creates=False)
        )
        if client is None:
            return False
        self._client = client
        app.become_worker(self._client)
        integration.load()
        files = {file: _changed_at(file) for file in _imported_files()}
        self._loaded_at, self._files = time.time_ns(), files
        self._store = store = SqliteStore(
            self._settings.database,
            turn=WorkersTurn(self._folder.callers_lock, self._folder.writers_lock),
            busy_timeout=self._settings.busy_timeout,
            ttl=self._settings.ttl,
            creates=False,
        )
        store.when_replaced(lambda: self._tell_supervisor(SOMETHING_DUE))
        if not self._is_stopping:
            schedules, generation = registry.schedules(), self._orders.generation
            # The application may have chosen its zone in TZ while it was imported; the supervisor has not.
            zone = self._settings.timezone
            tasks = registry.known_tasks()
            self._persist(
                lambda: scheduler.register(
                    store, schedules, system_clock(), zone, generation, tasks
                )
            )
        is_durable = self._settings.durability == "full"
        surroundings = self._surroundings(integration, store)
        self._worker = Worker(self._orders.number, store, surroundings, is_durable=is_durable)
        client.store.close()  # most workers do not need it again
        if self._is_stopping:
            self._worker.stop()
        return True

    def _persist(self, work: Callable[[], T]) -> T | None:
        """Do what needs the database, for as long as it takes; None if it is time to end before."""
        outage = Outage("worker.store_failed", "worker.store_works", number=self._orders.number)
        while not self._is_stopping:
            try:
                outcome = work()
            except StoreError as error:
                self._stop_asked.wait(outage.failed(error))
            else:
                outage.ended()
                return outcome
        return None

    def _report_failed_load(self, text: str) -> None:
        """Log a traceback, but not for each worker and each time that it is tried again."""
        number, file = self._orders.number, self._folder.load_error
        code = zlib.crc32(text.encode("utf-8", "backslashreplace"))
        self._say(talk.load_error(code))
        if code in (self._orders.load_error, self._known_load_error()):
            error = text.rstrip().rpartition("\n")[2]
            events.emit("worker.load_failed_again", number=number, error=error)
            return
        events.emit("worker.load_failed", number=number, traceback=text)
        with suppress(OSError):  # the supervisor knows it, too
            write_private(file, text.encode("utf-8", "backslashreplace"))

    def _known_load_error(self) -> int | None:
        try:
            return zlib.crc32(read_private(self._folder.load_error))
        except (OSError, StoreError):
            return None

    def _surroundings(self, integration: Integration, store: Store) -> Surroundings:
        descriptor = self._orders.descriptors["workers"]
        inbox = WorkersInbox(descriptor, self._own_end.fileno())
        progress = ProgressWriter(store.set_progress)
        return Surroundings(
            find_function=lambda name: find_function(name, self._is_known),
            limits=Limits(self._board, self._orders.number, self._call_supervisor),
            job_context=integration.job_context,
            wake_next=self._wake_next,
            wait_for_work=lambda: inbox.wait(self._settings.check_interval),
            before_settling=lambda: self._finish_attempt(progress),
            current=lambda job: current_job_of(
                job, store, partial(progress.put, job), self._settings.timezone
            ),
            look_again=self._call_supervisor,
            is_outdated=self._check_code,
            why_to_retire=self._why_to_retire,
            retire=lambda: self._say(talk.LEAVING),
            notify=lambda: wake_listeners(self._folder.listeners),
        )

    def _wake_next(self) -> None:
        # So many idle workers cannot all be woken by one process: the queue of their socket is shorter.
        if self._settings.workers > _QUEUED_WAKE_UPS:
            self._wake_worker()

    def _call_supervisor(self) -> None:
        self._tell_supervisor(SOMETHING_DUE)

    def _is_known(self, task: str) -> bool:
        """Whether a process of the application has handed over calls of a task, so that it is one."""
        return self._folder.has_task(task)

    def _why_to_retire(self, count: int) -> str | None:
        """Return why this worker is to be replaced, after so many jobs; None if it is not."""
        settings = self._settings
        if settings.max_jobs_per_worker and count >= settings.max_jobs_per_worker:
            return f"it has run {count} jobs"
        if settings.max_memory_per_worker:
            memory = resident_megabytes()
            if memory > settings.max_memory_per_worker:
                return f"it has {memory:.0f} MB of memory in use"
        return None

    def _finish_attempt(self, progress: ProgressWriter) -> None:
        """Let everybody see what the task has printed, called, and said of its progress."""
        send_unfinished_of_thread()
        self._client.flush()
        progress.flush()

    # Ending ---------------------------------------------------------------------------------

    def _obey(self) -> None:
        """Do what the supervisor says, and end when it has hung up."""
        while command := self._hear():
            if command == talk.CHECK_CODE:
                self._check_code()
            elif command == talk.FINISH:
                self._stop()
            elif command == talk.END:
                self._was_asked_to_end = True
        if not self._was_asked_to_end:
            self._may_exit.clear()
            self._start_thread(self._look_after_supervisor)
        self._end()

    def _look_after_supervisor(self) -> None:
        """Start the next supervisor, since this one is dead, if no web process does so in a moment."""
        try:
            orders = self._folder.orders
            Succession(self._folder, lambda: read_orders(orders)).see_to_successor()
        finally:
            self._may_exit.set()

    def _hear(self) -> bytes:
        """Return the next command; nothing if there will be none."""
        try:
            return self._line.recv(1)
        except OSError:  # it died without having heard what we had said
            return b""

    def _say(self, message: bytes) -> None:
        with suppress(OSError):  # it is gone, which `_obey` will hear
            self._line.send(message)

    def _end_soon(self, _number: int, _frame: FrameType | None) -> None:
        self._was_asked_to_end = True
        self._start_thread(self._end)

    def _end(self) -> None:
        """Let the present job finish if it does so in time; or else give it back."""
        if self._worker is None:
            self._exit()  # still importing the application, which cannot be interrupted
        self._stop()
        time.sleep(self._settings.shutdown_timeout)
        try:
            self._worker.give_back()
        except StoreError as error:  # the next supervisor will see that we are dead
            number = self._orders.number
            events.emit("worker.store_given_up", number=number, error=error)
        self._exit()

    def _exit(self) -> NoReturn:
        self._may_exit.wait()
        send_unfinished_soon()
        os._exit(0)

    def _stop(self) -> None:
        """Have the worker end when the present job has, or when it has loaded the application."""
        self._is_stopping = True
        self._stop_asked.set()
        if self._worker is not None:
            self._worker.stop()
            self._other_end.send(b"\0")

    def _exit_late(self) -> None:
        # The application may have left threads behind for which Python would wait for ever.
        time.sleep(self._settings.shutdown_timeout)
        self._exit()

    def _start_thread(self, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name="autocron-end", daemon=True).start()

    # Keeping up with the code ---------------------------------------------------------------

    def _check_code(self) -> bool:
        """Have this worker replaced, if a file has changed since it was imported; its job may end first."""
        if self._is_stopping:
            return True  # it is being replaced already
        changed = next(filter(self._has_changed, _imported_files()), None)
        if changed is None:
            return False
        events.emit("worker.outdated", number=self._orders.number, file=changed)
        self._await_registration()
        self._stop()
        self._say(talk.LEAVING)
        return True

    def _has_changed(self, file: str) -> bool:
        changed_at, begin = _changed_at(file), self._started_at - _CLOCK_STEP
        if file not in self._files:
            return changed_at > begin  # imported by a job since, and nobody knows when
        # What changed while it was imported may be known by its new time and have its old code.
        changed_while_loading = begin < changed_at < self._loaded_at + _CLOCK_STEP
        return changed_at != self._files[file] or changed_while_loading

    def _await_registration(self) -> None:
        """Have the schedules of the changed code registered before any is due again.

        Unless another worker has done so: its successor may have registered them by now.
        """
        if self._store is not None:
            try:
                self._store.await_registration(self._orders.generation)
            except StoreError as error:  # then the old ones are due until it has been done
                number = self._orders.number
                events.emit("worker.store_given_up", number=number, error=error)


def _imported_files() -> set[str]:
    files = map(_file_of, list(sys.modules.values()))
    return {file for file in files if isinstance(file, str)}


def _file_of(module: object) -> object:
    try:
        return getattr(module, "__file__", None)
    except Exception:  # a module that is imported when it is first used, which may fail
        return None


def _changed_at(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except (OSError, ValueError):
        return 0  # it is gone, lies in an archive, or is no path at all


def _integration_class(name: str) -> type[Integration]:
    module, _, attribute = name.partition(":")
    found: type[Integration] = getattr(importlib.import_module(module), attribute)
    return found


def be_worker(orders: Orders, line: int, board: Board) -> int:
    """Be a worker process, after the fork; return the exit status."""
    os.setsid()
    os.chdir(orders.code.folder)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    adopt(orders.descriptors["lock"])
    return WorkerProcess(orders, line, board).run()
