"""Time as an argument: everything that needs the time is given it, so that tests can choose it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]
"""Gives the time as seconds since 1970-01-01 UTC."""

system_clock: Clock = time.time

HUNDRED_YEARS = 100 * 366 * 24 * 3600
"""In seconds: nothing that is given as a length of time may be longer."""

CLOCK_TOLERANCE = 1.0
"""By how many seconds a clock may be set without anybody minding."""
