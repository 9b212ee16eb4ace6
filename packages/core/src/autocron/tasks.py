"""Tasks: functions whose calls are jobs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import update_wrapper
from itertools import islice
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from autocron import codec, registry
from autocron.coroutines import run_coroutine
from autocron.errors import ArgumentsMismatch, InvalidOption, InvalidTask, UnsupportedValue
from autocron.model import NewJob, Options, Schedule, StoredSchedule, new_job_id
from autocron.options import ExceptionTypes, make_options
from autocron.policy import Exponential, OnCrash
from autocron.results import Result
from autocron.scheduling.timetable import Timetable

_MOST_RUNS = 1000
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

P = ParamSpec("P")
R = TypeVar("R")


class Dispatcher(Protocol):
    """Takes jobs over from their callers."""

    def dispatch(self, jobs: Sequence[NewJob]) -> list[Result[Any]]:
        """Store the jobs, all or none, and return their handles in the same order."""

    def plan(self, schedule: Schedule) -> StoredSchedule:
        """Return a schedule with its times as they are from now on."""


def _no_dispatcher() -> Dispatcher:
    raise RuntimeError("autocron.app has not been imported")


_current_dispatcher: Callable[[], Dispatcher] = _no_dispatcher


def set_dispatcher(current: Callable[[], Dispatcher]) -> None:
    """Have all tasks hand their jobs to what `current()` returns at the time of the call."""
    global _current_dispatcher
    _current_dispatcher = current


def hand_over(jobs: Sequence[NewJob]) -> list[Result[Any]]:
    """Have jobs stored, all or none, by whoever takes the calls that are made here and now."""
    return _current_dispatcher().dispatch(jobs)


class Task(Generic[P, R]):
    """A decorated function: calling it stores a job, which a worker process runs.

    Made by `autocron.delay`, `autocron.cron` and `autocron.every`, or by an adapter; not by hand.

    Example:
        ```python
        @autocron.delay(retries=3)
        def send_mail(to: str, text: str) -> int: ...

        result = send_mail("a@example.org", "hi")                # returns at once
        send_mail.options(minutes=5)("a@example.org", "hi")      # the same in five minutes
        send_mail.enqueue_many([("a@example.org", "hi"), {"to": "b@example.org", "text": "ho"}])
        send_mail.call("a@example.org", "hi")                    # here and now, no job
        ```
    """

    def __init__(
        self, function: Callable[..., Any], name: str, options: Options, *, filled: int = 0
    ) -> None:
        """Make it.

        Args:
            function: what is decorated.
            name: under which its jobs are stored.
            options: what its jobs have unless a call says otherwise.
            filled: how many of its first parameters are filled in when it is run, and not by its caller.
        """
        update_wrapper(self, function)
        self.function = function
        """The function that was decorated."""
        self.name = name
        """The name under which its jobs are stored."""
        self.defaults = options
        """The options that its jobs have unless a call says otherwise."""
        signature = _signature_of(function, name)
        if filled:
            asked = list(signature.parameters.values())[filled:]
            signature = signature.replace(parameters=asked)
        self.parameters = [
            name
            for name, parameter in signature.parameters.items()
            if parameter.kind in _POSITIONAL
        ]
        """The names of those that a caller can give by position."""
        self._check = _checker(function, signature)

    def __repr__(self) -> str:
        return f"<autocron.Task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result[R]:
        """Store a job that calls the function with these arguments; return its handle.

        Raises:
            TypeError: the arguments do not fit the function.
            UnsupportedValue: (a `TypeError`) an argument cannot be stored; it is named.
            StoreError: the job is not known to be stored, and most likely will not run.
        """
        return hand_over([self.job(args, kwargs)])[0]

    @property
    def takes_no_arguments(self) -> bool:
        """Whether the function can be called without arguments, as a schedule does."""
        try:
            self._check()
        except TypeError:
            return False
        return True

    def call(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without a job, and return what it returns.

        An `async def` function is run to its end in an event loop of its own. In an event loop it is
        better to write `await task.function(...)`, which does not block it.
        """
        outcome: Any = self.function(*args, **kwargs)
        if inspect.iscoroutine(outcome):
            outcome = run_coroutine(outcome)
        return outcome  # type: ignore[no-any-return]

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with the arguments of a stored job; for workers.

        Raises:
            ArgumentsMismatch: they do not fit the function.
        """
        self.check_stored(args, kwargs)
        return self.function(*args, **kwargs)

    def check_stored(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Do nothing if the arguments of a stored job fit the function.

        Raises:
            ArgumentsMismatch: they do not.
        """
        try:
            self._check(*args, **kwargs)
        except TypeError as error:
            raise ArgumentsMismatch(task=self.name, reason=error) from None

    def options(
        self,
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
    ) -> Task[P, R]:
        """Return this task with other options; what is not given stays as the decorator has it.

        Takes the options of `autocron.delay`. The task itself is not changed.

        Raises:
            InvalidOption: an option is not possible; it is named.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        return Task(self.function, self.name, make_options(self.defaults, given))

    def enqueue_many(
        self, arguments: Iterable[tuple[Any, ...] | Mapping[str, Any]]
    ) -> list[Result[R]]:
        """Store one job for each item in one transaction: all of them, or none.

        Args:
            arguments: for each job a tuple of positional or a mapping of keyword arguments.

        Returns:
            The handles, in the order of the items.

        Raises:
            TypeError: an item is neither, or does not fit the function; has its index.
            UnsupportedValue: (a `TypeError`) an argument cannot be stored; it is named.
            StoreError: the jobs could not be stored, and none of them will run.
        """
        jobs = [self._job_of_item(index, item) for index, item in enumerate(arguments)]
        return hand_over(jobs) if jobs else []

    def _job_of_item(self, index: int, item: Any) -> NewJob:
        try:
            if isinstance(item, tuple):
                return self.job(item, {})
            if isinstance(item, Mapping):
                return self.job((), dict(item))
        except UnsupportedValue:
            raise
        except TypeError as error:
            raise TypeError(f"item {index} of enqueue_many(): {error}") from None
        raise TypeError(
            f"item {index} of enqueue_many() is of type {type(item).__name__}: give a tuple of "
            "positional arguments, such as (value,), or a dict of keyword arguments"
        )

    def job(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], options: Options | None = None
    ) -> NewJob:
        """Return a call as a job that is to be handed over, with other options if given; raises what a call does."""
        self._check(*args, **kwargs)
        text = codec.encode_arguments(self.parameters, args, kwargs)
        return NewJob(new_job_id(), self.name, text, options or self.defaults)


class ScheduledTask(Task[[], R]):
    """A task that is run on a schedule; it can be called like any other.

    Example:
        ```python
        @autocron.cron("30 7 * * mon-fri")
        def report(): ...

        report.next_runs(3)   # the next three times, with the time zone
        ```
    """

    def __init__(self, task: Task[[], R], schedule: Schedule) -> None:
        super().__init__(task.function, task.name, task.defaults)
        self.schedule = schedule
        """The rule that it is run by, as data."""

    def next_runs(self, n: int = 5) -> list[datetime]:
        """Return the coming times, in the time zone of the schedule.

        Whether the schedule is paused is not looked at. Intervals are counted from the first
        registration of the schedule, or from now if it has not been registered yet.

        Args:
            n: how many, 1 to 1000.

        Raises:
            InvalidOption: that is not possible.
        """
        if type(n) is not int or not 1 <= n <= _MOST_RUNS:
            reason = f"must be a whole number from 1 to {_MOST_RUNS}"
            raise InvalidOption(option="n", value=n, reason=reason)
        planned = _current_dispatcher().plan(self.schedule)
        times = Timetable.of(planned.schedule, planned.anchor)
        assert planned.due is not None
        return [times.local(due) for due in islice(times.coming(planned.due), n)]


def _signature_of(function: Callable[..., Any], name: str) -> inspect.Signature:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise InvalidTask(function=name, reason="it is a generator, whose body a call does not run")
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise InvalidTask(function=name, reason=f"its parameters are unknown ({error})") from None


def _checker(function: Callable[..., Any], signature: inspect.Signature) -> Callable[..., None]:
    """Return a function that takes the same arguments, does nothing, and raises the same errors.

    It is compiled, which makes it twenty times as fast as `Signature.bind()`.
    """
    bare = [
        parameter.replace(
            annotation=parameter.empty,
            default=parameter.empty if parameter.default is parameter.empty else None,
        )
        for parameter in signature.parameters.values()
    ]
    parameters = signature.replace(parameters=bare, return_annotation=signature.empty)
    name = function.__name__ if function.__name__.isidentifier() else "task"
    namespace: dict[str, Any] = {}
    exec(f"def {name}{parameters}: pass", namespace)  # noqa: S102 - only names of parameters
    check: Callable[..., None] = namespace[name]
    return check


def make_task(
    function: Callable[..., Any], options: Options, kind: type[Task[..., Any]] = Task
) -> Task[Any, Any]:
    """Return the registered task of a function; for adapters, of a class of their own.

    Raises:
        InvalidTask: a worker could not find the function, or its name is taken.
    """
    if isinstance(function, ScheduledTask):
        reason = "it is one already: put @autocron.delay below the decorator of its schedule"
        raise InvalidTask(function=function.name, reason=reason)
    if isinstance(function, Task):
        raise InvalidTask(function=function.name, reason="it is one already: use one decorator")
    task = kind(function, registry.name_of(function), options)
    registry.register_task(task)
    return task
