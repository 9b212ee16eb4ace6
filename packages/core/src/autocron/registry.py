"""The tasks and schedules that the imported code defines, by name."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import unwrap
from typing import Any, Protocol

from autocron.errors import InvalidTask
from autocron.model import Options, Schedule
from autocron.model_admin import KnownTask

MAIN_NAMES = ("__main__", "__mp_main__")
"""What a program's main module is called in its own process, and in a worker's."""


class RegisteredTask(Protocol):
    """What the registry and workers know of a task."""

    @property
    def name(self) -> str:
        """The name under which its jobs are stored."""

    @property
    def function(self) -> Callable[..., Any]:
        """What was decorated."""

    @property
    def defaults(self) -> Options:
        """The options of its jobs, unless a call says otherwise."""

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call it with the arguments of a job."""


@dataclass(frozen=True)
class _Origin:
    """Where a function was defined; `execution` tells one run of its module from the next."""

    file: str
    line: int
    execution: Any


_tasks: dict[str, tuple[RegisteredTask, _Origin]] = {}
_schedules: dict[str, Schedule] = {}
_adopters: list[Callable[[str], RegisteredTask | None]] = []


def name_of(function: Callable[..., Any]) -> str:
    """Return the name under which a function's jobs are stored: its module's and its own.

    A main module goes by the name under which it could be imported, so that jobs of
    `python application.py` and of `flask --app application run` are the same.

    Raises:
        InvalidTask: a worker could not find the function again.
    """
    name = getattr(function, "__qualname__", None)
    if not callable(function) or name is None:
        raise InvalidTask(function=repr(function), reason="it is not a function")
    module = function.__module__
    if "<lambda>" in name:
        reason = "a lambda has no name by which a worker could find it: use def"
        raise InvalidTask(function=f"{module}.{name}", reason=reason)
    if "<locals>" in name:
        reason = "it is nested in a function: move it to the top of its module"
        raise InvalidTask(function=f"{module}.{name}", reason=reason)
    if isinstance(function, type):
        reason = "it is a class: write a function that uses it"
        raise InvalidTask(function=f"{module}.{name}", reason=reason)
    parameters = getattr(getattr(function, "__code__", None), "co_varnames", ())
    if "." in name and parameters[:1] in (("self",), ("cls",)):
        reason = "it is a method, whose object a job cannot store: write a function at the top of its module"
        raise InvalidTask(function=f"{module}.{name}", reason=reason)
    if module in MAIN_NAMES:
        module = _main_module_name(function, f"{module}.{name}")
    return f"{module}.{name}"


def _main_module_name(function: Callable[..., Any], name: str) -> str:
    # Not from `sys.modules`: while `multiprocessing` imports the main module, that still has another.
    main = getattr(unwrap(function), "__globals__", {})
    if main.get("__name__") not in MAIN_NAMES:
        main = vars(sys.modules["__main__"])
    spec, file = main.get("__spec__"), main.get("__file__")
    if spec is not None:
        return str(spec.name)
    if file is None:
        reason = "an interactive session or python -c cannot be imported by a worker: use a file"
        raise InvalidTask(function=name, reason=reason)
    return os.path.splitext(os.path.basename(str(file)))[0]


def register_task(task: RegisteredTask) -> None:
    """Make a task known by its name.

    Raises:
        InvalidTask: another function has that name already.
    """
    origin = _origin_of(task.function)
    if task.name in _tasks:
        known = _tasks[task.name][1]
        is_same = (known.file, known.line) == (origin.file, origin.line)
        is_reloaded = known.file == origin.file and known.execution is not origin.execution
        if not is_same and not is_reloaded:
            reason = f"{known.file}:{known.line} has a task of that name already: rename one"
            raise InvalidTask(function=task.name, reason=reason)
    _tasks[task.name] = (task, origin)
    _schedules.pop(task.name, None)


def _origin_of(function: Callable[..., Any]) -> _Origin:
    code = getattr(unwrap(function), "__code__", None)
    # importlib.reload() gives a module a new spec; a main module has none and is never reloaded.
    execution = getattr(sys.modules.get(function.__module__), "__spec__", None)
    if code is None:
        return _Origin(function.__module__, 0, execution)
    return _Origin(code.co_filename, code.co_firstlineno, execution)


def register_schedule(schedule: Schedule, task: RegisteredTask) -> None:
    """Make a schedule known by its name, and its task in place of the one that it was made of.

    Raises:
        InvalidTask: there is a schedule of that name already.
    """
    if schedule.name in _schedules:
        reason = "it has a schedule already: for a second one write a second function that calls it"
        raise InvalidTask(function=schedule.name, reason=reason)
    _schedules[schedule.name] = schedule
    _tasks[task.name] = (task, _origin_of(task.function))


def find_task(name: str) -> RegisteredTask | None:
    """Return the task of that name, or None."""
    found = _tasks.get(name)
    return found[0] if found else None


def add_adopter(adopt: Callable[[str], RegisteredTask | None]) -> None:
    """Have `adopt(name)` asked for a task that no decorator of ours has registered, for adapters; twice does no harm.

    It is asked only for names that the application has handed over calls of.
    """
    if adopt not in _adopters:
        _adopters.append(adopt)


def adopted_task(name: str) -> RegisteredTask | None:
    """Return the task of that name that an adapter knows of, or None."""
    return next(filter(None, (adopt(name) for adopt in _adopters)), None)


def find_schedule(name: str) -> Schedule | None:
    """Return the schedule of that name, or None."""
    return _schedules.get(name)


def task_modules() -> set[str]:
    """Return the names of the modules that define tasks, as `import` knows them."""
    return {task.function.__module__ for task, _ in _tasks.values()}


def known_tasks() -> list[KnownTask]:
    """Return all tasks as they are to be stored."""
    return [KnownTask(name, task.defaults) for name, (task, _) in list(_tasks.items())]


def schedules() -> Iterator[Schedule]:
    """Return all schedules."""
    return iter(list(_schedules.values()))
