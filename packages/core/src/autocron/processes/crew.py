"""The worker processes of a supervisor: started, watched, replaced and ended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from autocron import events
from autocron.clock import Clock
from autocron.model import WorkerInfo
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock, when_free
from autocron.processes.spawn import Orders, spawn
from autocron.processes.wakeup import wake_listeners
from autocron.running import maintenance
from autocron.settings import MAX_WORKERS
from autocron.stores.protocol import Store

CHECK_CODE = b"c"
READY = b"ready"
FREED = b"freed "

_HIGHEST_NUMBER = 4 * MAX_WORKERS  # while old ones finish, new ones have other numbers
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_KILL_AFTER = 1.0


@dataclass
class _Member:
    number: int
    process: subprocess.Popen[bytes]
    ending_since: float | None = None
    killed: bool = False

    def send(self, command: bytes) -> None:
        if self.process.stdin is not None and not self.process.stdin.closed:
            try:
                self.process.stdin.write(command)
            except BrokenPipeError:
                pass  # it has ended, which `reap` will see


class Crew:
    """Keeps as many workers as are wanted, each with a number and the lock of that number.

    Args:
        folder: the run-time files.
        store: where the jobs are.
        orders: what workers are told, without their number.
        workers_socket: the descriptor of the socket on which idle workers wait.
        tell_supervisor: sends the supervisor a message, from any thread.
        clock: gives the time.
    """

    def __init__(
        self,
        folder: RuntimeFolder,
        store: Store,
        orders: Orders,
        workers_socket: int,
        tell_supervisor: Callable[[bytes], None],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._store = store
        self._orders = orders
        self._workers_socket = workers_socket
        self._tell_supervisor = tell_supervisor
        self._clock = clock
        self._members: dict[int, _Member] = {}
        self._pause = _FIRST_PAUSE
        self._start_again_at = 0.0
        self._timeout: float = orders.settings["shutdown_timeout"]

    @property
    def is_gone(self) -> bool:
        """Whether no worker is left."""
        return not self._members

    def adopt_code(self, orders: Orders) -> None:
        """Have workers run what the newest web process runs: ask them whether theirs is the same."""
        if orders.code != self._orders.code:
            self._orders = replace(self._orders, code=orders.code)
            self.end()
        for member in self._members.values():
            member.send(CHECK_CODE)

    def was_ready(self) -> None:
        """Note that a worker has imported the app, so that a later crash is a new one."""
        self._pause = _FIRST_PAUSE

    def fill(self) -> None:
        """Start workers until there are as many as wanted, not counting those that are ending."""
        if time.monotonic() < self._start_again_at:
            return
        active = sum(member.ending_since is None for member in self._members.values())
        for number in range(1, _HIGHEST_NUMBER + 1):
            if active >= self._orders.settings["workers"]:
                return
            if number not in self._members:
                active += self._start(number)

    def _start(self, number: int) -> bool:
        lock = Lock(self._folder.worker_lock(number))
        if not lock.acquire(wait=False):
            return False  # a worker of an earlier supervisor, which is about to end
        try:
            # Whoever had this number before is dead: its lock is ours.
            self._reclaim(number, "ended without its supervisor")
            descriptors = {"lock": lock.descriptor, "workers": self._workers_socket}
            orders = replace(self._orders, number=number, descriptors=descriptors)
            process = spawn("worker", orders, descriptors.values())
        finally:
            lock.release()
        self._members[number] = _Member(number, process)
        self._store.add_worker(WorkerInfo(number, process.pid, self._clock()))
        events.emit("worker.started", number=number, pid=process.pid)
        return True

    def recover(self) -> None:
        """Put back the jobs of workers that earlier supervisors left behind, dead or ending."""
        for number in range(1, _HIGHEST_NUMBER + 1):
            if self._folder.worker_lock(number).exists() and number not in self._members:
                self._recover(number)

    def _recover(self, number: int) -> None:
        lock = Lock(self._folder.worker_lock(number))
        if lock.acquire(wait=False):
            self._reclaim(number, "ended without its supervisor")
            self._store.remove_worker(number)
            lock.release()
        else:
            freed = FREED + str(number).encode()
            path = self._folder.worker_lock(number)
            when_free(path, lambda: self._tell_supervisor(freed), name=f"freed-{number}")

    def was_freed(self, number: int) -> None:
        """Put back the jobs of a worker of an earlier supervisor, which has ended now."""
        if number not in self._members:
            self._recover(number)

    def reap(self) -> None:
        """See which workers have ended, and put back what they were running."""
        for member in list(self._members.values()):
            if member.process.poll() is not None:
                self._has_ended(member)

    def _has_ended(self, member: _Member) -> None:
        del self._members[member.number]
        pid, status = member.process.pid, member.process.returncode
        if member.process.stdin is not None:
            member.process.stdin.close()
        if member.killed:
            self._store.release_all(member.number)
            events.emit("worker.killed", number=member.number, pid=pid)
        elif status == 0:
            events.emit("worker.ended", number=member.number, pid=pid)
        else:
            self._has_crashed(member, status)
        self._store.remove_worker(member.number)

    def _has_crashed(self, member: _Member, status: int) -> None:
        reason = _in_words(status)
        self._start_again_at = time.monotonic() + self._pause
        events.emit(
            "worker.crashed",
            number=member.number, pid=member.process.pid, reason=reason, pause=self._pause,
        )  # fmt: skip
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        self._reclaim(member.number, reason)

    def _reclaim(self, number: int, reason: str) -> None:
        now = self._clock()
        maintenance.reclaim(
            self._store, number, reason, now, lambda: wake_listeners(self._folder.listeners)
        )

    def end(self) -> None:
        """Ask all workers to end: the end of their pipe tells them."""
        for member in self._members.values():
            if member.ending_since is None and member.process.stdin is not None:
                member.process.stdin.close()
                member.ending_since = time.monotonic()

    def kill_late(self) -> None:
        """Kill workers that were to end by themselves long ago."""
        for member in self._members.values():
            if not member.killed and time.monotonic() >= self._deadline(member):
                member.process.send_signal(signal.SIGKILL)
                member.killed = True

    def _deadline(self, member: _Member) -> float:
        if member.ending_since is None:
            return float("inf")
        return member.ending_since + self._timeout + _KILL_AFTER

    def seconds_to_next_act(self) -> float:
        """Return after how many seconds `fill` or `kill_late` will have something to do."""
        times = [self._deadline(member) for member in self._members.values() if not member.killed]
        if self._start_again_at > time.monotonic():
            times.append(self._start_again_at)
        return max(0.0, min(times, default=float("inf")) - time.monotonic())


def _in_words(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"

