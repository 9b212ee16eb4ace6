"""The three decorators: `delay`, `cron` and `every`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, NoReturn, ParamSpec, Protocol, TypeVar, overload

from autocron import registry
from autocron.errors import InvalidSchedule, InvalidTask, nearest
from autocron.model import DEFAULT_GRACE, CatchUp, Options, Overlap, Schedule
from autocron.options import ExceptionTypes, check_schedule_options, make_options
from autocron.policy import Exponential, OnCrash
from autocron.scheduling import Rule
from autocron.scheduling.cron import LIST_NAMES, cron_from_lists, parse_cron
from autocron.scheduling.every import every_from
from autocron.tasks import ScheduledTask, Task, make_task

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
    def __call__(self, function: Task[[], R], /) -> ScheduledTask[R]: ...

    @overload
    def __call__(self, function: Callable[[], Coroutine[Any, Any, R]], /) -> ScheduledTask[R]: ...

    @overload
    def __call__(self, function: Callable[[], R], /) -> ScheduledTask[R]: ...


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
    backoff: float | Sequence[float] | Exponential | None = None,
    retry_on: ExceptionTypes | None = None,
    give_up_on: ExceptionTypes | None = None,
    timeout: float | None = None,
    on_crash: OnCrash | None = None,
    ttl: float | None = None,
    queue: str | None = None,
    priority: int | None = None,
    enqueue_on_commit: bool | None = None,
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
        backoff: how long it waits for the next one: a number of seconds, a list of such numbers (the last
            is used again and again), or an `Exponential`; 0 to 100 years each. `Exponential()` if not given:
            about 1, 2, 4, ... seconds, at most 300.
        retry_on: an exception class, or several, after which it is tried again; after all if not given.
        give_up_on: an exception class, or several, after which it is not; none if not given.
        timeout: for how many seconds an attempt may run, 0.001 to 100 years, before `TimeLimitExceeded` is
            raised in it; as long as it takes if not given.
        on_crash: whether a job whose worker died in the midst of it is run again, `"retry"`, or ends
            as failed, `"fail"`, since it must never run twice; `"retry"` if not given.
        ttl: for how many seconds the outcome is kept; the setting `ttl` if not given.
        queue: the name of the job's queue; `"default"` if not given.
        priority: jobs with a higher one run first, -1,000,000 to 1,000,000; 0 if not given.
        enqueue_on_commit: whether a call in a transaction of the framework's database is stored when that
            commits, and not at all when it is rolled back; the setting `enqueue_on_commit` if not given.

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
        _check_bare("delay", given)
        return make_task(function, Options())
    _check_names("delay", given, _OPTION_NAMES)
    options = make_options(Options(), given)
    return lambda function: make_task(function, options)


_OPTION_NAMES = {
    *("weeks", "days", "hours", "minutes", "seconds"),
    *("schedule", "retries", "backoff", "retry_on", "give_up_on", "timeout", "on_crash"),
    *("ttl", "queue", "priority", "enqueue_on_commit"),
}


_RUN_OPTIONS = _OPTION_NAMES - {"weeks", "days", "hours", "minutes", "seconds", "schedule"}
_INTERVAL_NAMES = {"weeks", "days", "hours", "minutes", "seconds", "start_now"}
_SCHEDULE_OPTION_NAMES = {"timezone", "catch_up", "grace", "overlap"}


def _check_names(function: str, given: Iterable[str], known: set[str]) -> None:
    for name in sorted(set(given) - known):
        meant = nearest(name, known)
        hint = f" (did you mean {meant}?)" if meant else f" (known are {', '.join(sorted(known))})"
        if name in _RUN_OPTIONS:
            hint = (
                f": put it on the task, with @autocron.delay({name}=...) below @autocron.{function}"
            )
        if (function, name) == ("every", "timezone"):
            hint = ": an interval is as long in every zone, so leave it out"
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def _check_bare(function: str, given: Mapping[str, Any]) -> None:
    if given:
        names = ", ".join(f"{name}=..." for name in given)
        raise TypeError(
            f"{function}() takes a function or keyword arguments, and not both: write "
            f"@autocron.{function}({names}) above the function"
        )


@overload
def cron(function: Task[[], R], /) -> ScheduledTask[R]: ...


@overload
def cron(function: Callable[[], Coroutine[Any, Any, R]], /) -> ScheduledTask[R]: ...


@overload
def cron(function: Callable[[], R], /) -> ScheduledTask[R]: ...


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
    timezone: str | tzinfo | None = None,
    catch_up: CatchUp = "last",
    grace: float = DEFAULT_GRACE,
    overlap: Overlap = "skip",
) -> ScheduleDecorator: ...


def cron(expression: Any = None, /, **given: Any) -> Any:
    """Have a function run by a worker process at the minutes of a crontab expression.

    Each due time has one run, however many processes there are.

    Args:
        expression: `minute hour day-of-month month day-of-week` as in crontab(5), or a nickname
            such as `@daily`. Without it, and without lists, every minute.
        minutes: instead of an expression, a list of minutes, 0 to 59.
        hours: a list of hours, 0 to 23.
        days: a list of days of the month, 1 to 31.
        months: a list of months, 1 to 12 or names such as `"jan"`.
        days_of_week: a list of weekdays, 0 (Monday) to 6 (Sunday) or names such as `"mon"`.
        timezone: the zone whose local time is meant, such as `"Europe/Berlin"`; the setting
            `timezone` if not given, or else the machine's.
        catch_up: what to do about due times that have passed while nothing ran: `"last"` runs
            the latest of them, `"all"` each of them (of the latest 100), `"skip"` none that is more than a
            minute old.
        grace: with `"last"`, how old in seconds the due time may be, 0 to 100 years; a day if not given.
        overlap: what to do when the run before has not ended: `"skip"` this one, `"queue"` it until
            that has ended, or `"allow"` both to run at a time.

    Returns:
        The `ScheduledTask`. The application need not call it; its module has to be imported by the app.

    Raises:
        InvalidSchedule: names the field, its value and the range that is allowed.
        InvalidTask: the function takes arguments, or cannot be a task.

    Example:
        ```python
        @autocron.cron("30 7 * * mon-fri", timezone="Europe/Berlin")
        def report(): ...
        ```
    """
    _check_names("cron", given, {*LIST_NAMES} | _SCHEDULE_OPTION_NAMES)
    if callable(expression):
        _check_bare("cron", given)
        return _schedule(expression, cron_from_lists(), {})
    options = {name: given.pop(name) for name in _SCHEDULE_OPTION_NAMES & given.keys()}
    options = check_schedule_options(options)
    if expression is not None and given:
        reason = "give either an expression or lists"
        raise InvalidSchedule(field="cron expression", value=expression, reason=reason)
    rule = cron_from_lists(**given) if expression is None else parse_cron(expression)
    return lambda function: _schedule(function, rule, options)


def every(
    *wrong: NoReturn,
    weeks: float = 0,
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    start_now: bool = False,
    catch_up: CatchUp = "last",
    grace: float = DEFAULT_GRACE,
    overlap: Overlap = "skip",
    **unknown: NoReturn,
) -> ScheduleDecorator:
    """Have a function run by a worker process in fixed intervals.

    They are counted from the schedule's first registration, also across restarts, so that nothing drifts.

    Args:
        wrong: nothing; an interval is given by name.
        weeks: with `days`, `hours`, `minutes` and `seconds`, the interval; a whole number of
            seconds in all, from 1 second to 100 years.
        days: see `weeks`.
        hours: see `weeks`.
        minutes: see `weeks`.
        seconds: see `weeks`.
        start_now: whether it is due for the first time when it is first registered, or an
            interval later.
        catch_up: as in `cron`.
        grace: as in `cron`.
        overlap: as in `cron`.
        unknown: nothing else is allowed; an error names the nearest argument.

    Returns:
        A decorator that returns the `ScheduledTask`.

    Raises:
        InvalidSchedule: the interval is not possible.
        InvalidTask: the function takes arguments, or cannot be a task.

    Example:
        ```python
        @autocron.every(hours=1, start_now=True)
        def refresh(): ...
        ```
    """
    manners = _SCHEDULE_OPTION_NAMES - {"timezone"}  # an interval is as long everywhere
    _check_names("every", unknown, _INTERVAL_NAMES | manners)
    if wrong:
        reason = "an interval is given by name, as in every(seconds=30)"
        raise InvalidSchedule(field="every", value=wrong[0], reason=reason)
    rule = every_from(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    options = check_schedule_options(
        {"start_now": start_now, "catch_up": catch_up, "grace": grace, "overlap": overlap}
    )
    return lambda function: _schedule(function, rule, options)


def _schedule(
    function: Callable[..., Any], rule: Rule, options: Mapping[str, Any]
) -> ScheduledTask[Any]:
    task = function if isinstance(function, Task) else make_task(function, Options())
    if not task.takes_no_arguments:
        reason = "a scheduled function is called without arguments, and this one requires some"
        raise InvalidTask(function=task.name, reason=reason)
    if task.defaults.delay is not None or task.defaults.run_at is not None:
        reason = "a run is due when its schedule says: leave the delay out of @autocron.delay"
        raise InvalidTask(function=task.name, reason=reason)
    schedule = Schedule(task.name, task.name, str(rule), task.defaults, **options)
    scheduled: ScheduledTask[Any] = ScheduledTask(task, schedule)
    registry.register_schedule(schedule, scheduled)
    return scheduled
