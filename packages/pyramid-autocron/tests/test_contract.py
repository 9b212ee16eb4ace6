"""The contract of all adapters, under each way of serving a Pyramid app."""

import os
from typing import ClassVar

from autocron.testing.contract import AdapterContract
from autocron.testing.processes import program

APPLICATION = """
from pyramid.config import Configurator
from pyramid.response import Response

import tasks


def call(request):
    task = getattr(tasks, request.matchdict["task"])
    return Response(request.autocron.enqueue(task, request.params["text"]).id)


def main(global_config, **settings):
    with Configurator(settings=settings) as config:
        config.include("pyramid_autocron")
        config.add_route("call", "/call/{task}")
        config.add_view(call, route_name="call")
    return config.make_wsgi_app()
"""

INI = """
[app:main]
use = call:application:main
autocron.database = %(here)s/autocron.db
{settings}

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
"""

WSGI = """
from application import main

app = main({{}}, **{settings})
"""

SCRIPT = """
from pyramid.paster import bootstrap

import tasks

with bootstrap("development.ini") as environment:
    environment["request"].autocron.enqueue(tasks.echo, "kept")
"""

TEST = """
from webtest import TestApp
from wsgi import app


def test_request():
    assert TestApp(app).get("/call/echo?text=hi").status_int == 200
"""

PSERVE = program("pserve") + " development.ini http_port={port}"
GUNICORN = "-m gunicorn --bind 127.0.0.1:{port}"


class TestContract(AdapterContract):
    package = "pyramid_autocron"
    wsgi = "wsgi:app"
    database = "autocron.db"
    servers: ClassVar = {
        "pserve": PSERVE,
        "pserve-reload": f"{PSERVE} --reload",
        "gunicorn": f"{GUNICORN} wsgi:app",
        "gunicorn-4": f"{GUNICORN} --workers 4 wsgi:app",
        "gunicorn-preload": f"{GUNICORN} --workers 2 --preload wsgi:app",
        "gunicorn-paste": f"{GUNICORN} --paste development.ini",
        "waitress": program("waitress-serve") + " --listen 127.0.0.1:{port} wsgi:app",
    }
    reloading = ("pserve-reload",)
    silent: ClassVar = {
        "proutes": program("proutes") + " development.ini",
        "pshell": program("pshell") + " development.ini",
        "pautocron": program("pautocron") + " development.ini status",
        "import": "-c 'import wsgi'",
        "script": "-",
        "pytest": "-m pytest -p no:cacheprovider test_application.py",
    }
    silent_input = SCRIPT

    def name_of(self, setting):
        """Return the key in the ini file."""
        return f"autocron.{setting}"

    def write_app(self, project, **settings):
        """Write a package's `main`, its ini file, a module that has the app, and a test."""
        project.environ["PYTHONPATH"] = f"{project.folder}:{os.environ.get('PYTHONPATH', '')}"
        project.write("application.py", APPLICATION)
        named = {self.name_of(name): str(value) for name, value in settings.items()}
        lines = "\n".join(f"{name} = {value}" for name, value in named.items())
        project.write("development.ini", INI.format(settings=lines))
        project.write("wsgi.py", WSGI.format(settings=named))
        project.write("test_application.py", TEST)
