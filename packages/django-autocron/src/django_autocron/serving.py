"""Does this process serve? Only then are workers to be started, so this is asked with care.

Django is set up by servers, but also by the reloader's parent, by each management command, by tests and scripts.
What tells a server, in the order in which one can know it: the command `runserver`; a known server program; a
request that comes in.
"""

from __future__ import annotations

import os
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import ManagementUtility
from django.core.signals import request_started

from autocron.app import in_worker
from autocron.errors import SettingsError
from autocron.integration import callers, is_served
from autocron.settings import Source
from django_autocron.configuration import loaded_settings, runs_tests
from django_autocron.extension import Project

_RELOADED = ("RUN_MAIN", "WERKZEUG_RUN_MAIN")
"""What reloaders set in the environment of the process that serves."""


def start_when_serving(project: Project) -> None:
    """Have the workers started as soon as it turns out that this process serves, and `AUTOSTART` is not off."""
    if in_worker():
        return
    command = _management_command()
    try:
        loaded = loaded_settings()
    except SettingsError:
        if command is not None:
            return  # its checks are going to tell
        raise
    is_said = loaded.sources["autostart"] is Source.APP
    if loaded.settings.autostart if is_said else _serves(command):
        project.start()
    elif not is_said and (command or [""])[0] != "testserver":
        _start_with_request(project)


def _serves(command: list[str] | None) -> bool:
    """Whether it is known already, while Django is set up, that this process serves."""
    if command is None:
        return is_served()
    if not command or not command[0].startswith("runserver"):
        return False
    return "--noreload" in command or any(os.environ.get(name) == "true" for name in _RELOADED)


def _management_command() -> list[str] | None:
    """Return the arguments of the management command that Django is being set up for; None if there is none."""
    for frame in callers():
        utility = frame.f_locals.get("self")
        if isinstance(utility, ManagementUtility):
            return list(utility.argv[1:])
    return None


def _start_with_request(project: Project) -> None:
    """Start the workers with the first request, under servers that nothing else tells of."""

    def start(sender: type, **_details: Any) -> None:
        if issubclass(sender, WSGIHandler | ASGIHandler) and not runs_tests():
            project.start()
            # Not before: what fails now may succeed with the next request.
            request_started.disconnect(start)

    request_started.connect(start, weak=False)
