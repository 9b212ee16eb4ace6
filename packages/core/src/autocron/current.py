"""The job that is being run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class CurrentJob:
    """What a task may know of the job by which it is run."""

    id: str
    """With which `autocron.result(id)` finds it."""
    task: str
    """The task's name: its module and function."""
    attempt: int
    """Which try at the job this is, counted from 1."""
    due: datetime | None = None
    """The time for which a schedule has the job run, in the schedule's time zone; None without a schedule.

    It may be long ago, when the job makes up for a time at which nothing ran.
    """


_current: ContextVar[Callable[[], CurrentJob] | None] = ContextVar("autocron_job", default=None)


def current_job() -> CurrentJob | None:
    """Return the job that is being run here; None outside of jobs.

    Threads that a task starts do not see it, unless they are run in a copy of its context.

    Example:
        ```python
        @autocron.cron("0 2 * * *")
        def write_invoices():
            job = autocron.current_job()
            day = job.due.date() if job and job.due else date.today()  # also if it runs late
        ```
    """
    look = _current.get()
    return None if look is None else look()


def enter(look: Callable[[], CurrentJob]) -> Token[Any]:
    """Have `current_job()` return what `look()` returns, until `leave` is given the token."""
    return _current.set(look)


def leave(token: Token[Any]) -> None:
    """Have `current_job()` return what it did before."""
    _current.reset(token)
