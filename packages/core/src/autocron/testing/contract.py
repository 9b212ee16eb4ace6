"""The tests that all frameworks inherit: what autocron promises, under each of their servers."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from autocron import codec
from autocron.errors import StoreError
from autocron.model import Job
from autocron.testing.processes import (
    DEADLINE,
    Program,
    Project,
    free_port,
    is_listening,
    wait_until,
)

TASKS = """
import os

import autocron


@autocron.delay
def echo(text):
    return text


@autocron.delay
def pid(text):
    return os.getpid()


@autocron.delay
def fail(text):
    raise ValueError(text)


@autocron.delay
def relay(text):
    return echo(text).id


@autocron.every(seconds=1, start_now=True)
def tick():
    pass
"""
"""The module `tasks` of the application under test; adapters may add to it."""

WORKERS = 2
"""How many workers the application under test asks for."""


UNKNOWN_SERVER = """
import sys
from importlib import import_module
from wsgiref.simple_server import make_server

module, name = sys.argv[2].split(":")
make_server("127.0.0.1", int(sys.argv[1]), getattr(import_module(module), name)).serve_forever()
"""
"""A server that autocron does not know; it is told of the port and of the application."""


@dataclass(frozen=True)
class Site:
    """An application that is being served."""

    project: Project
    server: Program
    database: str
    port: int

    @classmethod
    def of(cls, project: Project, arguments: str, database: str) -> Site:
        """Serve an application, and return when the server listens.

        Args:
            project: has the application.
            arguments: of Python, as in a shell; `{port}` is where to listen.
            database: its path in the project's folder.
        """
        port = free_port()
        server = project.start(*shlex.split(arguments.format(port=port)))
        wait_until(lambda: is_listening(port) or not server.is_alive, or_show=lambda: server.output)
        assert server.is_alive, server.output
        return cls(project, server, database, port)

    def get(self, path: str, **params: str) -> str:
        """Make a request, and return the text of the answer."""
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = httpx.get(url, params=params, timeout=DEADLINE)
        assert answer.status_code == 200, f"{answer.text}\n{self.server.output}"
        return answer.text

    def hand_over(self, task: str, text: str = "") -> str:
        """Have a view call a task; return the id of its job."""
        return self.get(f"/call/{task}", text=text)

    def ended(self, job_id: str) -> Job:
        """Wait for the end of a job, and return it."""

        def job() -> Job | None:
            with self.project.store(self.database) as store:
                found = store.get(job_id)
            return found if found is not None and found.status.is_final else None

        found = wait_until(job, or_show=lambda: self.server.output)
        assert found is not None
        return found

    def call(self, task: str, text: str = "") -> Any:
        """Have a view call a task; wait for it, and return what it returned."""
        job = self.ended(self.hand_over(task, text))
        assert job.result is not None, job.error
        return codec.decode(job.result)

    def workers(self) -> set[int]:
        """Return the process ids of the workers, or nothing if there are too few as yet."""
        found = {process.pid for process in self.project.autocron_processes("worker")}
        return found if len(found) >= WORKERS else set()

    def has_run(self, task: str) -> bool:
        """Whether a job of a task has ended well."""
        if not Path(self.project.folder, self.database).exists():
            return False
        with suppress(StoreError), self.project.store(self.database) as store:
            return any(job.task == task and job.status == "DONE" for job in store.latest(100))
        return False  # it is just being made


class FrameworkContract:
    """What autocron has to show in a framework. A subclass in the tests says how that does things.

    Example:
        ```python
        class TestContract(FrameworkContract):
            database = "autocron.db"
            servers = {"main": "application.py {port}"}
            silent = {"import": "-c 'import application'"}

            def write_app(self, project, **settings):
                project.write("application.py", f"... {settings} ...")
        ```
    """

    database: ClassVar[str]
    """Where in the project's folder the framework keeps the database, if it is configured as "autocron.db"."""
    servers: ClassVar[dict[str, str]]
    """The ways of serving the project: for each name the arguments of Python, as in a shell, with `{port}`."""
    reloading: ClassVar[tuple[str, ...]] = ()
    """Those of the servers that start again when a file changes, with a parent process that watches."""
    replacing: ClassVar[tuple[str, ...]] = ()
    """Those that replace themselves then, and have no such parent."""
    silent: ClassVar[dict[str, str]]
    """What must not start anything: for each name the arguments of Python, as in a shell."""
    silent_input: ClassVar[str] = ""
    """What these programs get to read."""

    def write_app(self, project: Project, **settings: Any) -> None:
        """Write an application that configures these settings, and imports the module `tasks`.

        Its path `/call/<task>?text=...` calls that task with the text, and answers with the job's id. It is written
        anew for other settings.
        """
        raise NotImplementedError

    def name_of(self, setting: str) -> str:
        """Return what a setting is called where the framework has its configuration."""
        return setting

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """Give each test that asks for one a server, or something silent, by name."""
        names = {
            "server_name": list(cls.servers),
            "reloading_name": list(cls.reloading),
            "changing_name": [*cls.reloading, *cls.replacing],
            "silent_name": list(cls.silent),
        }
        for argument in names.keys() & set(metafunc.fixturenames):
            metafunc.parametrize(argument, names[argument], scope="class")

    def new_project(self, folder: Path) -> Project:
        """Return the application under test, in a folder of its own."""
        project = Project(folder)
        project.write("tasks.py", TASKS)
        self.write_app(project, workers=WORKERS)
        return project

    @pytest.fixture
    def project(self, tmp_path: Path) -> Iterator[Project]:
        """The application under test, and nothing of it at the end."""
        with closing(self.new_project(tmp_path)) as project:
            yield project

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls, server_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        """The application, served in one of the ways, for tests that leave all as it was."""
        with closing(cls().new_project(tmp_path_factory.mktemp(server_name))) as project:
            yield Site.of(project, cls.servers[server_name], cls.database)

    @pytest.fixture
    def serve(self, project: Project) -> Callable[[str], Site]:
        """A function that serves the application in one of the ways, and returns when it listens."""
        return lambda name: Site.of(project, self.servers[name], self.database)

    # In the process that serves -----------------------------------------------------------------

    def test_a_call_runs_in_a_worker(self, site: Site) -> None:
        """A view hands a call over, and one of the workers runs it."""
        assert site.call("echo", "Grüße") == "Grüße"
        assert site.call("pid") in wait_until(site.workers)

    def test_a_schedule_runs_without_any_request(
        self, serve: Callable[[str], Site], server_name: str
    ) -> None:
        """Workers start with the server, and not only when somebody looks at the site."""
        site = serve(server_name)
        wait_until(lambda: site.has_run("tasks.tick"), or_show=lambda: site.server.output)

    def test_a_task_can_call_a_task(self, site: Site) -> None:
        """A call within a worker is handed over, too, to the same database."""
        inner = site.ended(site.call("relay", "deep"))
        assert (inner.status, inner.task) == ("DONE", "tasks.echo")

    def test_there_is_one_set_of_workers(self, site: Site) -> None:
        """However many processes serve: one supervisor, and as many workers as were asked for."""
        for number in range(20):  # of several web processes, each gets some
            assert site.call("echo", str(number)) == str(number)
        assert len(wait_until(site.workers)) == WORKERS
        assert len(site.project.autocron_processes("supervisor")) == 1

    def test_failed_jobs_leave_the_workers_in_order(self, site: Site) -> None:
        """The outcome says what was wrong, and what comes next runs in the same workers."""
        site.call("echo")
        before = wait_until(site.workers)
        failed = [site.ended(site.hand_over("fail", "no luck")) for _ in range(2 * WORKERS)]
        assert {job.error for job in failed} == {"ValueError: no luck"}
        assert site.call("pid") in before
        assert site.workers() == before

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=str)
    def test_all_processes_end_with_the_server(
        self, serve: Callable[[str], Site], server_name: str, number: signal.Signals
    ) -> None:
        """Whether it is asked to end, interrupted or killed, nothing is left behind."""
        site = serve(server_name)
        site.call("echo")
        site.server.end(number, group=number is not signal.SIGTERM)
        wait_until(
            lambda: not site.project.autocron_processes(),
            or_show=lambda: f"{site.project.autocron_processes()}\n{site.server.output}",
        )

    def test_changed_code_reaches_the_workers(
        self, serve: Callable[[str], Site], changing_name: str
    ) -> None:
        """After an edit of a task's file, jobs run the new code, in new workers."""
        site = serve(changing_name)
        assert site.call("echo", "new") == "new"
        before = wait_until(site.workers)

        def edit() -> bool:
            """Save the file, and wait for new workers, but not for long."""
            site.project.write("tasks.py", TASKS.replace("return text", "return text.upper()"))
            with suppress(AssertionError):
                return wait_until(lambda: before.isdisjoint(wait_until(site.workers)), within=5)
            return False

        def is_new() -> bool:
            try:
                return bool(site.call("echo", "new") == "NEW")
            except httpx.TransportError:
                return False  # just between the old server and the new one

        # Several times, since a change of a file that a reloader has not seen yet is none to it. And nothing is asked
        # meanwhile: what a server is interrupted at, some answer with an error.
        wait_until(edit, or_show=lambda: site.server.output)
        wait_until(is_new, or_show=lambda: site.server.output)

    def test_the_reloaders_parent_starts_nothing(
        self, serve: Callable[[str], Site], reloading_name: str
    ) -> None:
        """The process that only watches for changes is not the one that starts the supervisor."""
        site = serve(reloading_name)
        [supervisor] = wait_until(lambda: site.project.autocron_processes("supervisor"))
        assert supervisor.parent != site.server.pid

    def test_settings_come_from_the_apps_configuration(
        self, project: Project, serve: Callable[[str], Site]
    ) -> None:
        """There are as many workers as are configured."""
        self.write_app(project, workers=WORKERS + 1)
        site = serve(next(iter(self.servers)))
        site.call("echo")
        wait_until(lambda: len(project.autocron_processes("worker")) == WORKERS + 1)

    def test_everything_that_is_wrong_is_told_by_the_names_that_the_app_uses(
        self, project: Project
    ) -> None:
        """Where the server prints; and nothing is started."""
        self.write_app(project, worker=1, ttl="soon")
        arguments = next(iter(self.servers.values())).format(port=free_port())
        server = project.start(*shlex.split(arguments))
        meant = f"{self.name_of('worker')} (did you mean {self.name_of('workers')}?)"
        wait_until(lambda: meant in server.output, or_show=lambda: server.output)
        assert f"{self.name_of('ttl')}='soon'" in server.output
        assert not project.has_started(self.database)

    # In others --------------------------------------------------------------------------------

    def test_nothing_starts(self, project: Project, silent_name: str) -> None:
        """A process that does not serve starts neither a supervisor nor workers."""
        done = project.run(*shlex.split(self.silent[silent_name]), text=self.silent_input)
        assert done.returncode == 0, done.stdout
        assert not project.has_started(self.database)
        assert project.autocron_processes() == []


class AdapterContract(FrameworkContract):
    """What an adapter has to show besides.

    Example:
        ```python
        class TestContract(AdapterContract):
            package = "flask_autocron"
            database = "instance/autocron.db"
            servers = {"flask run": "-m flask --app application run --port {port}"}

            wsgi = "application:app"

            def write_app(self, project, **settings):
                project.write("application.py", f"... {settings} ...")
        ```
    """

    package: ClassVar[str]
    """The adapter's import name."""
    wsgi: ClassVar[str]
    """The application as servers of WSGI are told of it: a module, and a name in it."""

    def test_an_unknown_server_starts_with_its_first_request(self, project: Project) -> None:
        """What nothing else tells of is known to serve when somebody asks it."""
        project.write("unknown_server.py", UNKNOWN_SERVER)
        site = Site.of(project, f"unknown_server.py {{port}} {self.wsgi}", self.database)
        assert not project.has_started(self.database)
        assert site.call("echo", "hi") == "hi"
        assert len(wait_until(site.workers)) == WORKERS

    def test_another_core_is_refused(self, project: Project) -> None:
        """With the unrelated autocron 1.x in its place the adapter says what to install."""
        project.write("old/autocron/__init__.py", "__version__ = '1.2.2'")
        done = project.run("-c", f"import {self.package}", PYTHONPATH=str(project.folder / "old"))
        assert done.returncode == 1
        assert "1.2.2" in done.stdout
        assert "install both in one go, pip install autocron==2" in done.stdout
