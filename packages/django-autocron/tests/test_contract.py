"""The contract of all adapters, under each way of serving a Django site."""

from typing import ClassVar

from autocron.testing.contract import WORKERS, AdapterContract
from autocron.testing.processes import program

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

TEST = """
from django.test import Client, TestCase


class ShopTest(TestCase):
    def test_request(self):
        assert Client().get("/call/echo?text=hi").status_code == 200
"""

LIVE_TEST = """
from urllib.request import urlopen

from django.test import LiveServerTestCase


class LiveTest(LiveServerTestCase):
    def test_request(self):
        assert urlopen(f"{self.live_server_url}/call/echo?text=hi").status == 200
"""

GUNICORN = "-m gunicorn --bind 127.0.0.1:{port}"
UWSGI = (
    program("uwsgi") + " --http-socket 127.0.0.1:{port} --module site_of_shop.wsgi"
    " --master --enable-threads --need-app --die-on-term"
)
UVICORN = "-m uvicorn --port {port} site_of_shop.asgi:application"


class TestContract(AdapterContract):
    package = "django_autocron"
    database = "autocron.db"
    servers: ClassVar = {
        "runserver": "manage.py runserver {port}",
        "runserver-no-reload": "manage.py runserver --noreload {port}",
        "gunicorn": f"{GUNICORN} site_of_shop.wsgi",
        "gunicorn-4": f"{GUNICORN} --workers 4 site_of_shop.wsgi",
        "gunicorn-preload": f"{GUNICORN} --workers 2 --preload site_of_shop.wsgi",
        "uvicorn": UVICORN,
        "uvicorn-2": f"{UVICORN} --workers 2",
        "daphne": "-m daphne -p {port} site_of_shop.asgi:application",
        "uwsgi": f"{UWSGI} --processes 2",
        "waitress": "-m waitress --listen 127.0.0.1:{port} site_of_shop.wsgi:application",
    }
    reloading = ("runserver",)
    silent: ClassVar = {
        "migrate": "manage.py migrate",
        "check": "manage.py check --deploy",
        "test": "manage.py test",
        "autocron": "manage.py autocron cron @daily",
        "shell": "manage.py shell",
        "setup": "-c 'import site_of_shop.wsgi'",
        "script": "-",
        "pytest": "-m pytest -p no:cacheprovider --ds site_of_shop.settings shop/tests.py",
    }
    silent_input = "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'site_of_shop.settings'\nimport django; django.setup()\nimport tasks; tasks.echo('kept')\n"

    def write_app(self, project):
        """Write a site with an app that imports the tasks."""
        project.write("manage.py", MANAGE)
        project.write("site_of_shop/__init__.py", "")
        project.write("site_of_shop/settings.py", SETTINGS)
        project.write("site_of_shop/urls.py", URLS)
        for kind in ("wsgi", "asgi"):
            project.write(f"site_of_shop/{kind}.py", WSGI.format(kind=kind))
        project.write("shop/__init__.py", "")
        project.write("shop/tasks.py", "import tasks  # noqa: F401 - Django finds this one\n")
        project.write("shop/tests.py", TEST + LIVE_TEST)
