"""The three decorators: `delay`, `cron` and `every`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from autocron import registry
from autocron.errors import InvalidSchedule, InvalidTask, nearest
from autocron.model import Options, Schedule
from autocron.options import make_options
from autocron.scheduling import Rule
from autocron.scheduling.cron import cron_from_lists, parse_cron
from autocron.scheduling.every import every_from
from autocron.tasks import Task, make_task

P = ParamSpec("P")
R = TypeVar("R")


class TaskDecorator(Protocol):
    """Makes a task of a function with any parameters."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class ScheduleDecorator(Protocol):
    """Makes a task of a function without parameters, and has it run on a schedule."""

    @overload
    def __call__(self, function: Task[[], R], /) -> Task[[], R]: ...

    @overload
    def __call__(self, function: Callable[[], Coroutine[Any, Any, R]], /) -> Task[[], R]: ...

    @overload
    def __call__(self, function: Callable[[], R], /) -> Task[[], R]: ...


@overload
def delay(function: Callable[P, Coroutine[Any, Any, R]], /) -> Task[P, R]: ...


@overload
def delay(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def delay(
    *,
    weeks: float | None = None,
    days: float | None = None,
    hours: float | None = None,
    minutes: float | None = None,
    seconds: float | None = None,
    schedule: datetime | None = None,
    retries: int | None = None,
    ttl: float | None = None,
    queue: str | None = None,
    priority: int | None = None,
) -> TaskDecorator: ...


def delay(function: Callable[..., Any] | None = None, /, **given: Any) -> Any:
    """Make a function a task: calling it returns at once, and a worker process runs it.

    Args:
        function: a function of a module, `def` or `async def`; its arguments and what it returns
            must be values that can be stored.
        weeks: with `days`, `hours`, `minutes` and `seconds`, the time between a call and its
            job; 0 to 100 years in all.
        days: see `weeks`.
        hours: see `weeks`.
        minutes: see `weeks`.
        seconds: see `weeks`.
        schedule: instead of those, the time of the job; a naive datetime is local time, and one
            in the past means at once.
        retries: how many more attempts a failed job gets, 0 to 1,000,000; 0 if not given.
        ttl: for how many seconds the outcome is kept; the setting `ttl` if not given.
        queue: the name of the job's queue; `"default"` if not given.
        priority: jobs with a higher one run first, -1,000,000 to 1,000,000; 0 if not given.

    Returns:
        The `Task`.

    Raises:
        InvalidTask: a worker could not find the function again, or its name is taken.
        InvalidOption: an option is not possible; it is named.

    Example:
        ```python
        @autocron.delay
        def send_mail(to, text): ...

        @autocron.delay(minutes=5, retries=3)
        def remind(user_id): ...
        ```
    """
    if function is not None:
        return make_task(function, Options())
    _check_names("delay", given, _OPTION_NAMES)
    options = make_options(Options(), given)
    return lambda function: make_task(function, options)


_OPTION_NAMES = {
    *("weeks", "days", "hours", "minutes", "seconds"),
    *("schedule", "retries", "ttl", "queue", "priority"),
}


_LIST_NAMES = {"minutes", "hours", "days", "months", "days_of_week"}


def _check_names(function: str, given: Iterable[str], known: set[str]) -> None:
    for name in sorted(set(given) - known):
        meant = nearest(name, known)
        hint = f" (did you mean {meant}?)" if meant else f" (known are {', '.join(sorted(known))})"
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


@overload
def cron(function: Task[[], R], /) -> Task[[], R]: ...


@overload
def cron(function: Callable[[], Coroutine[Any, Any, R]], /) -> Task[[], R]: ...


@overload
def cron(function: Callable[[], R], /) -> Task[[], R]: ...


@overload
def cron(
    expression: str | None = None,
    /,
    *,
    minutes: Iterable[int] | None = None,
    hours: Iterable[int] | None = None,
    days: Iterable[int] | None = None,
    months: Iterable[int | str] | None = None,
    days_of_week: Iterable[int | str] | None = None,
) -> ScheduleDecorator: ...


def cron(expression: Any = None, /, **lists: Any) -> Any:
    """Have a function run by a worker process at the minutes of a crontab expression.

    Args:
        expression: `minute hour day-of-month month day-of-week` as in crontab(5), or a nickname
            such as `@daily`. Without it, and without lists, every minute.
        minutes: instead of an expression, a list of minutes, 0 to 59.
        hours: a list of hours, 0 to 23.
        days: a list of days of the month, 1 to 31.
        months: a list of months, 1 to 12 or names such as `"jan"`.
        days_of_week: a list of weekdays, 0 (Monday) to 6 (Sunday) or names such as `"mon"`.

    Returns:
        The `Task`. The application need not call it; its module has to be imported by the app.

    Raises:
        InvalidSchedule: names the field, its value and the range that is allowed.
        InvalidTask: the function takes arguments, or cannot be a task.

    Example:
        ```python
        @autocron.cron("30 7 * * mon-fri")
        def report(): ...
        ```
    """
    _check_names("cron", lists, _LIST_NAMES)
    if callable(expression):
        return _schedule(expression, cron_from_lists(), start_now=False)
    if expression is not None and lists:
        reason = "give either an expression or lists"
        raise InvalidSchedule(field="cron expression", value=expression, reason=reason)
    rule = cron_from_lists(**lists) if expression is None else parse_cron(expression)
    return lambda function: _schedule(function, rule, start_now=False)


def every(
    *,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    start_now: bool = False,
) -> ScheduleDecorator:
    """Have a function run by a worker process in fixed intervals.

    Args:
        weeks: with `days`, `hours`, `minutes` and `seconds`, the interval; a whole number of
            seconds in all, from 1 second to 100 years.
        days: see `weeks`.
        hours: see `weeks`.
        minutes: see `weeks`.
        seconds: see `weeks`.
        start_now: whether it is due for the first time when it is first registered, or an
            interval later.

    Returns:
        A decorator that returns the `Task`.

    Raises:
        InvalidSchedule: the interval is not possible.
        InvalidTask: the function takes arguments, or cannot be a task.

    Example:
        ```python
        @autocron.every(hours=1, start_now=True)
        def refresh(): ...
        ```
    """
    if not isinstance(start_now, bool):
        raise InvalidSchedule(field="start_now", value=start_now, reason="must be True or False")
    rule = every_from(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return lambda function: _schedule(function, rule, start_now=start_now)


def _schedule(function: Callable[..., Any], rule: Rule, *, start_now: bool) -> Task[[], Any]:
    task = function if isinstance(function, Task) else make_task(function, Options())
    if not task.takes_no_arguments:
        reason = "a scheduled function is called without arguments, and this one requires some"
        raise InvalidTask(function=task.name, reason=reason)
    registry.register_schedule(
        Schedule(task.name, task.name, str(rule), options=task.defaults, start_now=start_now)
    )
    return task
