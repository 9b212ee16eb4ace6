"""What Django's system checks say of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks

from autocron.errors import SettingsError
from django_autocron.configuration import SETTING, given_settings

_PUBLIC = ("MEDIA_ROOT", "STATIC_ROOT")


def check_settings(**_options: Any) -> list[checks.CheckMessage]:
    """Name everything that is wrong with `AUTOCRON`: `autocron.E001` if it is no dict, or else `E002` for each."""
    try:
        given_settings()
    except SettingsError as error:
        is_dict = isinstance(getattr(settings, SETTING, {}), dict)
        number = "autocron.E002" if is_dict else "autocron.E001"
        return [checks.Error(problem, id=number) for problem in error.problems]
    return []


def check_ancestor(**_options: Any) -> list[checks.CheckMessage]:
    """Warn of settings of autotask, `autocron.W003`: whoever comes from there may think that they still do something."""
    left = sorted(name for name in dir(settings) if name.startswith("AUTOTASK_"))
    if not left:
        return []
    text = f"Nothing reads the settings of autotask any more: {', '.join(left)}."
    hint = f"Remove them. What can be set now stands in {SETTING}."
    return [checks.Warning(text, hint=hint, id="autocron.W003")]


def check_surroundings(**_options: Any) -> list[checks.CheckMessage]:
    """Warn of a folder that is missing, `autocron.W001`, or that everybody can read, `autocron.W002`."""
    found: list[checks.CheckMessage] = []
    try:
        database = given_settings()["database"]
    except SettingsError:
        return found  # E001 or E002
    if not database.parent.is_dir():
        hint = "Make it, or the first call of a task fails."
        text = f"The folder of {SETTING}['DATABASE'] does not exist: {database.parent}"
        found.append(checks.Warning(text, hint=hint, id="autocron.W001"))
    for name in _PUBLIC:
        folder = getattr(settings, name, None)
        if folder and Path(folder).absolute() in database.parents:
            hint = f"Whoever visits the site may get it: move it out of {name}."
            text = f"The database {database} lies where files are served to everybody."
            found.append(checks.Warning(text, hint=hint, id="autocron.W002"))
    return found
