"""Notices that the clock was set, or that the machine has slept.

Waiting is done by a clock that runs evenly and stands still while the machine sleeps. So it takes a message
of the kernel to look at the time on the wall anew: timerfd_create(2) gives it (`TFD_TIMER_CANCEL_ON_SET`).
Where there is none, it is noticed at the next wake-up.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from autocron.clock import CLOCK_TOLERANCE, Clock
from autocron.model import ClockSet

# <sys/timerfd.h>; Python has them from 3.13 on.
_TFD_TIMER_ABSTIME = 1
_TFD_TIMER_CANCEL_ON_SET = 2


def _steady() -> float:
    """Return the time of a clock that nobody sets, and that goes on while the machine sleeps."""
    # clock_gettime(2): on Linux CLOCK_MONOTONIC stands still meanwhile, elsewhere it does not.
    clock = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
    return time.clock_gettime(clock)


class ClockWatch:
    """Compares the clock that can be set with one that cannot.

    Args:
        clock: gives the time, as it is on the wall.
        steady: gives the seconds since some moment.
    """

    def __init__(self, clock: Clock, steady: Callable[[], float] = _steady) -> None:
        self._clock = clock
        self._steady = steady
        self._seen = self._read()
        self._timer = _open_timer()
        self.descriptors = [] if self._timer is None else [self._timer]
        """What becomes readable when the clock was set, or the machine has slept."""

    def _read(self) -> tuple[float, float]:
        steady = self._steady()  # first: if something comes between, no time has passed since
        return self._clock(), steady

    def time(self) -> float:
        """Return the time, as if the clock had not been set ahead since the last look.

        So nothing comes too early because the clock is being set just now, which is not yet known.
        """
        wall, steady = self._seen
        return min(self._clock(), wall + self._steady() - steady)

    def look(self) -> ClockSet | None:
        """Return how the clock was set since this was last called; None if it was not."""
        if self._timer is not None:
            with suppress(OSError):  # ECANCELED: it is what we want to know, and known now
                os.read(self._timer, 8)
        (wall_before, steady_before), self._seen = self._seen, self._read()
        wall, steady = self._seen
        seconds = (wall - wall_before) - (steady - steady_before)
        if abs(seconds) <= CLOCK_TOLERANCE:
            return None
        return ClockSet(seconds, since=wall_before + seconds)

    def close(self) -> None:
        """Close the timer."""
        if self._timer is not None:
            os.close(self._timer)
        self._timer, self.descriptors = None, []


def _open_timer() -> int | None:
    """Return a timer that does nothing but be cancelled when the clock is set; None if there is none."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # some builds of Python lack it

        libc = ctypes.CDLL(None)
        create, settime = libc.timerfd_create, libc.timerfd_settime
    except (ImportError, AttributeError, OSError):
        return None
    timer: int = create(time.CLOCK_REALTIME, os.O_CLOEXEC | os.O_NONBLOCK)
    if timer < 0:
        return None
    # An itimerspec: no interval, and the first expiry in as many seconds as there can be.
    never = (ctypes.c_long * 4)(0, 0, sys.maxsize, 0)
    if settime(timer, _TFD_TIMER_ABSTIME | _TFD_TIMER_CANCEL_ON_SET, never, None) < 0:
        os.close(timer)
        return None
    return timer
