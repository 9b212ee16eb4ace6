"""The backend for Django's Tasks framework: what it enqueues are jobs like any others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from django.utils.module_loading import import_string

from autocron.app import current_client
from autocron.errors import AutocronError, InvalidOption, nearest
from autocron.integration import find_task
from autocron.model import NewJob, Options
from autocron.options import make_options
from autocron.tasks import hand_over
from django_autocron.framework import (
    AnyResult,
    AnyTask,
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    plain,
    task_enqueued,
)
from django_autocron.results import change, moment, new_result, result_of
from django_autocron.running import FrameworkTask, registered

_OPTIONS = {
    *("retries", "backoff", "retry_on", "give_up_on", "timeout", "on_crash"),
    *("ttl", "enqueue_on_commit"),
}
"""Options of jobs that the framework does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutocronTask(Task):  # type: ignore[type-arg]  # generic for type checkers only
    """A task of the framework that may have options of `autocron.delay` besides; None for that of the backend.

    Example:
        ```python
        @task(retries=3, enqueue_on_commit=True)  # from Django 6.1 on
        def send_mail(to): ...

        urgent = send_mail.using(priority=10, timeout=30)
        ```
    """

    retries: int | None = None
    backoff: Any = None
    retry_on: Any = None
    give_up_on: Any = None
    timeout: float | None = None
    on_crash: str | None = None
    ttl: float | None = None
    enqueue_on_commit: bool | None = None

    def using(self, **changes: Any) -> AutocronTask:
        """Return the task with other options; takes those of this class as well as the framework's own."""
        own = {name: changes.pop(name) for name in _OPTIONS & changes.keys()}
        task: AutocronTask = Task.using(self, **changes)  # type: ignore[assignment]
        values = {field.name: getattr(task, field.name) for field in fields(task)}
        return type(self)(**values | own) if own else task


class AutocronBackend(BaseTaskBackend):
    """Has the jobs of Django's Tasks framework run by autocron's workers.

    `OPTIONS` takes defaults for all of its tasks, as `autocron.delay` does: `retries`, `backoff`, `retry_on` and
    `give_up_on` (classes, or their dotted paths), `timeout`, `on_crash`, `ttl` and `enqueue_on_commit`.

    Example:
        ```python
        INSTALLED_APPS = [..., "django_autocron"]
        TASKS = {"default": {"BACKEND": "django_autocron.AutocronBackend", "OPTIONS": {"retries": 3}}}
        ```
    """

    task_class = AutocronTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._problems: list[str] = []
        self._defaults = Options()
        for name, value in self.options.items():
            try:
                self._defaults = make_options(self._defaults, _known_option(name, value))
            except (InvalidOption, ImportError) as error:
                self._problems.append(f'TASKS["{alias}"]["OPTIONS"]["{name}"]: {error}')

    def check(self, **_options: Any) -> list[checks.CheckMessage]:
        """Name what is wrong: `autocron.E003` for each option, `autocron.E004` if the app is not installed."""
        found: list[checks.CheckMessage] = [
            checks.Error(problem, id="autocron.E003") for problem in self._problems
        ]
        if not apps.is_installed("django_autocron"):
            text = "TASKS has django_autocron.AutocronBackend, but the app is not installed."
            hint = 'Add "django_autocron" to INSTALLED_APPS.'
            found.append(checks.Error(text, hint=hint, id="autocron.E004"))
        return found

    def validate_task(self, task: AnyTask) -> None:
        """Raise `InvalidTask` if a task cannot be run; or else make it known to this process."""
        self._validated(task)

    def _validated(self, task: AnyTask) -> tuple[FrameworkTask, Options]:
        """Return a task as this process knows it, and the options of its jobs."""
        super().validate_task(task)
        try:
            return registered(task, self._defaults), self._options_of(task)
        except AutocronError as error:
            raise InvalidTask(str(error)) from error

    def enqueue(self, task: AnyTask, args: Sequence[Any], kwargs: dict[str, Any]) -> AnyResult:
        """Hand a call over, and return its result as it stands then.

        Raises:
            TypeError: the arguments do not fit the function, or are not such that JSON has them.
            StoreError: the job is not known to be stored, and most likely will not run.
        """
        known, options = self._validated(task)
        if self._problems:
            raise ImproperlyConfigured("; ".join(self._problems))
        args, kwargs = plain([list(args), kwargs])
        job = known.job(tuple(args), kwargs, options)
        result = new_result(job.id, task, self.alias, args, kwargs)
        if current_client().runs_in_caller:
            change(result, enqueued_at=timezone.now())
            task_enqueued.send(type(self), task_result=result)
            hand_over([job])
            return self.get_result(job.id)
        self._hand_over(job, result)
        return result

    def _hand_over(self, job: NewJob, result: AnyResult) -> None:
        storing = hand_over([job])[0].storing
        if storing is None:
            self._was_stored(result)
        else:  # it is stored when the transaction commits, or by a thread
            storing.add_done_callback(partial(self._was_stored, result))

    def _was_stored(self, result: AnyResult, storing: Future[None] | None = None) -> None:
        """Tell that a job is enqueued, if it is."""
        if storing is None or storing.exception() is None:
            stored = current_client().job(result.id)
            change(result, enqueued_at=moment(stored.enqueued_at) if stored else timezone.now())
            task_enqueued.send(type(self), task_result=result)

    def get_result(self, result_id: str) -> AnyResult:
        """Return a job as it stands now.

        Raises:
            TaskResultDoesNotExist: there is none (any more), or its task is none of the framework's.
        """
        client = current_client()
        job = client.job(str(result_id))
        if job is None:
            raise TaskResultDoesNotExist(result_id)
        try:
            task = find_task(job.task, client.is_task)
        except AutocronError as error:
            raise TaskResultDoesNotExist(result_id) from error
        if not isinstance(task, FrameworkTask):
            raise TaskResultDoesNotExist(result_id)
        return result_of(job, client.attempts(job.id), task.declared, self.alias)

    def _options_of(self, task: AnyTask) -> Options:
        given: dict[str, Any] = {"queue": task.queue_name, "priority": task.priority}
        if isinstance(task.run_after, datetime):
            given["schedule"] = task.run_after
        given |= {name: getattr(task, name, None) for name in _OPTIONS}
        return make_options(self._defaults, given)


def _known_option(name: str, value: Any) -> dict[str, Any]:
    """Return an option of the backend as `make_options` takes it; classes may be given by their paths.

    Raises:
        InvalidOption: there is none of that name.
        ImportError: there is no such class.
    """
    if name not in _OPTIONS:
        meant = nearest(str(name), _OPTIONS)
        hint = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(_OPTIONS))}"
        raise InvalidOption(option=name, value=value, reason=f"there is no such option ({hint})")
    if name in ("retry_on", "give_up_on"):
        several = value if isinstance(value, list | tuple) else [value]
        value = [import_string(kind) if isinstance(kind, str) else kind for kind in several]
    return {name: value}
