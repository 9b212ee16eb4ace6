"""Tasks of Django's Tasks framework, as workers run them."""

from __future__ import annotations

import inspect
from typing import Any

from django.utils import timezone

from autocron import registry
from autocron.app import current_client, in_worker
from autocron.coroutines import run_coroutine
from autocron.current import current_job
from autocron.integration import is_last_attempt
from autocron.model import Options
from autocron.running.executor import failure
from autocron.tasks import Task as CoreTask
from django_autocron.framework import (
    AnyResult,
    AnyTask,
    BaseTaskBackend,
    Task,
    TaskContext,
    TaskError,
    TaskResultStatus,
    plain,
    task_backends,
    task_finished,
    task_started,
)
from django_autocron.integration import claimed_job
from django_autocron.results import change, new_result, result_of


class FrameworkTask(CoreTask[..., Any]):
    """A task of the framework, as workers and the registry know it.

    Args:
        declared: as the code has it.
        name: under which its jobs are stored.
        options: the defaults of its backend.
    """

    def __init__(self, declared: AnyTask, name: str, options: Options) -> None:
        super().__init__(declared.func, name, options, filled=int(declared.takes_context))
        self.declared = declared

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with the arguments of a stored job, and send the framework's signals."""
        self.check_stored(args, kwargs)
        result, sender = self._begun(args, kwargs)
        task_started.send(sender, task_result=result)
        try:
            value = plain(self._called(result, args, kwargs))
        except BaseException as error:  # the boundary around the application's code
            if _is_final(error):
                _fail(result, error)
                task_finished.send(sender, task_result=result)
            raise
        change(
            result,
            status=TaskResultStatus.SUCCESSFUL,
            finished_at=timezone.now(),
            _return_value=value,
        )
        task_finished.send(sender, task_result=result)
        return value

    def _begun(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[AnyResult, type[BaseTaskBackend]]:
        """Return the result of the job that is being run here, and its backend."""
        current, client = current_job(), current_client()
        assert current is not None, "it is run by a job"
        backend, job = _backend_of(self.declared), client.job(current.id)
        if job is not None:
            attempts = client.attempts(job.id)
            return result_of(job, attempts, self.declared, backend.alias), type(backend)
        now = timezone.now()  # in its caller, which has not stored it
        result = new_result(current.id, self.declared, backend.alias, args, kwargs)
        change(result, status=TaskResultStatus.RUNNING, worker_ids=["caller"])
        change(result, enqueued_at=now, started_at=now, last_attempted_at=now)
        return result, type(backend)

    def _called(self, result: AnyResult, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        context: tuple[Any, ...] = ()
        if self.declared.takes_context:
            context = (TaskContext(task_result=result),)
        value = self.function(*context, *args, **kwargs)
        return run_coroutine(value) if inspect.iscoroutine(value) else value


def _backend_of(declared: AnyTask) -> BaseTaskBackend:
    """Return that for which a task was declared; or one of ours, if it was called for that only."""
    from django_autocron.backend import AutocronBackend  # which imports this module

    others = (alias for alias in task_backends if alias != declared.backend)
    for alias in (declared.backend, *others):
        backend = task_backends[alias]
        if isinstance(backend, AutocronBackend):
            return backend
    return task_backends[declared.backend]


def adopted(found: object) -> FrameworkTask | None:
    """Return a task that is declared for another backend as one of ours, if it is a task at all."""
    return registered(found, Options()) if isinstance(found, Task) else None


def _is_final(error: BaseException) -> bool:
    """Whether a job ends with this error. Ctrl-C ends none, outside of workers."""
    if isinstance(error, KeyboardInterrupt) and not in_worker():
        return False
    job = claimed_job.get()
    return job is None or is_last_attempt(job, error)


def _fail(result: AnyResult, error: BaseException) -> None:
    failed = failure(error)
    path, text = failed.kinds[0], failed.traceback
    result.errors.append(TaskError(exception_class_path=path, traceback=text))
    change(result, status=TaskResultStatus.FAILED, finished_at=timezone.now())


def registered(task: AnyTask, options: Options) -> FrameworkTask:
    """Return a task as workers and `get_result` find it, under the name that all tasks of its function have.

    Raises:
        InvalidTask: (autocron's) a worker could not find it, or its name is taken.
    """
    name = registry.name_of(task.func)
    known = registry.find_task(name)
    if isinstance(known, FrameworkTask) and known.function is task.func:
        return known
    made = FrameworkTask(task, name, options)
    registry.register_task(made)
    return made
