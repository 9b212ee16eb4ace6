"""The contract of all adapters, under each way of serving a Django site."""

from typing import ClassVar

from django_site import SETUP, write_site

from autocron.testing.contract import AdapterContract
from autocron.testing.processes import program

TEST = """
from django.test import Client, TestCase


class ShopTest(TestCase):
    def test_request(self):
        assert Client().get("/call/echo?text=hi").status_code == 200
"""

CLIENT = """
from django.test import Client

assert Client().get("/call/echo?text=hi").status_code == 200
"""

LIVE_TEST = """
from urllib.request import urlopen

from autocron.app import current_client
from autocron.processes.folder import RuntimeFolder
from django.test import LiveServerTestCase


class LiveTest(LiveServerTestCase):
    def test_request(self):
        assert urlopen(f"{self.live_server_url}/call/echo?text=hi").status == 200
        database = current_client().settings.database
        assert not RuntimeFolder.of(database).supervisor_lock.exists()
"""

GUNICORN = "-m gunicorn --bind 127.0.0.1:{port}"
# What it has only just forked misses the signal to end, and is killed then; but not before a minute, by default.
UWSGI = (
    program("uwsgi") + " --http-socket 127.0.0.1:{port} --module site_of_shop.wsgi"
    " --master --enable-threads --need-app --die-on-term --worker-reload-mercy 5"
)
UVICORN = "-m uvicorn --port {port} site_of_shop.asgi:application"


class TestContract(AdapterContract):
    package = "django_autocron"
    wsgi = "site_of_shop.wsgi:application"
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
        "client": "client.py",
        "pytest": "-m pytest -p no:cacheprovider --ds site_of_shop.settings shop/tests.py",
    }
    silent_input = f"{SETUP}\nimport tasks\n\ntasks.echo('kept')\n"

    def name_of(self, setting):
        """Return the key in the dict of the settings."""
        return f'AUTOCRON["{setting.upper()}"]'

    def write_app(self, project, **settings):
        """Write a site with an app that imports the tasks, and tests."""
        write_site(
            project, *(f"{self.name_of(name)} = {value!r}" for name, value in settings.items())
        )
        project.write("shop/tests.py", TEST + LIVE_TEST)
        project.write("client.py", SETUP + CLIENT)
