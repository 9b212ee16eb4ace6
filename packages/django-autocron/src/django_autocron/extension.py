"""What autocron needs to know of a Django project: its settings, its code, and what is around a job."""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from inspect import iscoroutinefunction
from pathlib import Path
from shutil import rmtree
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.signals import setting_changed
from django.db import close_old_connections, reset_queries, transaction
from django.utils import timezone, translation

from autocron.app import add_finder, calls_wait, connect, in_worker
from autocron.client import Client
from autocron.coroutines import run_coroutine
from autocron.errors import SettingsError, shown
from autocron.integration import Integration, describe_main, load_main
from autocron.model import ClaimedJob
from autocron.registry import find_task
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
        self._given = given

    def settings(self) -> Mapping[str, Any]:
        """Return what the project has configured."""
        return given_settings() if self._given is None else self._given

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


class Project:
    """What this process has of its project: a client, once anything needs one."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._client: Client | None = None
        self._module: str | None = None
        self._overriding: dict[str, Any] = {}
        self._own_database: Path | None = None
        self._tests: _TestDatabase | None = None

    def connect_to_apps(self) -> None:
        """Take over the calls of this process; those made before are stored now. Twice does no harm."""
        self._module = settings.SETTINGS_MODULE
        with suppress(SettingsError):  # the checks tell, or whoever needs a client
            self._own_database = given_settings()["database"]
        add_finder(self.client)
        setting_changed.connect(self._forget)
        if in_worker() or calls_wait():
            self.client()

    def client(self) -> Client:
        """Return the client for the settings as they are; connects if need be.

        Raises:
            SettingsError: names everything that is wrong with the settings.
            StoreError: the database cannot be used; says why and what to do.
        """
        client = self._client
        if client is not None and (self._tests is None or self._tests.is_of_this_process):
            return client
        with self._guard:
            if self._client is None or (self._tests and not self._tests.is_of_this_process):
                self._client = self._connect()
            return self._client

    def _connect(self) -> Client:
        given = given_settings() | self._overriding
        if runs_tests() and not in_worker():
            given = self._settings_for_tests(given)
        main = describe_main() if self._module is None else None
        return connect(DjangoIntegration(self._module, main, given), prefix=NAME)

    def _settings_for_tests(self, given: dict[str, Any]) -> dict[str, Any]:
        """Keep the jobs of tests out of the project's own database; one that a test has set is its own affair."""
        if given["database"] != self._own_database:
            return given
        self._tests = _TestDatabase()
        return given | {"database": self._tests.path, "durability": "normal"}

    def override(self, **given: Any) -> None:
        """Have other settings in this process than the project has, for what connects from now on."""
        self._overriding = given

    def start(self) -> None:
        """See to it that there are workers; starting twice does no harm."""
        self.client().start()

    def _forget(self, *, setting: str, **_more: Any) -> None:
        """Connect anew with the next call, since a test has changed the settings."""
        if setting not in (SETTING, "BASE_DIR"):
            return
        with self._guard:
            client, tests = self._client, self._tests
            self._client = self._tests = None
        if client is not None:
            client.stop()
        if tests is not None:
            tests.delete()


class _TestDatabase:
    """A database for the tests of one process, deleted at its end."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._folder = tempfile.mkdtemp(prefix="autocron-tests-")
        self.path = Path(self._folder, DATABASE)
        atexit.register(self.delete)

    def delete(self) -> None:
        """Delete it, unless it is that of the process that this one was forked from."""
        if self.is_of_this_process:
            rmtree(self._folder, ignore_errors=True)

    @property
    def is_of_this_process(self) -> bool:
        """Whether it is not that of the process that this one was forked from."""
        return self._pid == os.getpid()


project = Project()
"""The project of this process."""
