"""How the newsletter is served in each framework, from a copy of it as it comes from the repository."""

import os
import shlex
import shutil
from collections.abc import Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from autocron.testing import Project
from autocron.testing.contract import Site
from autocron.testing.processes import program

EXAMPLES = Path(__file__).parent.parent
NO_SOURCE = shutil.ignore_patterns("__pycache__", "data", "instance")
GUNICORN = "-m gunicorn --workers 4 --bind 127.0.0.1:{port}"
UVICORN = "-m uvicorn --app-dir examples/fastapi --port {port} newsletter:app"


@dataclass(frozen=True)
class Newsletter:
    """The newsletter in one of the frameworks, and how it is served."""

    name: str
    """The folder in `examples/`."""
    servers: Mapping[str, str]
    """The ways of serving it: for each name the arguments of Python, as in a shell, with `{port}`."""
    data: str = "data"
    """Where in that folder the database `autocron.db` is, and the folder `outbox`."""
    preparation: str = ""
    """What is run before the first start: arguments of Python, as in a shell."""
    environ: Mapping[str, str] = field(default_factory=dict)
    """Environment variables, of the servers and of the preparation."""
    ended_together: tuple[str, ...] = ()
    """Those of the servers whose processes are all told to end, as a terminal and systemd do it."""

    @property
    def folder(self):
        """Its path in the project."""
        return f"examples/{self.name}"

    @property
    def data_folder(self):
        """The path of its own files in the project."""
        return f"{self.folder}/{self.data}"

    @contextmanager
    def project(self, folder):
        """Return a copy of it that is ready to be served, without anything that other runs have left."""
        for name in (self.name, "shared"):
            shutil.copytree(EXAMPLES / name, folder / "examples" / name, ignore=NO_SOURCE)
        with closing(Project(folder, self.environ)) as project:
            if self.preparation:
                done = project.run(*shlex.split(self.preparation))
                assert done.returncode == 0, done.stdout
            yield project

    def serve(self, project, server=None):
        """Serve it in one of the ways, the first one if none is named; return when it listens."""
        arguments = self.servers[server or next(iter(self.servers))]
        return Site.of(project, arguments, f"{self.data_folder}/autocron.db")

    def end(self, site, server):
        """Have the server end."""
        site.server.end(group=server in self.ended_together)


# As in production, since Django has pages of its own for errors in development.
DJANGO = Newsletter(
    "django",
    {
        "runserver": "examples/django/manage.py runserver {port}",
        "gunicorn": f"{GUNICORN} --chdir examples/django fieldnotes.wsgi",
    },
    preparation="examples/django/manage.py migrate",
    environ={"NEWSLETTER_DEBUG": "0", "NEWSLETTER_SECRET_KEY": "only for tests"},
)
FLASK = Newsletter(
    "flask",
    {
        "run": "-m flask --app examples/flask/newsletter.py run --port {port}",
        "gunicorn": f"{GUNICORN} --chdir examples/flask newsletter:app",
    },
    data="instance",
)
PYRAMID = Newsletter(
    "pyramid",
    {
        "pserve": f"{program('pserve')} examples/pyramid/development.ini http_port={{port}}",
        "gunicorn": f"{GUNICORN} --chdir examples/pyramid --paste examples/pyramid/development.ini",
    },
    environ={"PYTHONPATH": f"examples/pyramid:{os.environ.get('PYTHONPATH', '')}"},
)
BOTTLE = Newsletter(
    "bottle",
    {
        "run": "examples/bottle/newsletter.py {port}",
        "gunicorn": f"{GUNICORN} --chdir examples/bottle newsletter:app",
    },
)
FASTAPI = Newsletter(
    "fastapi",
    {
        "uvicorn": UVICORN,
        "processes": f"{UVICORN} --workers 4",
    },
)
TORNADO = Newsletter(
    "tornado",
    {
        "main": "examples/tornado/newsletter.py --port={port}",
        "processes": "examples/tornado/newsletter.py --port={port} --processes=4",
    },
    ended_together=("processes",),  # Tornado's parent ends, and leaves its children to serve
)
NEWSLETTERS = [DJANGO, FLASK, PYRAMID, BOTTLE, FASTAPI, TORNADO]
