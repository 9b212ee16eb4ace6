"""The task that a job is of, found by its name, and what becomes of the job when it fails."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from autocron import registry
from autocron.clock import system_clock
from autocron.current import current_job
from autocron.errors import TaskNotFound
from autocron.integration.modules import is_missing
from autocron.model import ClaimedJob, Retrying
from autocron.running import verdict
from autocron.running.executor import produced_by


def is_last_attempt(job: ClaimedJob, error: BaseException) -> bool:
    """Whether there will be no other attempt at a job, if the present one ends with an error."""
    current = current_job()
    if current is not None and current.cancel_requested:
        return True
    outcome = verdict.after_attempt(job, produced_by(error), system_clock())
    return not isinstance(outcome, Retrying)


def find_function(name: str, is_known: Callable[[str], bool] = lambda _: False) -> Any:
    """Return what runs a task; takes and raises what `find_task` does."""
    return find_task(name, is_known).run


def find_task(
    name: str, is_known: Callable[[str], bool] = lambda _: False
) -> registry.RegisteredTask:
    """Return a task.

    Args:
        name: what stands in the database. What it names is neither imported nor run for that alone.
        is_known: whether the application has a task of that name; its module may be one that the
            application imports only now and then, and is imported here if need be.

    Raises:
        TaskNotFound: there is no such task; has the reason.
    """
    task, reason = registry.find_task(name), "no module that was imported defines it"
    if task is None and is_known(name):
        reason = _import_module_of(name)
        task = registry.find_task(name) or registry.adopted_task(name)
    if task is None:
        raise TaskNotFound(task=name, reason=reason)
    return task


def _import_module_of(name: str) -> str:
    """Import the module that should define a task; return what to say if it does not."""
    module = name.rpartition(".")[0]
    while module:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not is_missing(module, error):
                return f"importing {module}: {error}"
            module = module.rpartition(".")[0]
        except BaseException as error:  # the boundary around the application's code
            return f"importing {module}: {type(error).__name__}: {error}"
        else:
            return f"{module} has no such task"
    return "there is no such module"
