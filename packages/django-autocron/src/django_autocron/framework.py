"""Django's Tasks framework: its own from 6.0 on, or else the package `django-tasks`, which is the same for older ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # the two are the same but for the name
    from django.tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskError
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
    from django.utils.json import normalize_json
else:
    try:
        from django.tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
        from django.tasks.backends.base import BaseTaskBackend
        from django.tasks.base import Task, TaskError
        from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
        from django.tasks.signals import task_enqueued, task_finished, task_started
        from django.utils.json import normalize_json
    except ImportError:
        try:
            from django_tasks import TaskContext, TaskResult, TaskResultStatus, task_backends
            from django_tasks.backends.base import BaseTaskBackend
            from django_tasks.base import Task, TaskError
            from django_tasks.exceptions import InvalidTaskError as InvalidTask
            from django_tasks.exceptions import TaskResultDoesNotExist
            from django_tasks.signals import task_enqueued, task_finished, task_started
            from django_tasks.utils import normalize_json
        except ImportError as error:
            raise ImportError(
                "django_autocron.AutocronBackend is for Django's Tasks framework, which this Django does not have: "
                "install Django 6.0 or later, or django-tasks; @autocron.delay works without either"
            ) from error

AnyTask: TypeAlias = "Task[Any, Any]"
AnyResult: TypeAlias = "TaskResult[Any, Any]"


def plain(value: Any) -> Any:
    """Return a value as JSON gives it back, such as a string for one of an enumeration.

    Raises:
        TypeError: it has something that JSON does not; in the framework's words.
        ValueError: it has bytes that are no text.
    """
    return json.loads(json.dumps(normalize_json(value)))


__all__ = [
    "AnyResult",
    "AnyTask",
    "BaseTaskBackend",
    "InvalidTask",
    "Task",
    "TaskContext",
    "TaskError",
    "TaskResult",
    "TaskResultDoesNotExist",
    "TaskResultStatus",
    "plain",
    "task_backends",
    "task_enqueued",
    "task_finished",
    "task_started",
]
