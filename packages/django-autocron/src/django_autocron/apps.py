"""The app: what happens when a process has set Django up."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules

from django_autocron.checks import check_ancestor, check_settings, check_surroundings
from django_autocron.extension import project
from django_autocron.serving import start_when_serving


class AutocronConfig(AppConfig):
    """Gives a site its workers, with settings from the dict `AUTOCRON`.

    The settings are those of `autocron.Settings`, in capitals. A relative `DATABASE` starts at `BASE_DIR`.
    `tasks.py` of each app is imported. The workers start in the process that serves, and in no other,
    unless `AUTOSTART` says so. Database connections are closed around each job as around a request.

    Example:
        ```python
        INSTALLED_APPS = [..., "django_autocron"]
        AUTOCRON = {"WORKERS": 2}
        ```
    """

    name = "django_autocron"
    verbose_name = "Background tasks"

    def ready(self) -> None:
        """Import the tasks of all apps, and start the workers if this process serves."""
        for check in (check_settings, check_surroundings, check_ancestor):
            checks.register(check, "autocron")
        project.connect_to_apps()
        autodiscover_modules("tasks")
        start_when_serving(project)
