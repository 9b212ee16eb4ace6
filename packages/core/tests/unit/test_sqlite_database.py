"""The file itself: who may read it, what else it may be, and who else holds it."""

import os
import re
import shutil
import signal
import sqlite3
import stat
import sys
import threading
import time
from contextlib import closing, nullcontext

import pytest

from autocron.errors import DatabaseUnusable, NewerSchema, StoreBusy, StoreError
from autocron.model import NewJob
from autocron.stores.sqlite import SqliteStore, schema
from autocron.stores.sqlite.database import Database
from autocron.stores.sqlite.faults import explained

NOW = 1_795_000_000.0
JOB = NewJob("1", "shop.task", "[[],{}]")


@pytest.fixture
def open_store(path):
    """A function that makes a store; all are closed at the end."""
    stores = []

    def make(at=path, **more):
        stores.append(SqliteStore(at, turn=nullcontext(), **more))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777], ids=oct)
def test_the_files_are_their_owners_alone(path, mask, open_store):
    """Database, log and index of the log have mode 0600, whatever the umask."""
    before = os.umask(mask)
    try:
        store = open_store()
        store.migrate()
        store.enqueue([JOB], NOW)
    finally:
        os.umask(before)
    modes = {file.name: oct(stat.S_IMODE(file.stat().st_mode)) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["jobs.db", "jobs.db-shm", "jobs.db-wal"], "0o600")


def test_the_umask_is_left_alone(open_store):
    """It belongs to the whole process."""
    before = os.umask(0o022)
    os.umask(0o022)
    open_store().migrate()
    assert os.umask(before) == 0o022


# What is no database of ours ------------------------------------------------------------------


def test_a_directory_is_refused(tmp_path, open_store):
    """The error says what to name instead."""
    with pytest.raises(DatabaseUnusable, match="is a directory: name a file in it"):
        open_store(tmp_path).migrate()


@pytest.mark.parametrize("place", ["below a file", "/proc", "nowhere"])
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, open_store, place):
    """The error says why, and that a folder is needed that you may write to."""
    tmp_path.joinpath("file").touch()
    paths = {
        "below a file": tmp_path / "file" / "jobs.db",
        "/proc": "/proc/jobs.db",
        "nowhere": tmp_path / "nowhere" / "jobs.db",
    }
    with pytest.raises(DatabaseUnusable, match=r"cannot be made \(.+\): name a file in a folder"):
        open_store(type(tmp_path)(paths[place])).migrate()


@pytest.mark.parametrize("content", [b"hello", b"\0" * 5000, b"SQLite format 2\0" * 300])
def test_a_file_that_is_no_database_is_refused(path, open_store, content, open_files):
    """And it is left as it is, and not open."""
    path.write_bytes(content)
    refused = r"is not an SQLite database: name another file"
    with pytest.raises(DatabaseUnusable, match=refused) as failed:
        open_store().migrate()
    assert str(path) not in open_files()
    del failed  # which has kept all that was under way
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["jobs.db"]


def test_an_empty_file_becomes_a_database(path, open_store):
    """`touch` or `mktemp` may have made it."""
    path.touch()
    store = open_store()
    store.migrate()
    assert store.latest(1) == []


def test_another_programs_database_is_refused(path, open_store):
    """One that numbers its own tables with `user_version` would be mistaken for ours."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
        other.execute("PRAGMA user_version=3")
    with pytest.raises(DatabaseUnusable, match=r"belongs to another program.*user_version=3"):
        open_store().migrate()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("songs",)]


def test_an_applications_own_database_can_be_shared(path, open_store):
    """Its tables stay as they are beside ours."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title)")
        other.execute("INSERT INTO songs VALUES ('x')")
        other.commit()
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM songs").fetchall() == [("x",)]


def test_a_newer_schema_is_refused_by_its_number(path, open_store):
    """The error says which versions there are, and nothing is changed."""
    store = open_store()
    store.migrate()
    store.close()
    newer = schema.KNOWN_VERSION + 1
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version={newer}")
    with pytest.raises(NewerSchema, match=f"has schema version {newer}.*up to {newer - 1}"):
        open_store().migrate()


# What becomes of the file while it is used ----------------------------------------------------


@pytest.mark.parametrize("all_files", [False, True])
def test_a_file_that_is_deleted_is_an_error_and_is_not_made_anew(path, open_store, all_files):
    """In a process that has used it, however often it asks, also after the store was closed."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    for file in path.parent.iterdir() if all_files else [path]:
        file.unlink()
    for use in (
        lambda: store.enqueue([JOB], NOW),
        lambda: store.get("1"),
        store.close,
        store.counts,
    ):
        with (
            pytest.raises(StoreError, match="the file is gone")
            if use != store.close
            else nullcontext()
        ):
            use()
    assert not path.exists()
    fresh = open_store()
    fresh.migrate()
    fresh.enqueue([NewJob("2", "shop.task", "[[],{}]")], NOW)
    assert [job.id for job in store.latest(9)] == ["2"]


def test_a_file_that_is_put_back_is_gone_on_with(path, open_store):
    """Also if all of its last jobs are in the log only."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    path.rename(path.with_name("away"))
    with pytest.raises(StoreError, match="put it back"):
        store.get("1")
    path.with_name("away").rename(path)
    assert store.get("1").id == "1"


def test_each_queue_is_known_to_a_file_that_was_put_in_place(path, open_store):
    """A queue is noted once, and the other file has not been told of it."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    other = open_store(path.with_name("other.db"))
    other.migrate()
    other.close()
    os.replace(path.with_name("other.db"), path)
    store.enqueue([NewJob("2", "shop.task", "[[],{}]")], NOW)
    assert store.claim(1, NOW).id == "2"


def test_another_file_is_told_of_once(path, open_store):
    """Whoever has to begin anew with it is told, however many connections notice."""
    store = open_store()
    store.migrate()
    told = []
    store.when_replaced(lambda: told.append(1))
    other = open_store(path.with_name("other.db"))
    other.migrate()
    other.close()
    os.replace(path.with_name("other.db"), path)
    for _ in range(3):
        store.get("1")
        store.close()
    assert told == [1]


def test_a_new_file_does_not_take_over_the_log_of_one_that_is_gone(path, open_store):
    """What it may have of accepted jobs is kept under another name."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    log = path.with_name("jobs.db-wal").read_bytes()
    path.unlink()
    fresh = open_store()
    fresh.migrate()
    assert fresh.latest(9) == []
    (kept,) = path.parent.glob("jobs.db-wal.old-*")
    assert kept.read_bytes() == log


@pytest.mark.parametrize("lost", ["jobs.db-wal", "jobs.db-shm"])
def test_a_log_or_index_that_is_deleted_is_an_error_once(path, open_store, lost):
    """What was in the log is saved, and then all begins anew, since nobody else uses the file."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    store._database._look_again_at = 0  # as it is a tenth of a second later
    path.with_name(lost).unlink()
    with pytest.raises(StoreError, match="were deleted or replaced while it was in use"):
        store.enqueue([NewJob("2", "shop.task", "[[],{}]")], NOW)
    store.enqueue([NewJob("3", "shop.task", "[[],{}]")], NOW)
    assert [job.id for job in store.latest(9)] == ["3", "1"]


def test_a_log_that_was_deleted_is_saved_by_the_first_who_notices(path, open_store, until):
    """What it has does not depend on the others, who may be killed before they let go of it."""
    store = open_store()
    store.migrate()
    child = os.fork()
    if child == 0:
        store.get("1")
        path.with_name("ready").touch()
        time.sleep(60)
        os._exit(0)
    try:
        until(path.with_name("ready").exists)
        store.enqueue([JOB], NOW)
        path.with_name("jobs.db-wal").unlink()
        store._database._look_again_at = 0  # as it is a tenth of a second later
        with pytest.raises(StoreError, match="were deleted or replaced"):
            store.get("1")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert store.get("1").id == "1"


def test_nobody_begins_a_log_beside_one_that_others_use(path, open_store):
    """As long as another has the old one, the database is refused; then it can be used again."""
    first, second = open_store(busy_timeout=0.1), open_store(busy_timeout=0.1)
    first.migrate()
    path.with_name("jobs.db-wal").unlink()
    with pytest.raises(StoreError, match="were deleted or replaced"):
        second.get("1")
    first.close()
    assert second.get("1") is None


def test_a_call_is_not_told_to_be_safe_when_its_log_was_deleted(path, open_store):
    """`sync` raises at once, and not only when somebody looks again."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    store.sync()
    path.with_name("jobs.db-wal").unlink()
    with pytest.raises(StoreError, match="were deleted or replaced"):
        store.sync()
    assert store.get("1").id == "1"


def test_a_store_that_may_make_nothing_makes_nothing(path, open_store):
    """Neither the supervisor nor a worker makes a database that the application has lost."""
    with pytest.raises(StoreError, match="the file is gone"):
        open_store(creates=False).get("1")
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("database or disk is full", "its disk is full .*: make room in {folder}$"),
        ("database disk image is malformed", r'is damaged .*sqlite3 {path} "\.recover"$'),
        ("disk I/O error", "the disk does not do what it should .*dmesg"),
        (
            "attempt to write a readonly database",
            "cannot be written .*check owner and mode of the file",
        ),
        ("unable to open database file", "cannot be written .*check owner and mode of the file"),
        ("file is not a database", "is not an SQLite database: name another file$"),
        ("no such table: autocron_jobs", "holds no jobs"),
        ("something else", "SQLite says: something else$"),
    ],
)
def test_an_error_names_the_file_and_what_to_do(path, text, words):
    """Whatever SQLite says."""
    found = str(explained(path, text, was_in_use=False))
    pattern = words.format(path=re.escape(str(path)), folder=re.escape(str(path.parent)))
    assert re.match(f"{re.escape(str(path))}: {pattern}", found), found


def test_a_file_that_was_a_database_is_not_to_be_renamed(path):
    """What has been written over is to be restored."""
    found = str(explained(path, "file is not a database", was_in_use=True))
    assert "is not an SQLite database any more" in found
    assert "restore a backup" in found


@pytest.mark.parametrize("version", [(3, 36, 9), (3, 7, 17)])
def test_an_old_sqlite_is_refused(run_program, version):
    """The error says which is needed and which is there."""
    ended = run_program(
        f"""
        import sqlite3
        sqlite3.sqlite_version_info, sqlite3.sqlite_version = {version}, "3.old"
        import autocron
        try:
            autocron.start("jobs.db")
        except autocron.AutocronError as error:
            print(error)
        """
    )
    assert "it needs SQLite 3.37 or newer, and this Python has SQLite 3.old" in ended.stdout


# Who else holds it ----------------------------------------------------------------------------


@pytest.fixture
def other(path):
    """Return another program's connection."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        yield other


def test_a_locked_database_is_an_error_after_a_time(other, open_store):
    """After `busy_timeout` the error says so, and nothing is stored."""
    store = open_store(busy_timeout=0.2)
    store.migrate()
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreBusy, match=r"was locked by another program for more than 0\.2 s"):
        store.enqueue([JOB], NOW)
    assert time.monotonic() - began >= 0.2
    other.execute("ROLLBACK")
    assert store.get("1") is None
    store.enqueue([JOB], NOW)
    assert store.get("1").status == "WAITING"


def test_readers_do_not_wait(other, open_store):
    """To look at a job while somebody writes takes no time."""
    store = open_store(busy_timeout=30)
    store.migrate()
    store.enqueue([JOB], NOW)
    other.execute("BEGIN IMMEDIATE")
    assert store.get("1").status == "WAITING"
    assert store.counts()["WAITING"] == 1


def test_a_writer_goes_on_when_the_lock_is_free(other, open_store, until):
    """It waits for as long as it may, and no longer than it must."""
    store = open_store(busy_timeout=30)
    store.migrate()
    other.execute("BEGIN IMMEDIATE")
    writing = threading.Thread(target=lambda: store.enqueue([JOB], NOW))
    writing.start()
    writing.join(0.3)
    assert writing.is_alive()
    other.execute("ROLLBACK")
    writing.join(10)
    assert store.get("1").status == "WAITING"


def test_a_new_database_may_be_locked_too(other, open_store):
    """Also the first look at it is bounded by `busy_timeout`."""
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy):
        open_store(busy_timeout=0.05).migrate()


def test_who_only_looks_waits_for_a_database_that_is_being_made(other, path):
    """It is locked for everybody then; the admin tool may come just in that moment."""
    database = Database(path, busy_timeout=0.05, turn=nullcontext())
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy):
        database.look("SELECT count(*) FROM sqlite_schema")
    database.busy_timeout, found = 30, []
    looking = threading.Thread(
        target=lambda: found.extend(database.look("SELECT count(*) FROM sqlite_schema"))
    )
    looking.start()
    looking.join(0.3)
    assert looking.is_alive()
    other.execute("CREATE TABLE numbers (number INTEGER)")
    other.execute("COMMIT")
    looking.join(10)
    assert found == [(1,)]


# What survives a loss of power ----------------------------------------------------------------


def test_sync_forces_the_log_to_the_disk(path, open_store):
    """`fdatasync` is called on the write-ahead log, after the commit and before `sync` returns."""
    store = open_store()
    store.migrate()
    happened = []

    def watch(frame, event, function):
        if event == "c_call" and function is getattr(os, "fdatasync", os.fsync):
            log = path.with_name("jobs.db-wal").stat()
            names = [name for name in frame.f_locals if isinstance(frame.f_locals[name], int)]
            synced = [os.fstat(frame.f_locals[name]).st_ino for name in names]
            happened.append(log.st_ino in synced)
        if event == "c_call" and getattr(function, "__name__", "") == "execute":
            happened.append("statement")

    sys.setprofile(watch)
    try:
        store.enqueue([JOB], NOW)
        happened.append("stored")
        store.sync()
        happened.append("synced")
    finally:
        sys.setprofile(None)
    assert happened[-3:] == ["stored", True, "synced"]
    assert "statement" in happened[:-3]


def test_a_log_that_was_replaced_is_opened_anew(path, open_store):
    """`sync` does not force a deleted file to the disk."""
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    store.sync()
    first = os.fstat(store._database._log._descriptor).st_ino
    store.close()
    store.enqueue([NewJob("2", "t", "[[],{}]")], NOW)
    store.sync()
    assert (
        os.fstat(store._database._log._descriptor).st_ino
        == path.with_name("jobs.db-wal").stat().st_ino
    )
    assert first


# The length of the log ------------------------------------------------------------------------


def test_the_log_is_as_long_as_it_will_become(path, open_store):
    """So that forcing a commit to the disk need not take the file's new length there as well."""
    store = open_store()
    store.migrate()
    log = path.with_name("jobs.db-wal")
    store.tune()
    tuned = log.stat()
    store.tune()
    for number in range(100):
        store.enqueue([NewJob(str(number), "shop.task", "[[],{}]")], NOW)
    assert tuned.st_size == log.stat().st_size == 8 * 1024 * 1024


def test_what_a_crash_leaves_of_a_long_log_is_read(path, open_store):
    """Commits before and after the log was made long are found, and what lies behind them is not."""
    store = open_store()
    store.migrate()
    store.enqueue([NewJob("before", "shop.task", "[[],{}]")], NOW)
    store.tune()
    store.enqueue([NewJob("after", "shop.task", "[[],{}]")], NOW)
    left = path.with_name("left.db")
    for ending in ("", "-wal"):  # without the index, which does not survive a loss of power
        shutil.copy(f"{path}{ending}", f"{left}{ending}")
    assert {job.id for job in open_store(left).latest(9)} == {"before", "after"}
    with closing(sqlite3.connect(left)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_log_is_written_back_in_time(path, open_store):
    """It grows no further than it was made, whatever the size of the database's pages."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA page_size=8192")
        connection.execute("CREATE TABLE the_applications_own (name TEXT)")
    store = open_store()
    store.migrate()
    store.tune()
    for number in range(1500):
        store.enqueue([NewJob(str(number), "shop.task", "[[],{}]")], NOW)
    assert path.with_name("jobs.db-wal").stat().st_size < 9 * 1024 * 1024


def test_no_connection_crosses_a_fork(run_program):
    """All are closed before, and parent and child open their own."""
    ended = run_program(
        """
        import os
        from contextlib import nullcontext
        from pathlib import Path
        from autocron.model import NewJob
        from autocron.stores.sqlite import SqliteStore

        store = SqliteStore(Path("jobs.db"), turn=nullcontext())
        store.migrate()
        store.enqueue([NewJob("a", "t", "[[],{}]")], 1.0)
        store.sync()
        database = store._database
        assert database._idle
        child = os.fork()
        assert not database._idle
        if not child:
            try:
                assert store.get("a")
                store.sync()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        assert store.get("a")
        """
    )
    assert ended.returncode == 0, ended.stderr


def test_nobody_takes_the_log_away_from_a_fork(path, open_store):
    """Also if its parent, which has used the database before, is the first to let go of it."""
    store = open_store()
    store.migrate()
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        store.enqueue([JOB], NOW)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        store.enqueue([NewJob("2", "shop.task", "[[],{}]")], NOW)
        store.sync()
        os._exit(0)
    os.read(ready[0], 1)
    store.get("1")
    store.close()
    assert path.with_name("jobs.db-wal").exists()
    os.write(go[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    assert [job.id for job in store.latest(9)] == ["2", "1"]


# The rest of the process ----------------------------------------------------------------------


def test_nothing_is_registered_for_the_whole_process(open_store):
    """The application's own adapters and converters of `sqlite3` stay as they are."""
    adapters, converters = dict(sqlite3.adapters), dict(sqlite3.converters)
    store = open_store()
    store.migrate()
    store.enqueue([JOB], NOW)
    assert (sqlite3.adapters, sqlite3.converters) == (adapters, converters)


def test_connections_are_few_however_many_threads_come(open_store):
    """A server that starts a thread for each request does not open a connection for each."""
    store = open_store()
    store.migrate()
    for _ in range(50):
        thread = threading.Thread(target=lambda: store.get("1"))
        thread.start()
        thread.join()
    assert len(store._database._idle) == 1


def test_a_transaction_that_finds_something_busy_begins_anew(path, tmp_path):
    """What it had changed by then is undone."""
    database, holder = Database(path, busy_timeout=30, turn=nullcontext()), tmp_path / "other.db"
    tries = []

    def write(connection):
        connection.execute("CREATE TABLE numbers (number INTEGER)")
        tries.append("one")
        with (
            closing(sqlite3.connect(holder)) as first,
            closing(sqlite3.connect(holder, timeout=0)) as second,
        ):
            if len(tries) == 1:
                first.execute("BEGIN IMMEDIATE")
            second.execute("BEGIN IMMEDIATE")

    with closing(database):
        database.transaction(write)
        assert len(tries) == 2
        assert database.query("SELECT count(*) FROM numbers") == [(0,)]


def test_a_store_that_outlives_all_else_ends_quietly(run_program):
    """The interpreter empties its modules when it ends, and what is kept by the last of them goes last."""
    done = run_program(
        """
        import os
        from contextlib import nullcontext
        from pathlib import Path
        from autocron.stores.sqlite import SqliteStore

        os.kept = SqliteStore(Path("jobs.db").absolute(), turn=nullcontext())
        os.kept.migrate()
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_store_that_is_dropped_leaves_nothing_open(path, open_files):
    """Also if somebody has used it after it was closed."""
    store = SqliteStore(path, turn=nullcontext())
    store.migrate()
    store.close()
    store.enqueue([JOB], NOW)
    store.sync()
    del store
    assert not [file for file in open_files() if file.startswith(str(path))]


def test_a_closed_store_opens_again(open_store):
    """To close it twice does no harm either."""
    store = open_store()
    store.migrate()
    store.close()
    store.close()
    store.enqueue([JOB], NOW)
    assert store.get("1").id == "1"
