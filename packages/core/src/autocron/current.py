"""The job that is being run."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autocron.clock import system_clock
from autocron.errors import InvalidOption
from autocron.model import Progress

_LARGEST = 1e15
_LONGEST_TEXT = 200


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
    _report: Callable[[Progress], object] = field(default=bool, repr=False, compare=False)

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


def progress(done: float, total: float | None = None, text: str = "") -> None:
    """Tell how far the job that is being run here has come, as often as you like.

    It is shown by `Result.progress` and the admin tool. A thread writes the latest value to the
    database, at most four times a second. Outside of jobs it does nothing, so that a task's function can
    be called like any other.

    Args:
        done: how much is done, 0 or more, in whatever is counted.
        total: how much there is to do; None if that is not known.
        text: what is being done, at most 200 characters.

    Raises:
        InvalidOption: an argument is not possible.

    Example:
        ```python
        @autocron.delay
        def send_newsletter(addresses):
            for number, address in enumerate(addresses):
                autocron.progress(number, len(addresses), address)
                send_mail(address)
        ```
    """
    _check_number("done", done)
    if total is not None:
        _check_number("total", total)
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        reason = f"must be a string of at most {_LONGEST_TEXT} characters"
        raise InvalidOption(option="text", value=text, reason=reason)
    job = current_job()
    if job is not None:
        text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates cannot be stored
        job._report(Progress(done, total, text, system_clock()))  # noqa: SLF001 - only this module is to call it


def _check_number(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= _LARGEST):  # type: ignore[operator]
        raise InvalidOption(
            option=name, value=value, reason=f"must be a number from 0 to {_LARGEST:g}"
        )


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
