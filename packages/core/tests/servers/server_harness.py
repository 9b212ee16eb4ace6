"""A site under a real server: the application, the command lines, and what one wants to know of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from autocron.testing.contract import Site as ServedApp
from autocron.testing.processes import Project, program, wait_until

WORKERS = 2
DATABASE = "project.db"

APPLICATION = """
import os
import time
from pathlib import Path
from urllib.parse import parse_qs

import autocron

HERE = Path(__file__).parent

@autocron.delay
def echo(text):
    return text

@autocron.delay
def pid(text):
    return os.getpid()

@autocron.delay
def block(name):
    with open(HERE / name, "a") as file:
        file.write(f"{os.getpid()}\\n")
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.01)
    return name

@autocron.every(seconds=1)
def tick():
    pass

autocron.start("project.db", workers=2, shutdown_timeout=float(os.environ.get("PATIENCE", "8")))

def hand_over(path, query):
    task = globals()[path.rpartition("/")[2]]
    return task(parse_qs(query, keep_blank_values=True)["text"][0]).id.encode()

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [hand_over(environ["PATH_INFO"], environ["QUERY_STRING"])]

async def asgi(scope, receive, send):
    body = hand_over(scope["path"], scope["query_string"].decode())
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""

WERKZEUG = """
import sys

from werkzeug.serving import run_simple

from application import application

if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), application, use_reloader=True, reloader_type="stat")
"""


@dataclass(frozen=True)
class Server:
    """A way of serving."""

    command: str
    """The arguments of Python, as in a shell; `{port}` is where to listen."""
    ends_by: tuple[signal.Signals, ...]
    """What ends it and all its processes, if it is sent to its first process."""
    orphans_serve: bool = False
    """Whether its other processes go on when the first is killed."""


_GUNICORN = "-m gunicorn --bind 127.0.0.1:{port} --workers 4 --timeout 4"
# A process that uWSGI has only just forked misses the signal to end, and is killed then; but not before a minute, by
# default.
_UWSGI = (
    program("uwsgi") + " --http-socket 127.0.0.1:{port} --module application:application"
    " --master --processes 2 --need-app --worker-reload-mercy 5"
)
_UVICORN = "-m uvicorn --port {port} --lifespan off --no-access-log"

TERM, INT, QUIT, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP

SERVERS = {
    "gunicorn": Server(f"{_GUNICORN} application:application", (TERM, INT, QUIT)),
    "gunicorn-gthread": Server(f"{_GUNICORN} --threads 2 application:application", (TERM, INT)),
    "gunicorn-preload": Server(f"{_GUNICORN} --preload application:application", (TERM, INT)),
    "uwsgi": Server(f"{_UWSGI} --die-on-term", (TERM, INT)),
    "uwsgi-lazy-apps": Server(f"{_UWSGI} --die-on-term --lazy-apps", (TERM, INT)),
    "waitress": Server(
        "-m waitress --listen 127.0.0.1:{port} application:application", (TERM, INT, QUIT, HUP)
    ),
    "uvicorn": Server(f"{_UVICORN} application:asgi", (TERM, INT, QUIT, HUP)),
    "uvicorn-workers": Server(
        f"{_UVICORN} --workers 2 application:asgi", (TERM, INT), orphans_serve=True
    ),
    "werkzeug-reloader": Server("serve.py {port}", (TERM,), orphans_serve=True),
}


def processes_of_group(pid: int) -> set[int]:
    """Return the ids of the processes of a group that are alive; the group's leader may be dead."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[2]) == pid and fields[0] != "Z":
                found.add(int(entry.name))
    return found


@dataclass(frozen=True)
class Site(ServedApp):
    """A site that is being served."""

    @property
    def web_processes(self) -> set[int]:
        """The ids of the server's own processes."""
        return processes_of_group(self.server.pid)

    def supervisors(self) -> set[int]:
        """Return the ids of the supervisors; there should be one."""
        return {process.pid for process in self.project.autocron_processes("supervisor")}

    def pids(self) -> set[int]:
        """Return the ids of all that autocron has running at this moment."""
        return {process.pid for process in self.project.autocron_processes()}

    def generation(self) -> set[int]:
        """Wait until there is one supervisor with its workers and nothing else; return all their ids."""

        def pids() -> set[int]:
            processes = self.project.autocron_processes()
            roles = sorted(process.role for process in processes)
            is_whole = roles == ["supervisor"] + ["worker"] * WORKERS
            return {process.pid for process in processes} if is_whole else set()

        return wait_until(pids, or_show=self.show)

    def loaded_generation(self) -> set[int]:
        """Like `generation`, once each of the workers has imported the application, as it is now."""
        names = [f"import {number}" for number in range(WORKERS)]
        jobs = [self.begin_blocking(name) for name in names]
        for job, name in zip(jobs, names, strict=True):
            self.unblock(name)
            self.ended(job)
        return self.generation()

    def end(self, number: signal.Signals = TERM, *, group: bool = False) -> None:
        """End the server by a signal, with all its processes."""
        self.server.end(number, group=group)
        wait_until(lambda: not self.web_processes, or_show=self.show)

    def wait_for_end_of_workers(self) -> None:
        """Wait until nothing of autocron is left, for ten seconds at most."""
        wait_until(lambda: not self.project.autocron_processes(), within=10, or_show=self.show)

    def begin_blocking(self, name: str) -> str:
        """Have a worker begin a job that ends only when it is told to; return the job's id."""
        job_id = self.hand_over("block", name)
        wait_until(lambda: self.lines(name), or_show=self.show)
        return job_id

    def unblock(self, name: str) -> None:
        """Have such a job end, and all later ones at once."""
        (self.project.folder / f"{name}.go").touch()

    def state(self, job_id: str) -> tuple[str, int]:
        """Return the status of a job, and how many attempts have been made."""
        with self.project.store(self.database) as store:
            job = store.get(job_id)
        assert job is not None
        return str(job.status), job.attempt

    def lines(self, name: str) -> list[str]:
        """Return the ids of the workers that have begun such a job."""
        path = self.project.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def call_until_recycled(self, count: int) -> None:
        """Make calls until so many of the web processes have been replaced, while the workers stay the same."""
        before = self.generation()
        # The last ones to be replaced may be only just gone.
        wait_until(lambda: len(self.web_processes) > count, or_show=self.show)
        first = self.web_processes
        for number in range(100):
            assert self.call("echo", str(number)) == str(number)
            assert self.pids() == before, self.show()
            if len(first - self.web_processes) >= count:
                return
        raise AssertionError(f"web processes are not recycled\n{self.show()}")

    def runs_new_code(self) -> bool:
        """Whether jobs run what `edit` has written."""
        try:
            return bool(self.call("echo", "new") == "NEW")
        except httpx.TransportError:
            return False  # just between the old server and the new one

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        os.kill(self.server.pid, number)

    def show(self) -> str:
        """Return what a failure is to tell."""
        return f"{self.project.autocron_processes()}\n{self.web_processes}\n{self.project.output}"


def edit(project: Project) -> None:
    """Change the code of a task."""
    project.write("application.py", APPLICATION.replace("return text", "return text.upper()"))


def kill(pids: set[int]) -> None:
    """Kill processes of the test's own, all at once."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


Serve = Callable[..., Site]
"""Serves the application in the way of that name, with more arguments; returns when it listens."""
