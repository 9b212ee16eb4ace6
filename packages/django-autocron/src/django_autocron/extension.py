"""What a process has of its Django project: a client for the settings as they are."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from autocron.app import add_finder, calls_wait, connect, disconnect, in_worker
from autocron.client import Client
from autocron.errors import SettingsError
from autocron.integration import describe_main
from autocron.registry import add_adopter
from django_autocron.configuration import NAME, SETTING, given_settings, runs_tests
from django_autocron.integration import DjangoIntegration, adopt
from django_autocron.isolation import TestDatabase


class Project:
    """What this process has of its project: a client, once anything needs one."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._client: Client | None = None
        self._module: str | None = None
        self._overriding: dict[str, Any] = {}
        self._own_database: Path | None = None
        self._tests: TestDatabase | None = None

    def connect_to_apps(self) -> None:
        """Take over the calls of this process; those made before are stored now. Twice does no harm."""
        self._module = settings.SETTINGS_MODULE
        with suppress(SettingsError):  # the checks tell, or whoever needs a client
            self._own_database = given_settings()["database"]
        add_finder(self.client)
        add_adopter(adopt)
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
        is_named = "DATABASE" in getattr(settings, SETTING, {})
        if is_named and given["database"] != self._own_database:
            return given
        self._tests = TestDatabase()
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
            disconnect(client)
        if tests is not None:
            tests.delete()


project = Project()
"""The project of this process."""
