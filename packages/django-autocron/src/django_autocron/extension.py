"""What autocron needs to know of a Django project: its settings, its code, and what is around a job."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.db import close_old_connections, reset_queries, transaction
from django.utils import timezone, translation
from django.utils.module_loading import import_string

from autocron.app import in_worker
from autocron.coroutines import run_coroutine
from autocron.errors import SettingsError, shown
from autocron.integration import Integration, load_main
from autocron.model import ClaimedJob
from autocron.registry import RegisteredTask, find_task
from autocron.settings import LoadedSettings, load_settings

SETTING = "AUTOCRON"
NAME = f'{SETTING}["{{}}"]'
"""How messages call a setting."""
DATABASE = "autocron.db"

claimed_job: ContextVar[ClaimedJob | None] = ContextVar("django_autocron_job", default=None)
"""The job that is being run here, as its worker has got it."""


def given_settings() -> dict[str, Any]:
    """Return what the project has configured, by the names in `autocron.Settings`.

    Raises:
        SettingsError: it is no dict, or there is nothing that a relative path could start at.
    """
    configured = getattr(settings, SETTING, {})
    if not isinstance(configured, Mapping):
        reason = 'must be a dict of settings, such as {"WORKERS": 2}'
        raise SettingsError([f"{SETTING}={shown(configured)}: {reason}"])
    capitals = [key for key in configured if isinstance(key, str) and key.isupper()]
    given = {key.lower(): configured[key] for key in capitals}
    given.setdefault("database", DATABASE)
    given.setdefault("timezone", settings.TIME_ZONE)
    problems = [
        f"unknown setting {SETTING}[{shown(key)}] (names of settings are strings in capitals)"
        for key in configured
        if key not in capitals
    ]
    try:
        load_settings(given, prefix=NAME)  # a wrong path is shown as the project has it
        given["database"] = _absolute(given["database"])
    except SettingsError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    return given


def _absolute(database: Any) -> Path:
    path = Path(database)
    if path.is_absolute():
        return path
    folder = getattr(settings, "BASE_DIR", None)
    if folder is None:
        reason = "is relative to BASE_DIR, which the settings do not have: give an absolute path"
        raise SettingsError([f"{NAME.format('DATABASE')}={shown(str(database))}: {reason}"])
    return Path(folder, path).absolute()


def loaded_settings() -> LoadedSettings:
    """Return the settings of the project, and where each comes from; raises what `given_settings` does."""
    return load_settings(given_settings(), prefix=NAME)


def runs_tests() -> bool:
    """Whether Django's test environment is set up, by its own test runner or by pytest-django."""
    return hasattr(mail, "outbox")


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
