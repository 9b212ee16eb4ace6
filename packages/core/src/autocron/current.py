"""The job that is being run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
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
    _is_cancel_requested: Callable[[], bool] = field(default=bool, repr=False, compare=False)

    @property
    def cancel_requested(self) -> bool:
        """Whether the job was asked to stop; read from the database, which takes some microseconds.

        A task that is asked may tidy up, and raise `autocron.Cancel`. If it goes on, nothing happens to
        it, but it is not tried again.

        Example:
            ```python
            @autocron.delay
            def convert(paths):
                for path in paths:
                    if autocron.current_job().cancel_requested:
                        raise autocron.Cancel
                    convert_file(path)
            ```
        """
        return self._is_cancel_requested()


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
