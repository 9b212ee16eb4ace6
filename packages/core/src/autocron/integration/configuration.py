"""The settings, among all that a framework's application has configured."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from autocron.settings import load_settings

DATABASE = "autocron.db"
"""The database of an application that names none."""


def read_settings(
    configuration: Mapping[str, Any], prefix: str, folder: Path, *, apart: Collection[str] = ()
) -> dict[str, Any]:
    """Return the settings by the names in `Settings`, with an absolute path for the database.

    Args:
        configuration: all that the application has configured.
        prefix: what the names of our settings begin with, such as `AUTOCRON_` or `autocron.`.
        folder: where the database is, if its path is relative, or not given.
        apart: names, with the prefix, that are not for the core.

    Raises:
        SettingsError: names everything that is wrong with the settings.

    Example:
        >>> read_settings({"autocron.workers": "2", "debug": True}, "autocron.", Path("/srv"))
        {'workers': '2', 'database': PosixPath('/srv/autocron.db')}
    """
    given = {
        key.removeprefix(prefix): value
        for key, value in configuration.items()
        if key.startswith(prefix) and key not in apart
    }
    if prefix.isupper():
        given = {name.lower(): value for name, value in given.items()}
    given.setdefault("database", DATABASE)
    load_settings(given, prefix=prefix)  # a wrong path is shown as the application has it
    return given | {"database": folder.absolute() / given["database"]}
