"""The decorators of autotask, for sites that come from there: import them from here, and all else stays.

New code has more with `autocron.delay`, `autocron.every` and `autocron.cron`, or with Django's own Tasks framework.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import autocron
from autocron.errors import UnknownJob
from autocron.model import JobStatus, Options
from autocron.options import make_options
from autocron.results import Result
from autocron.scheduling.autotask import cron_from_autotask
from autocron.tasks import Task, make_task

__all__ = [
    "DONE",
    "ERROR",
    "RUNNING",
    "WAITING",
    "DelayedTask",
    "cron_task",
    "delayed_task",
    "periodic_task",
]

WAITING = JobStatus.WAITING
RUNNING = JobStatus.RUNNING
DONE = JobStatus.DONE
ERROR = JobStatus.ERROR

_RETRY_DELAY = 2


def delayed_task(
    function: Callable[..., Any] | None = None,
    *,
    delay: float = 0,
    retries: int = 0,
    ttl: float = 300,
) -> Any:
    """Have a worker process run a function, each time that it is called.

    A call returns at once: a handle with `ready`, `status`, `result` and `error_message`.

    Args:
        function: a function of a module.
        delay: how many seconds to wait at least before it is run.
        retries: how often it is tried again, every two seconds, if it raises.
        ttl: for how many seconds the result is kept.

    Raises:
        InvalidOption: an argument is not possible; it is named.
        InvalidTask: a worker could not find the function again.

    Example:
        ```python
        @delayed_task(retries=3)
        def send_mail(receivers, message): ...
        ```
    """
    given = {"seconds": delay, "retries": retries, "ttl": ttl, "backoff": _RETRY_DELAY}
    options = make_options(Options(), given)
    if function is not None:
        return make_task(function, options, _DelayedTask)
    return lambda function: make_task(function, options, _DelayedTask)


def periodic_task(seconds: float = 3600, start_now: bool = False) -> Any:  # noqa: FBT001, FBT002 - autotask has it so
    """Have a worker process run a function in intervals; its module has to be imported by the site.

    Args:
        seconds: the interval, a whole number of seconds.
        start_now: whether it is run when it is first known, or an interval later.

    Raises:
        InvalidSchedule: the interval is not possible.
        InvalidTask: the function takes arguments, or a worker could not find it again.

    Example:
        ```python
        @periodic_task(seconds=600)
        def clean_up(): ...
        ```
    """
    return autocron.every(seconds=seconds, start_now=start_now)


def cron_task(
    minutes: Iterable[int] | None = None,
    hours: Iterable[int] | None = None,
    dow: Iterable[int] | None = None,
    months: Iterable[int] | None = None,
    dom: Iterable[int] | None = None,
    crontab: str | None = None,
) -> Any:
    """Have a worker process run a function at certain minutes; its module has to be imported by the site.

    Args:
        minutes: a list of minutes, 0 to 59; every one if not given, as with all of these.
        hours: a list of hours, 0 to 23.
        dow: a list of weekdays, 0 (Monday) to 6 (Sunday).
        months: a list of months, 1 to 12.
        dom: a list of days of the month, 1 to 31. If both these and weekdays are given, a day is meant by either.
        crontab: all of that as a string, in the order *minutes hours dow months dom*; the others are ignored then.

    Raises:
        InvalidSchedule: names the field, its value and the range that is allowed.
        InvalidTask: the function takes arguments, or a worker could not find it again.

    Example:
        ```python
        @cron_task(crontab="30 7 0 * *")  # on Mondays
        def send_newsletter(): ...
        ```
    """
    if crontab is not None:
        return autocron.cron(cron_from_autotask(crontab).expression)
    return autocron.cron(minutes=minutes, hours=hours, days_of_week=dow, months=months, days=dom)


class DelayedTask:
    """The handle on a call. Of a job whose time to live is over, nothing is known any more."""

    def __init__(self, result: Result[Any]) -> None:
        self._result = result

    @property
    def id(self) -> str:
        """With which `autocron.result(id)` finds the job."""
        return self._result.id

    @property
    def ready(self) -> bool | None:
        """Whether it has been run; None if that is not known any more."""
        status = self.status
        return None if status is None else status in (DONE, ERROR)

    @property
    def status(self) -> JobStatus | None:
        """One of `WAITING`, `RUNNING`, `DONE` and `ERROR`; None if that is not known any more."""
        status: JobStatus | None = self._look("status", None)
        return ERROR if status is JobStatus.CANCELLED else status

    @property
    def result(self) -> Any:
        """What the function returned; None as long as there is nothing."""
        return self._look("result", None)

    @property
    def error_message(self) -> str:
        """What was raised, as a string; an empty one if nothing was."""
        return self._look("error", "") or ""

    def _look(self, name: str, otherwise: Any) -> Any:
        try:
            return getattr(self._result, name)
        except UnknownJob:
            return otherwise


class _DelayedTask(Task[..., Any]):
    """A task whose calls return such handles."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return DelayedTask(super().__call__(*args, **kwargs))
