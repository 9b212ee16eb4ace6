"""The contract of all adapters, under each way of serving a Bottle app."""

from typing import ClassVar

from autocron.testing.contract import AdapterContract
from autocron.testing.processes import program

APPLICATION = """
import sys

from bottle import Bottle, request, run
from bottle_autocron import AutocronPlugin

import tasks

app = Bottle()
app.install(AutocronPlugin())
app.config.load_config("app.ini")


@app.get("/call/<task>")
def call(task):
    return getattr(tasks, task)(request.query.text).id


if __name__ == "__main__":
    options = dict(pair.split("=") for pair in sys.argv[2:])
    run(app, port=int(sys.argv[1]), interval=0.2, **options)
"""

MODULE = """
import sys

from bottle import default_app, install, request, route, run
from bottle_autocron import AutocronPlugin

import tasks


@route("/call/<task>")
def call(task):
    return getattr(tasks, task)(request.query.text).id


install(AutocronPlugin())
app = default_app()
app.config.load_config("app.ini")
run(port=int(sys.argv[1]))
"""

TEST = """
import httpx
from application import app


def test_request():
    transport = httpx.WSGITransport(app)
    with httpx.Client(transport=transport, base_url="http://testserver") as client:
        assert client.get("/call/echo", params={"text": "hi"}).status_code == 200
"""

BOTTLE = "-m bottle --bind 127.0.0.1:{port}"
GUNICORN = "-m gunicorn --bind 127.0.0.1:{port}"


class TestContract(AdapterContract):
    package = "bottle_autocron"
    wsgi = "application:app"
    database = "autocron.db"
    servers: ClassVar = {
        "main": "application.py {port}",
        "main-reloader": "application.py {port} reloader=true",
        "main-waitress": "application.py {port} server=waitress",
        "main-gunicorn": "application.py {port} server=gunicorn",
        "main-unguarded": "module.py {port}",
        "bottle": f"{BOTTLE} application:app",
        "bottle-reload": f"{BOTTLE} --reload application:app",
        "gunicorn": f"{GUNICORN} application:app",
        "gunicorn-4": f"{GUNICORN} --workers 4 application:app",
        "gunicorn-preload": f"{GUNICORN} --workers 2 --preload application:app",
        "waitress": program("waitress-serve") + " --listen 127.0.0.1:{port} application:app",
    }
    reloading = ("main-reloader", "bottle-reload")
    silent: ClassVar = {
        "import": "-c 'import application'",
        "script": "-",
        "pytest": "-m pytest -p no:cacheprovider test_application.py",
    }
    silent_input = "import application, tasks; tasks.echo('kept')\n"

    def name_of(self, setting):
        """Return the key in the app's configuration."""
        return f"autocron.{setting}"

    def write_app(self, project, **settings):
        """Write an app of its own, one in the manner of scripts, their configuration, and a test."""
        lines = [f"{name} = {value}" for name, value in settings.items()]
        project.write("app.ini", "\n".join(["[autocron]", *lines]))
        project.write("application.py", APPLICATION)
        project.write("module.py", MODULE)
        project.write("test_application.py", TEST)
