"""What a crew holds when something fails; what it does is shown with real processes."""

import sqlite3
from contextlib import closing, contextmanager, nullcontext

import pytest

from autocron.errors import StoreError
from autocron.model import JobStatus, NewJob
from autocron.processes.crew import Crew
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.processes.spawn import AppCode, Orders
from autocron.stores.sqlite import SqliteStore

NOW = 1_795_000_000.0
ORDERS = Orders({"database": "jobs.db", "shutdown_timeout": 1.0}, AppCode("a:b", {}))


@pytest.fixture
def store(path):
    """Return a store that does not wait long for another's lock, with a job that worker 1 is running."""
    store = SqliteStore(path, turn=nullcontext(), busy_timeout=0.05)
    store.migrate()
    store.enqueue([NewJob("a", "t", "[[],{}]")], NOW)
    store.claim(1, NOW)
    yield store
    store.close()


@pytest.fixture
def folder(path):
    """Return the run-time files, among them the lock of a worker that is dead."""
    folder = RuntimeFolder.of(path)
    folder.create()
    folder.worker_lock(1).touch(mode=0o600)
    return folder


@pytest.fixture
def crew(folder, store):
    """Return the crew of a supervisor that has just begun."""
    return Crew(folder, store, ORDERS, 0, bool, lambda: NOW)


@pytest.fixture
def locked(path):
    """A context in which another program holds the database."""

    @contextmanager
    def locked():
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("COMMIT")

    return locked


def test_what_could_not_be_put_back_is_put_back_when_it_can_be(crew, store, folder, locked):
    """The lock of the dead worker has not become the supervisor's own meanwhile."""
    with locked(), pytest.raises(StoreError):
        crew.recover()
    assert not is_held(folder.worker_lock(1))
    crew.recover()
    assert store.get("a").status == JobStatus.WAITING


def test_a_worker_that_could_not_be_started_leaves_its_lock(crew, folder, locked):
    """Or its number could never be used again."""
    with locked():
        for _ in range(3):
            with pytest.raises(StoreError):
                crew.keep(1)
    assert not is_held(folder.worker_lock(1))
    assert not folder.worker_lock(2).exists()
