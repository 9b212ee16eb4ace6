"""The contract of all adapters, under each way of serving a Flask app."""

from typing import ClassVar

from autocron.testing.contract import AdapterContract

APPLICATION = """
from flask import Flask, request
from flask_autocron import Autocron

import tasks

app = Flask(__name__)
app.config.from_pyfile("settings.cfg")
Autocron(app)


@app.get("/call/<task>")
def call(task):
    return getattr(tasks, task)(request.args["text"]).id


if __name__ == "__main__":
    import sys

    app.run(port=int(sys.argv[1]), debug="debug" in sys.argv)
"""

FACTORY = """
from flask import Flask, request
from flask_autocron import Autocron

autocron = Autocron()


def create_app(greeting="hello"):
    import tasks

    app = Flask(__name__)
    app.config.from_pyfile("settings.cfg")
    autocron.init_app(app)

    @app.get("/call/<task>")
    def call(task):
        return getattr(tasks, task)(request.args["text"]).id

    return app
"""

TEST = """
from application import app


def test_request():
    assert app.test_client().get("/call/echo?text=hi").status_code == 200
"""

GUNICORN = "-m gunicorn --bind 127.0.0.1:{port}"


class TestContract(AdapterContract):
    package = "flask_autocron"
    wsgi = "application:app"
    database = "instance/autocron.db"
    servers: ClassVar = {
        "run": "-m flask --app application run --port {port}",
        "run-debug": "-m flask --app application --debug run --port {port}",
        "run-debug-no-reload": "-m flask --app application --debug run --no-reload --port {port}",
        "run-factory": "-m flask --app \"factory:create_app('ho')\" run --port {port}",
        "main": "application.py {port}",
        "main-debug": "application.py {port} debug",
        "gunicorn": f"{GUNICORN} application:app",
        "gunicorn-4": f"{GUNICORN} --workers 4 application:app",
        "gunicorn-preload": f"{GUNICORN} --workers 2 --preload application:app",
        "gunicorn-factory": f"{GUNICORN} --workers 2 'factory:create_app()'",
    }
    reloading = ("run-debug", "main-debug")
    silent: ClassVar = {
        "routes": "-m flask --app application routes",
        "debug-routes": "-m flask --app application --debug routes",
        "shell": "-m flask --app application shell",
        "autocron": "-m flask --app application autocron status",
        "import": "-c 'import application'",
        "script": "-",
        "pytest": "-m pytest -p no:cacheprovider test_application.py",
    }
    silent_input = "import application, tasks; tasks.echo('kept')\n"

    def name_of(self, setting):
        """Return the key in the app's configuration."""
        return f"AUTOCRON_{setting.upper()}"

    def write_app(self, project, **settings):
        """Write a module that has an app, one that has a factory, their configuration, and a test."""
        lines = [f"{self.name_of(name)} = {value!r}" for name, value in settings.items()]
        project.write("settings.cfg", "\n".join(lines))
        project.write("application.py", APPLICATION)
        project.write("factory.py", FACTORY)
        project.write("test_application.py", TEST)
