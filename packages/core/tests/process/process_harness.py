"""Real processes for tests: web processes that do what they are told, and clean-up that holds."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from autocron.testing.processes import AutocronProcess, heed_signals, save

DEADLINE = 30.0

WEB = """
import importlib, json, os, sys
sys.path.remove("")
sys.path.append(os.getcwd())
site = importlib.import_module(sys.argv[1])
import autocron
print(json.dumps(["ready", os.getpid()]), flush=True)
for line in sys.stdin:
    print(json.dumps(["answer", eval(line)]), flush=True)
"""


def wait_until(condition: Callable[[], Any], what: str = "it", deadline: float = DEADLINE) -> Any:
    """Return the first true value of `condition()`; fail if there is none in time."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come true within {deadline:g} s")


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def kill_all(pids: Iterable[int]) -> None:
    """Kill processes one after the other, of which some may end by the death of others; wait for all."""
    victims = set(pids)
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, victims)), "the end of all")


def children(pid: int) -> dict[int, str]:
    """Return the ids of a process's children, each with its state: "Z" is a zombie."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit():
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == pid:
                    found[int(entry.name)] = state
    return found


class Web:
    """A web process: imports a module that starts autocron, and evaluates what it is sent."""

    def __init__(self, folder: Path, module: str, **environment: str) -> None:
        heed_signals()
        self.errors = folder / f"errors-{time.monotonic_ns()}.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WEB, module],
                cwd=folder,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        kind, self.pid = self._read()
        assert kind == "ready"

    def run(self, expression: str) -> Any:
        """Evaluate an expression in the process, where `site` is the module; return its value."""
        assert self.process.stdin is not None
        self.process.stdin.write(expression.replace("\n", " ") + "\n")
        self.process.stdin.flush()
        return self._read()[1]

    def _read(self) -> Any:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            with suppress(ValueError):  # what jobs print goes there, too
                answer = json.loads(line)
                if isinstance(answer, list):
                    return answer
        raise AssertionError(f"the web process ended: {self.errors.read_text()}")

    def end(self, how: int | None = None) -> None:
        """End the process, by a signal or by the end of its input; twice does no harm."""
        if how is not None:
            self.process.send_signal(how)
        else:
            with suppress(BrokenPipeError):
                self.process.stdin and self.process.stdin.close()
        self.process.wait(DEADLINE)


class Site:
    """A folder with an application, its database, and all processes that come of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "site.db"
        self._webs: list[Web] = []

    def write(self, code: str, name: str = "site_app") -> None:
        """Write a module of the application."""
        save(self.folder / f"{name}.py", textwrap.dedent(code))

    def web(self, module: str = "site_app", **environment: str) -> Web:
        """Start a web process."""
        web = Web(self.folder, module, **environment)
        self._webs.append(web)
        return web

    def error_of_start(self, user: int | None = None) -> str:
        """Start the application in vain, as another user if one is given; return the last line that it says."""
        done = subprocess.run(
            [sys.executable, "-c", "import site_app"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            user=user,
        )
        assert done.returncode != 0
        return done.stderr.strip().splitlines()[-1]

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        """Return the rows of a query on the database."""
        connection = sqlite3.connect(self.database, timeout=10, isolation_level=None)
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Have another program hold the database, so that nobody can write."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("COMMIT")

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the columns of a job."""
        names = "state", "attempt", "worker", "result", "error", "crashes"
        rows = self.query(f"SELECT {', '.join(names)} FROM autocron_jobs WHERE id = ?", job_id)
        return dict(zip(names, rows[0], strict=True))

    def wait_for_state(self, job_id: str, state: int) -> None:
        """Wait until a job is in a state; see stores.sqlite.queries.State."""
        wait_until(lambda: self.job(job_id)["state"] == state, f"state {state} of {job_id}")

    def processes(self, role: str) -> set[int]:
        """Return the ids of the supervisors or workers of this database that are alive."""
        found = AutocronProcess.all_below(self.folder.resolve())
        return {process.pid for process in found if process.role == role}

    def workers(self, count: int = 1) -> set[int]:
        """Wait until that many workers run, and return their ids."""
        return wait_until(
            lambda: len(pids := self.processes("worker")) == count and pids, f"{count} workers"
        )

    def supervisor(self) -> int:
        """Wait until one supervisor runs, and return its id."""
        pids = wait_until(lambda: self.processes("supervisor"), "a supervisor")
        assert len(pids) == 1
        return pids.copy().pop()

    def kill_supervisor(self) -> int:
        """Kill the supervisor, wait until another has taken over, and return the id of that one."""
        old = self.supervisor()
        os.kill(old, signal.SIGKILL)
        new = wait_until(lambda: self.processes("supervisor") - {old}, "a new supervisor")
        assert len(new) == 1
        return int(new.pop())

    def is_empty(self) -> bool:
        """Whether no supervisor and no worker is left."""
        return not self.processes("supervisor") and not self.processes("worker")

    def lines(self, name: str) -> list[str]:
        """Return the lines that jobs have written to a file of the folder."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def clean_up(self) -> None:
        """End all processes that came of this site, known by the path of its own database."""
        for web in self._webs:
            if web.process.poll() is None:
                web.process.kill()
            web.process.wait()
            for pipe in (web.process.stdin, web.process.stdout):
                with suppress(BrokenPipeError):
                    pipe and pipe.close()
        for role in ("supervisor", "worker"):
            for pid in self.processes(role):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait_until(self.is_empty, "the end of all processes")
