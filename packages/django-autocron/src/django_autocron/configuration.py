"""The settings of a Django project that are autocron's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import mail

from autocron.errors import SettingsError, shown
from autocron.settings import LoadedSettings, load_settings

SETTING = "AUTOCRON"
NAME = f'{SETTING}["{{}}"]'
"""How messages call a setting."""
DATABASE = "autocron.db"


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
