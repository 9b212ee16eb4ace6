"""What the core needs to know of a Django project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import Any

import django
from django.apps import apps
from django.db import close_old_connections, reset_queries, transaction
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from autocron.app import in_worker
from autocron.coroutines import run_coroutine
from autocron.integration import Integration, load_main
from autocron.model import ClaimedJob
from autocron.registry import RegisteredTask, find_task

claimed_job: ContextVar[ClaimedJob | None] = ContextVar("django_autocron_job", default=None)
"""The job that is being run here, as its worker has got it."""


def adopt(name: str) -> RegisteredTask | None:
    """Return a task of Django's framework that was declared for another backend, and is called for ours."""
    try:
        from django_autocron.running import adopted

        return adopted(import_string(name))
    except ImportError:  # there is no such task, or no framework
        return None


class DjangoIntegration(Integration):
    """What the core needs to know of a Django project.

    Args:
        module: the settings module; None if the settings are configured by the main module.
        main: the main module, in that case.
        given: what the project has configured; not needed in a worker.
    """

    def __init__(
        self,
        module: str | None,
        main: dict[str, str] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._module = module
        self._main = main
        self._given = given or {}

    def settings(self) -> Mapping[str, Any]:
        """Return what the project has configured."""
        return self._given

    def describe(self) -> dict[str, Any]:
        """Return where a worker finds the settings."""
        return {"module": self._module, "main": self._main}

    def load(self) -> None:
        """Set Django up, in a worker."""
        if self._module is not None:
            os.environ["DJANGO_SETTINGS_MODULE"] = self._module
        elif self._main is not None:
            load_main(self._main)
        if not apps.ready:
            django.setup()

    def should_start(self) -> bool:
        """Leave the start to the app, which may be asked for a client in any process."""
        return False

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Have `callback` called when the transaction of the default database commits."""
        if not transaction.get_connection().in_atomic_block:
            return False
        transaction.on_commit(callback)
        return True

    @contextmanager
    def job_context(self, job: ClaimedJob) -> Iterator[None]:
        """Do around a job what Django does around a request."""
        reset_queries()
        close_old_connections()
        token = claimed_job.set(job)
        try:
            yield
        finally:
            claimed_job.reset(token)
            close_old_connections()
            if in_worker():
                _close_connections_of_loops(job)
                translation.deactivate()
                timezone.deactivate()


def _close_connections_of_loops(job: ClaimedJob) -> None:
    """Close those that a coroutine had opened: asgiref runs what it awaits of the ORM in a thread of its own."""
    task = find_task(job.task)
    if task is not None and iscoroutinefunction(task.function):
        from asgiref.sync import sync_to_async

        run_coroutine(sync_to_async(close_old_connections)())
