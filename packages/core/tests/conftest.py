"""What all tests of the core use: real modules, real processes, and conditions instead of sleeps."""

import importlib
import os
import subprocess
import sys
import textwrap
import time
from contextlib import nullcontext

import pytest

import autocron
from autocron import registry
from autocron.stores.sqlite import SqliteAdminStore


@pytest.fixture(scope="session")
def until():
    """A function that waits for a condition, and fails when that takes too long."""

    def wait(condition, *, within=30.0):
        deadline = time.monotonic() + within
        while not (outcome := condition()):
            assert time.monotonic() < deadline, f"not so within {within} seconds"
            time.sleep(0.005)
        return outcome

    return wait


@pytest.fixture
def run_program(tmp_path):
    """A function that runs a text as a program of its own, and returns how it ended."""

    def run(text, *arguments, name="program.py", timeout=60, **more):
        file = tmp_path / name
        file.write_text(textwrap.dedent(text))
        return subprocess.run(
            [sys.executable, str(file), *map(str, arguments)],
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            **{"cwd": tmp_path, "capture_output": True, "text": True} | more,
        )

    return run


@pytest.fixture
def own_registry():
    """Forget at the end of the test which tasks it has defined."""
    tasks, schedules = dict(registry._tasks), dict(registry._schedules)
    yield
    for known, before in ((registry._tasks, tasks), (registry._schedules, schedules)):
        known.clear()
        known.update(before)


@pytest.fixture
def make_module(tmp_path, monkeypatch, own_registry):
    """A function that writes a text as a module and imports it."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(text, name="tasks_of_test"):
        tmp_path.joinpath(f"{name}.py").write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture
def path(tmp_path):
    """Where the test's database is."""
    return tmp_path / "jobs.db"


@pytest.fixture
def open_files():
    """A function that returns the paths of what this process has open."""

    def look():
        found = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return [os.path.realpath(each) for each in found if os.path.lexists(each)]

    return look


@pytest.fixture
def store(path):
    """A store on SQLite, for tests that need some store."""
    store = SqliteAdminStore(path, turn=nullcontext())
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def started(path):
    """This process, connected to the test's database, without worker processes."""
    autocron.start(path, autostart=False)
    yield autocron
    autocron.stop()
