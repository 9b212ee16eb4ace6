"""Time limits: what workers run, in memory that they share with their supervisor.

A task may hold the interpreter for as long as it likes, in C code, and then no thread of its own process
could end it. So the supervisor looks after limits. A worker notes what it begins and until when that may
run, which costs next to nothing, and wakes the supervisor only if that would look too late. At the limit
the supervisor sends a signal, whose handler raises an exception in the task; if that does not help, it
kills the worker.
"""

from __future__ import annotations

import math
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from autocron.errors import JobInterrupt, JobStopped, TimeLimitExceeded
from autocron.model import ClaimedJob

# signal(7): ignored by whoever has no handler for it, so that one that comes late does no harm.
SIGNAL = signal.SIGURG

TIMEOUT, STOP = 1, 2
"""Why an attempt is interrupted."""

_HEAD = struct.Struct("=d")  # when the supervisor will look next
_RUNS = struct.Struct(
    "=qd40s"
)  # a worker's: its turn, 0 between two jobs; the time limit; the job's id
_TURN = struct.Struct("=q")
_WANTED = struct.Struct("=qq")  # the supervisor's: which turn is to be interrupted, and why
_SLOT = 64
_WANTED_AT = 40 + 16  # behind what the worker notes; a slot is two cache lines
_SLOT_SIZE = 128
_LONGEST_ID = 40
_ONCE_MORE = 0.2

# Short things that a task does when it hands over a call: taking a lock, and counting what is on its way.
_DELICATE = (
    "autocron.processes.locks",
    "autocron.running.progress",
    "autocron.stores.sqlite.forks",
    "autocron.writer",
)


@dataclass(frozen=True)
class Running:
    """What a worker is running."""

    turn: int
    """A number that it uses only once."""
    job: str
    until: float
    """When its time is over, by the clock of `time.monotonic`."""


class Board:
    """What workers run, as they and their supervisor see it: memory that forked processes share.

    Args:
        slots: for how many numbers of workers, from 1 on.
    """

    def __init__(self, slots: int) -> None:
        self._memory = mmap.mmap(-1, _SLOT + (slots + 1) * _SLOT_SIZE)
        self.expect_look(math.inf)

    def expect_look(self, moment: float) -> None:
        """Note when the supervisor will look next, by the clock of `time.monotonic`."""
        _HEAD.pack_into(self._memory, 0, moment)

    @property
    def next_look(self) -> float:
        """When the supervisor will look next."""
        moment: float = _HEAD.unpack_from(self._memory, 0)[0]
        return moment

    def clear(self, number: int) -> None:
        """Forget what an earlier worker of that number has left."""
        start = _at(number)
        self._memory[start : start + _SLOT_SIZE] = bytes(_SLOT_SIZE)

    def running(self, number: int) -> Running | None:
        """Return what a worker is running, or None."""
        turn, until, job = _RUNS.unpack_from(self._memory, _at(number))
        return Running(turn, job.rstrip(b"\0").decode(), until) if turn else None

    def note(self, number: int, turn: int, until: float, job: bytes) -> None:
        """Note what a worker is running."""
        _RUNS.pack_into(self._memory, _at(number), turn, until, job)

    def note_end(self, number: int) -> None:
        """Note that a worker is running nothing."""
        _TURN.pack_into(self._memory, _at(number), 0)

    def interrupt(self, number: int, turn: int, why: int) -> None:
        """Note that a turn is to be interrupted; the signal is up to the caller."""
        _WANTED.pack_into(self._memory, _at(number) + _WANTED_AT, turn, why)

    def wanted(self, number: int) -> tuple[int, int]:
        """Return which turn is to be interrupted, and why."""
        return _WANTED.unpack_from(self._memory, _at(number) + _WANTED_AT)


def _at(number: int) -> int:
    return _SLOT + number * _SLOT_SIZE


class Limits:
    """A worker's side: notes its attempts, and has them interrupted. For the main thread.

    Args:
        board: shared with the supervisor.
        number: the worker's.
        call_supervisor: has the supervisor look at once.
    """

    def __init__(self, board: Board, number: int, call_supervisor: Callable[[], object]) -> None:
        self._board = board
        self._number = number
        self._call_supervisor = call_supervisor
        self._turn = 0
        self._is_running = False
        self.interrupted: type[JobInterrupt] | None = None
        """What was raised in the latest attempt, if it was interrupted."""
        signal.signal(SIGNAL, self._obey)

    def begin(self, job: ClaimedJob) -> None:
        """Allow an attempt to be interrupted, at its time limit or when it is to be stopped."""
        timeout = job.policy.timeout
        until = math.inf if timeout is None else time.monotonic() + timeout
        self._turn += 1
        self.interrupted = None
        self._board.note(self._number, self._turn, until, job.id.encode()[:_LONGEST_ID])
        if until < self._board.next_look:
            self._call_supervisor()
        self._is_running = True

    def end(self) -> None:
        """Let nothing be interrupted any more; twice does no harm."""
        self._is_running = False
        self._board.note_end(self._number)

    def _obey(self, _number: int, frame: FrameType | None) -> None:
        turn, why = self._board.wanted(self._number)
        if not self._is_running or turn != self._turn or self.interrupted is not None:
            return
        if _is_delicate(frame):
            return  # the supervisor sends the signal again
        self.interrupted = TimeLimitExceeded if why == TIMEOUT else JobStopped
        loop = _running_loop()
        if loop is None:
            raise self.interrupted
        # In an event loop it would end in whatever task is just having its turn, or in the loop itself.
        loop.call_soon_threadsafe(_cancel_all, loop)


@dataclass(frozen=True)
class Interruption:
    """An attempt that is being interrupted, or whose worker was killed for it."""

    turn: int
    job: str
    why: int
    since: float


class Keeper:
    """The supervisor's side: interrupts what has run for too long, or is to be stopped.

    Args:
        board: shared with the workers.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._interrupted: dict[int, Interruption] = {}
        self.next_look = math.inf
        """When there will be something to do, by the clock of `time.monotonic`."""

    def forget(self, number: int) -> None:
        """Forget what an earlier worker of that number has left: its turns begin anew."""
        self._board.clear(number)
        self._interrupted.pop(number, None)

    def look(
        self, pids: Mapping[int, int], to_stop: Mapping[int, str], kill_after: float
    ) -> dict[int, Interruption]:
        """Interrupt what is to be, and kill the workers that did not heed it; return these.

        Args:
            pids: the process ids of workers that have not been reaped, by their numbers.
            to_stop: the ids of jobs that are to be stopped, by the numbers of their workers.
            kill_after: how many seconds an attempt has to end after it was interrupted.
        """
        self._board.expect_look(math.inf)  # whoever begins while we look calls
        now, killed, next_look = time.monotonic(), {}, math.inf
        for number, pid in pids.items():
            running = self._board.running(number)
            found = running and self._interruption(number, running, to_stop.get(number), now)
            if not found:
                self._interrupted.pop(number, None)
                next_look = min(next_look, running.until if running else math.inf)
            elif now >= found.since + kill_after:
                os.kill(pid, signal.SIGKILL)
                killed[number] = self._interrupted.pop(number)
            else:
                os.kill(pid, SIGNAL)
                # Once more, since a signal may come just before a system call that then blocks.
                next_look = min(next_look, now + _ONCE_MORE, found.since + kill_after)
        self.next_look = next_look
        self._board.expect_look(next_look)
        return killed

    def _interruption(
        self, number: int, running: Running, to_stop: str | None, now: float
    ) -> Interruption | None:
        known = self._interrupted.get(number)
        if known is not None and known.turn == running.turn:
            return known
        if now < running.until and running.job != to_stop:
            return None
        why = TIMEOUT if now >= running.until else STOP
        self._interrupted[number] = Interruption(running.turn, running.job, why, now)
        self._board.interrupt(number, running.turn, why)
        return self._interrupted[number]


def _is_delicate(frame: FrameType | None) -> bool:
    """Whether a frame, or one that has called it, is at something that must not be left half done."""
    while frame is not None:
        if frame.f_globals.get("__name__") in _DELICATE:
            return True
        frame = frame.f_back
    return False


def _running_loop() -> Any:
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()  # noqa: SLF001 - documented for libraries


def _cancel_all(loop: Any) -> None:
    import asyncio

    for task in asyncio.all_tasks(loop):
        task.cancel()
