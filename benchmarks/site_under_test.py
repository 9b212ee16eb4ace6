"""The application whose workers are measured: it imports nothing but autocron."""

import time
from typing import Any

import autocron


@autocron.delay
def nothing() -> None:
    """Does nothing, which is what it costs to run a job."""


@autocron.delay
def now() -> int:
    """Tells when its first line ran, on the clock that all processes share."""
    return time.monotonic_ns()


@autocron.delay
def write(to: str, text: str) -> None:
    """Takes arguments as a call in an application does."""


def start(database: object, **settings: Any) -> None:
    """Start autocron from here, so that workers import this module and none of the benchmarks'."""
    autocron.start(database, **settings)  # type: ignore[arg-type]
