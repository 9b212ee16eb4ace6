"""The engines that the contract is tested with: another one is added to `ENGINES`, and nowhere else."""

import pytest

from autocron.model import NewJob, Options

SQLITE = """
import sqlite3
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from autocron.stores.sqlite import SqliteAdminStore

def open_store(folder, **more):
    return SqliteAdminStore(Path(folder, "jobs.db"), turn=nullcontext(), **more)

def make_newer(folder):
    with closing(sqlite3.connect(Path(folder, "jobs.db"))) as connection:
        connection.execute("PRAGMA user_version=99")

@contextmanager
def locked(folder):
    with closing(sqlite3.connect(Path(folder, "jobs.db"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
"""

ENGINES = {"sqlite": SQLITE}
"""How to open a store, as text: programs of their own need it, too."""

NOW = 1_795_000_000.0


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request):
    """Return how a store of the engine is opened, as the text of a program."""
    return request.param


@pytest.fixture
def functions(engine):
    """Return the engine's functions by their names."""
    namespace = {}
    exec(engine, namespace)
    return namespace


@pytest.fixture
def open_store(functions, tmp_path):
    """A function that connects to the test's data once more."""
    stores = []

    def connect(folder=tmp_path, **more):
        stores.append(functions["open_store"](folder, **more))
        return stores[-1]

    yield connect
    for store in stores:
        store.close()


@pytest.fixture
def store(open_store):
    """Return a store that is ready for use."""
    store = open_store()
    store.migrate()
    return store


@pytest.fixture
def locked(functions, tmp_path):
    """A context in which another program keeps everybody from writing."""
    return functions["locked"](tmp_path)


@pytest.fixture
def now():
    """Return the time."""
    return NOW


@pytest.fixture
def put(store):
    """A function that puts jobs with the given ids in, and returns them."""

    def put(*job_ids, task="shop.task", now=NOW, **options):
        jobs = [NewJob(job_id, task, "[[],{}]", Options(**options)) for job_id in job_ids]
        store.enqueue(jobs, now)
        return jobs

    return put
