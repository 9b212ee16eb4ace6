"""A site for tests: its modules, how they are written into a folder, and how scripts are run there."""

from __future__ import annotations

import textwrap

from autocron.testing.contract import WORKERS
from autocron.testing.processes import Project

SETTINGS = f"""
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = "only for tests"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["shop", "django_autocron"]
ROOT_URLCONF = "site_of_shop.urls"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "shop.sqlite3"}}}}
USE_TZ = True
STATIC_URL = "static/"
AUTOCRON = {{"WORKERS": {WORKERS}}}
"""

URLS = """
from django.http import HttpResponse
from django.urls import path

import tasks


def call(request, task):
    return HttpResponse(getattr(tasks, task)(request.GET["text"]).id)


urlpatterns = [path("call/<task>", call)]
"""

MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_shop.settings")
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""

WSGI = """
import os

from django.core.{kind} import get_{kind}_application as get_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_shop.settings")
application = get_application()
"""


def write_site(project: Project, *more_settings: str) -> None:
    """Write a site with one app, which imports the module `tasks`; with these lines at the end of its settings."""
    project.write("manage.py", MANAGE)
    project.write("site_of_shop/__init__.py", "")
    project.write("site_of_shop/settings.py", "\n".join([SETTINGS, *more_settings]))
    project.write("site_of_shop/urls.py", URLS)
    for kind in ("wsgi", "asgi"):
        project.write(f"site_of_shop/{kind}.py", WSGI.format(kind=kind))
    project.write("shop/__init__.py", "")
    project.write("shop/tasks.py", "import tasks  # noqa: F401 - Django finds this one\n")


SETUP = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "site_of_shop.settings"
import django

django.setup()
"""


def script(project: Project, text: str, **environ: str) -> str:
    """Run a script that has set Django up, to its end, and return its output."""
    project.write("script.py", SETUP + textwrap.dedent(text))
    done = project.run("script.py", **environ)
    assert done.returncode == 0, done.stdout
    return done.stdout
