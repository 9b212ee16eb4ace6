"""The worker processes of a supervisor: started, watched, replaced and ended."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from autocron import events
from autocron.clock import Clock
from autocron.errors import StoreError
from autocron.model import ClaimedJob, Outcome, WorkerInfo
from autocron.processes.folder import RuntimeFolder
from autocron.processes.holders import holders
from autocron.processes.limits import STOP, Board, Interruption, Keeper
from autocron.processes.line import (
    CHECK_CODE,
    END,
    LEAVING,
    LOAD_ERROR,
    LOAD_FAILED,
    READY,
    Member,
)
from autocron.processes.locks import Lock, when_free
from autocron.processes.spawn import VERSION, Orders, settings_from
from autocron.processes.wakeup import wake_listeners
from autocron.running import maintenance, verdict
from autocron.settings import MAX_WORKERS
from autocron.stores.protocol import Store

FREED = b"freed "
"""What a thread of the supervisor says to it: a lock is free, that of the worker whose number follows."""

HIGHEST_NUMBER = 4 * MAX_WORKERS  # while old ones finish, new ones have other numbers
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 30.0
_KILL_AFTER = 1.0

# After a loss of power, or when everything was killed, which is no fault of the jobs that ran.
_ORPHANED = "the worker ended together with its supervisor"
_LATE = "the application ended while it was running, and it did not end in time"


class BecomeWorker(BaseException):
    """Raised in a forked child: all of the supervisor's work is left behind, and it is a worker.

    Like `SystemExit` it is no error, and passes everything that handles errors.
    """

    def __init__(self, orders: Orders, line: int, board: Board) -> None:
        super().__init__()
        self.orders = orders
        self.line = line
        self.board = board


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
        tell_supervisor: Callable[[bytes], object],
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._store = store
        self._orders = orders
        self._settings = settings_from(orders)
        self._workers_socket = workers_socket
        self._tell_supervisor = tell_supervisor
        self._clock = clock
        self._members: dict[int, Member] = {}
        self._strangers: dict[int, float] = {}
        """Workers of earlier supervisors, and until when they may end by themselves."""
        self._board = Board(HIGHEST_NUMBER)
        self._keeper = Keeper(self._board)
        self._pause = _FIRST_PAUSE
        self._load_error = 0
        self._start_again_at = 0.0

    @property
    def is_gone(self) -> bool:
        """Whether no worker is left."""
        return not self._members and not self._strangers

    def adopt(self, orders: Orders) -> bool:
        """Have workers run what the newest web process runs, with its settings.

        Workers that have something else finish the job that they are running, and are replaced. Those
        that have the same are left alone, but look whether a file of theirs has changed.

        Returns:
            Whether any are left that go on.
        """
        self.configure(orders)
        for member in self._active:
            member.send(CHECK_CODE)
        return bool(self._active)

    def configure(self, orders: Orders) -> None:
        """Use other settings from now on; workers that have other ones are replaced."""
        if not orders.asks_for_same(self._orders):
            self.replace_all()
        self._orders = orders
        self._settings = settings_from(orders)
        self._pause = _FIRST_PAUSE
        self._start_again_at = 0.0  # what kept workers from starting may be mended

    def replace_all(self) -> None:
        """Have other workers take the place of the present ones, each of which ends after its job."""
        for member in self._members.values():
            member.finish()

    @property
    def _active(self) -> list[Member]:
        return [member for member in self._members.values() if member.is_active]

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when a worker has said something."""
        return [member.line.fileno() for member in self._members.values() if member.line]

    def listen(self) -> None:
        """Hear what workers say: that they have imported the app, or take no more jobs."""
        for member in self._members.values():
            said = member.receive()
            if READY in said:
                self._pause = _FIRST_PAUSE  # a later crash is a new one
            if found := LOAD_ERROR.search(said):
                self._load_error = int(found[1])  # those that come after it need not tell it again
            if LEAVING in said:
                member.is_finishing = True  # `keep` starts another, however long it takes to end

    def keep(self, wanted: int) -> None:
        """Have as many workers as wanted, not counting those that are ending.

        Those that are too many finish the job that they are running; idle ones go first.
        """
        idle_last = sorted(self._active, key=lambda each: self._board.running(each.number) is None)
        for member in idle_last[wanted:]:
            member.finish()
        if time.monotonic() < self._start_again_at:
            return
        active = len(self._active)
        for number in range(1, HIGHEST_NUMBER + 1):
            if active >= wanted:
                return
            if number not in self._members:
                active += self._start(number)

    def _start(self, number: int) -> bool:
        lock = Lock(self._folder.worker_lock(number))
        if not lock.acquire(wait=False):
            return False  # a worker of an earlier supervisor, which is about to end
        try:
            # Whoever had this number before is dead: its lock is ours.
            self._reclaim(number, _was_orphaned)
            self._keeper.forget(number)
            member = self._fork(number, lock)
        except Exception:  # whatever it is, the lock must not stay ours
            lock.release()
            raise
        self._members[number] = member
        self._store.add_worker(WorkerInfo(number, member.pid, self._clock(), VERSION))
        events.emit("worker.started", number=number, pid=member.pid)
        return True

    def _fork(self, number: int, lock: Lock) -> Member:
        """Fork a worker. It has all imports of this small process, in memory that they share.

        Raises:
            BecomeWorker: in the child.
        """
        generation = self._store.generation()
        self._store.close()  # SQLite's connections must not cross a fork
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        held = lock.detach()
        gc.freeze()  # the collector writes to what it looks at, and what is written to is not shared
        try:
            pid = os.fork()
        except OSError:
            os.close(held)
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            for member in self._members.values():
                member.hang_up()  # or the end of the supervisor would not end them
            ours.close()
            descriptors = {"lock": held, "workers": os.dup(self._workers_socket)}
            orders = replace(
                self._orders,
                number=number,
                generation=generation,
                load_error=self._load_error,
                descriptors=descriptors,
            )
            raise BecomeWorker(orders, theirs.detach(), self._board)
        os.close(held)
        theirs.close()
        return Member(number, pid, ours)

    def recover(self) -> None:
        """Put back the jobs of workers that earlier supervisors left behind, dead or ending."""
        for number in range(1, HIGHEST_NUMBER + 1):
            if self._folder.worker_lock(number).exists() and number not in self._members:
                self._recover(number)

    def _recover(self, number: int) -> None:
        lock = Lock(self._folder.worker_lock(number))
        if lock.acquire(wait=False):
            try:
                self._reclaim(number, _was_orphaned)
                self._store.remove_worker(number)
            finally:
                lock.release()
        else:
            freed = FREED + str(number).encode()
            path = self._folder.worker_lock(number)
            self._strangers[number] = (
                time.monotonic() + self._settings.shutdown_timeout + _KILL_AFTER
            )
            when_free(path, lambda: self._tell_supervisor(freed), name=f"freed-{number}")

    def was_freed(self, number: int) -> None:
        """Put back the jobs of a worker of an earlier supervisor, which has ended now."""
        if number not in self._members:
            self._recover(number)

    def forget_stranger(self, number: int) -> None:
        """Note that a worker of an earlier supervisor has ended."""
        self._strangers.pop(number, None)

    def reap(self) -> int:
        """Put back what workers were running that have ended; return how many have.

        What cannot be stored now is tried again at the next call, as long as there will be one.
        """
        for member in self._members.values():
            if member.status is None:
                pid, status = os.waitpid(member.pid, os.WNOHANG)
                member.status = os.waitstatus_to_exitcode(status) if pid else None
        ended = [member for member in self._members.values() if member.status is not None]
        for member in ended:
            try:
                was_running = self._put_back(member)
            except StoreError:
                if member.ending_since is None:
                    raise
                was_running = 0  # the next supervisor will see that its lock is free
            del self._members[member.number]
            member.hang_up()
            self._tell_end(member, was_running)
        return len(ended)

    def _put_back(self, member: Member) -> int:
        """Let go on what a worker was running that has ended; return how many jobs that were."""
        was_running = self._reclaim(member.number, lambda job: self._judge(member, job))
        self._store.remove_worker(member.number)
        return was_running

    def _judge(self, member: Member, job: ClaimedJob) -> Outcome:
        """Return what becomes of a job whose worker has ended in the midst of it."""
        match member.killed_for:
            case Interruption(job=job_id, why=why) if job_id == job.id:
                if why == STOP:
                    return verdict.stopped(was_killed=True)
                exceeded = verdict.limit_reached(job, was_killed=True)
                return verdict.after_attempt(job, exceeded, self._clock())
            case Interruption():  # it had just ended the one, and begun this
                return verdict.after_interruption(job, "its worker was killed for another job")
        if member.killed:
            return verdict.after_interruption(job, _LATE)
        reason = f"the worker {_in_words(member.status)}"
        if member.status == 0 and not member.is_active:
            return verdict.after_loss(job, reason)
        return verdict.after_crash(job, reason, self._settings.crash_limit)

    def _tell_end(self, member: Member, was_running: int) -> None:
        """Log how a worker has ended, and wait before the next one starts if it should not have."""
        number, pid = member.number, member.pid
        if member.killed:
            events.emit("worker.killed", number=number, pid=pid)
        elif member.killed_for is not None:
            events.emit("worker.killed_for_job", number=number, pid=pid, id=member.killed_for.job)
        elif member.status == LOAD_FAILED and not was_running:
            pause = self._wait_before_next_start()
            events.emit("worker.not_loaded", number=number, pid=pid, pause=pause)
        elif member.status != 0 or (was_running and member.is_active):
            reason, pause = _in_words(member.status), self._wait_before_next_start()
            events.emit("worker.crashed", number=number, pid=pid, reason=reason, pause=pause)
        else:
            events.emit("worker.ended", number=number, pid=pid)

    def _wait_before_next_start(self) -> float:
        """Return for how long, in seconds; each time for longer, until a worker has got ready."""
        pause = self._pause
        self._start_again_at = time.monotonic() + pause
        self._pause = min(pause * 2, _LONGEST_PAUSE)
        return pause

    def _reclaim(self, number: int, judge: Callable[[ClaimedJob], Outcome]) -> int:
        def notify() -> None:
            wake_listeners(self._folder.listeners)

        return maintenance.reclaim(self._store, number, judge, self._clock(), notify)

    def keep_limits(self, to_stop: Mapping[int, str]) -> None:
        """Interrupt jobs that have run for too long or are to be stopped, and kill who does not heed it.

        Args:
            to_stop: the ids of jobs that are to be stopped, by the numbers of their workers.
        """
        alive = [member for member in self._members.values() if member.status is None]
        pids = {member.number: member.pid for member in alive if not member.killed_for}
        kill_after = self._settings.kill_after
        for number, interruption in self._keeper.look(pids, to_stop, kill_after).items():
            self._members[number].killed_for = interruption

    def seconds_to_next_limit(self) -> float:
        """Return after how many seconds `keep_limits` will have something to do."""
        return max(0.0, self._keeper.next_look - time.monotonic())

    def end(self) -> None:
        """Ask all workers to end. Without being asked, the end of the line tells them that we are dead."""
        for member in self._members.values():
            if member.ending_since is None:
                member.send(END)
                member.hang_up()
                member.ending_since = time.monotonic()

    def kill_late(self) -> None:
        """Kill workers that were to end by themselves long ago."""
        for member in self._members.values():
            if not member.killed and time.monotonic() >= self._deadline(member):
                os.kill(member.pid, signal.SIGKILL)  # not reaped yet, so the id is still its own
                member.killed = True
        for number, deadline in list(self._strangers.items()):
            if time.monotonic() >= deadline:
                self._kill_stranger(number)
                del self._strangers[number]

    def _kill_stranger(self, number: int) -> None:
        """Kill a worker whose supervisor is gone, and that cannot end: its job holds the interpreter."""
        for pid in holders(self._folder.worker_lock(number)):
            events.emit("worker.killed", number=number, pid=pid)
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)

    def _deadline(self, member: Member) -> float:
        if member.ending_since is None or member.status is not None:
            return float("inf")
        return member.ending_since + self._settings.shutdown_timeout + _KILL_AFTER

    def seconds_to_next_act(self) -> float:
        """Return after how many seconds `keep` or `kill_late` will have something to do."""
        times = [self._deadline(member) for member in self._members.values() if not member.killed]
        times += self._strangers.values()
        if self._start_again_at > time.monotonic():
            times.append(self._start_again_at)
        return max(0.0, min(times, default=float("inf")) - time.monotonic())


def _was_orphaned(job: ClaimedJob) -> Outcome:
    return verdict.after_loss(job, _ORPHANED)


def _in_words(status: int | None) -> str:
    assert status is not None
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
