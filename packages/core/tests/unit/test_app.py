import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import autocron
from autocron import events
from autocron.errors import (
    AlreadyStarted,
    DatabaseUnusable,
    NotStarted,
    SettingsError,
    StartedTwice,
    StoreBusy,
    StoreError,
    WaitTimeout,
)
from autocron.integration import ModuleIntegration
from autocron.model import NewJob
from autocron.outbox import Outbox

TEXT = """
import autocron

@autocron.delay
def send(to): ...
"""


@pytest.fixture
def send(make_module):
    """Return a task."""
    return make_module(TEXT).send


def test_a_second_start_with_the_same_settings_does_nothing(path, started):
    """A module that is imported twice may call it twice, also with a relative path."""
    client = autocron.app.current_client()
    autocron.start(path, autostart=False)
    autocron.start(os.path.relpath(path), autostart=False)
    assert autocron.app.current_client() is client


def test_a_second_start_with_other_settings_is_an_error(path, started):
    """Both are shown, and the first stays in force."""
    with pytest.raises(AlreadyStarted, match=r"workers=2.*cannot be used"):
        autocron.start(path, autostart=False, workers=2)
    with pytest.raises(AlreadyStarted, match=r"other\.db"):
        autocron.start(path.with_name("other.db"), autostart=False)
    assert not path.with_name("other.db").exists()


def test_to_stop_twice_does_no_harm(path):
    """Nor before a start; after it, another database may be started."""
    autocron.stop()
    autocron.stop()
    autocron.start(path, autostart=False)
    autocron.stop()
    autocron.stop()
    autocron.start(path.with_name("other.db"), autostart=False)
    assert autocron.jobs() == []
    autocron.stop()
    assert path.with_name("other.db").exists()


def test_to_stop_waits_for_calls_that_somebody_waits_for(run_program):
    """A thread that is told of the end of a job is not locked out by the stop that waits for it."""
    ended = run_program(
        """
        import contextlib, os, sqlite3, threading, autocron

        @autocron.delay
        def send(to): ...

        def wait(result):
            with contextlib.suppress(autocron.AutocronError):  # it is stopped meanwhile
                result.wait(20)

        if __name__ == "__main__":
            autocron.start("site.db", autostart=False, handover="background")
            other = sqlite3.connect("site.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            results = [send(number) for number in range(50)]
            threads = [
                threading.Thread(target=wait, args=(result,), daemon=True) for result in results
            ]
            threads.append(threading.Thread(target=autocron.stop, daemon=True))
            for thread in threads:
                thread.start()
            other.execute("ROLLBACK")
            for thread in threads:
                thread.join(20)
                if thread.is_alive():
                    os._exit(9)
            assert other.execute("SELECT count(*) FROM autocron_jobs").fetchone() == (50,)
        """
    )
    assert ended.returncode == 0, ended.stderr


def test_without_a_start_there_is_no_database():
    """What needs one says what to do."""
    for ask in (autocron.jobs, lambda: autocron.result("x")):
        with pytest.raises(NotStarted, match=r'call autocron\.start\("project\.db"\) first'):
            ask()


@pytest.mark.parametrize("settings", [{"workers": 0}, {"worker": 1}, {"durability": "half"}])
def test_wrong_settings_start_nothing(path, settings):
    """There is no database, and nothing is half done."""
    with pytest.raises(SettingsError):
        autocron.start(path, **settings)
    assert list(path.parent.iterdir()) == []
    with pytest.raises(NotStarted):
        autocron.jobs()


def test_a_wrong_stored_setting_is_left_out(path, store, caplog):
    """What a newer version or another hand has stored is named in the log, and all else is in force."""
    store.change_settings({"workers": 0, "ttl": 5.0, "from_the_future": 1})
    store.close()
    autocron.start(path, autostart=False, workers=2)
    settings = autocron.app.current_client().settings
    autocron.stop()
    assert (settings.workers, settings.ttl) == (2, 5.0)
    assert "workers=0: must be a whole number from 1 to 64" in caplog.text
    assert "unknown setting from_the_future" in caplog.text


def test_a_start_that_fails_leaves_nothing_open(path, started, open_files):
    """Here since a column is missing; the next one would have another store."""
    autocron.stop()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE autocron_settings RENAME COLUMN value TO price")
    with pytest.raises(StoreError, match="no such column: value") as failed:
        autocron.start(path, autostart=False)
    assert str(path) not in open_files()
    del failed  # which has kept all that was under way


class Unsure(ModuleIntegration):
    """An adapter that fails."""

    def should_start(self):
        """Find out."""
        raise RuntimeError("is this a server?")


def test_a_start_that_an_adapter_breaks_off_leaves_nothing_open(path, open_files):
    """Nor is it the one that gets all calls."""
    with pytest.raises(RuntimeError, match="is this a server") as failed:
        autocron.app.connect(Unsure({}, settings={"database": path}))
    assert str(path) not in open_files()
    with pytest.raises(NotStarted):
        autocron.app.current_client()
    del failed  # which has kept all that was under way


def test_an_unusable_database_starts_nothing(path):
    """A later start with a better one works."""
    path.mkdir()
    with pytest.raises(DatabaseUnusable, match="is a directory: name a file in it"):
        autocron.start(path)
    with pytest.raises(NotStarted):
        autocron.jobs()
    assert list(path.parent.iterdir()) == [path]


def test_calls_made_before_the_start_are_kept(send, path):
    """They are stored by it, in their order, and their handles work from then on."""
    before = [send("a"), *send.enqueue_many([("b",), ("c",)])]
    assert [result.status for result in before] == ["WAITING"] * 3
    assert [result.ready for result in before] == [False] * 3
    assert all(not result.storing.done() for result in before)
    autocron.start(path, autostart=False)
    assert [job.id for job in reversed(autocron.jobs())] == [result.id for result in before]
    assert all(result.storing.done() for result in before)
    assert [result.status for result in before] == ["WAITING"] * 3
    for result in before:
        result.wait_stored(0)
    autocron.stop()


def test_calls_survive_a_start_that_cannot_store_them(send, path, started):
    """A lock on the database costs the start, which is undone, and none of the calls."""
    autocron.stop()
    result = send("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            autocron.start(path, autostart=False, busy_timeout=0.05)
        with pytest.raises(NotStarted):
            autocron.jobs()
    assert result.status == "WAITING"
    autocron.start(path, autostart=False)
    assert [job.id for job in autocron.jobs()] == [result.id]
    autocron.stop()


def test_nobody_waits_for_what_no_start_may_ever_store(send, path):
    """Waiting before a start is an error, and not a wait without an end."""
    result = send("a")
    with pytest.raises(NotStarted, match="or set up the extension of your framework"):
        result.wait(0.1)
    with pytest.raises(NotStarted):
        result.wait_stored()
    with pytest.raises(NotStarted):
        asyncio.run(result.stored())
    autocron.start(path, autostart=False)
    with pytest.raises(WaitTimeout):
        result.wait(0.1)
    autocron.stop()


def test_calls_that_go_on_without_a_start_are_worth_a_warning():
    """Once, and not for those that are made while the application is imported."""
    told, now = [], [0.0]
    outbox = Outbox(lambda: now[0])
    events.subscribe(lambda name, details: told.append((name, details)))
    try:
        for now[0] in (1.0, 5.0, 10.9):
            outbox.dispatch([NewJob("a", "shop.send", "[[],{}]")])
        assert told == []
        for now[0] in (11.1, 20.0):
            outbox.dispatch([NewJob("a", "shop.send", "[[],{}]")])
    finally:
        events._subscribers.pop()
        outbox._calls.clear()  # or the end of the tests would be worth a warning, too
    assert told == [("app.not_started", {"count": 4, "tasks": "shop.send"})]


def test_calls_made_while_start_runs_are_stored(path, make_module):
    """Many threads call while the application starts: each call is in the database, once."""
    send = make_module(TEXT).send
    results, going = [], threading.Event()

    def call():
        going.wait()
        results.extend([send(number) for number in range(20)])

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    send("first")
    going.set()
    autocron.start(path, autostart=False)
    for thread in threads:
        thread.join()
    assert len(results) == 80
    assert {result.id for result in results} <= {job.id for job in autocron.jobs(100)}
    assert len(autocron.jobs(100)) == 81
    autocron.stop()


def test_a_fork_leaves_the_calls_to_the_process_that_made_them(run_program):
    """Both start, as behind a preloading server; the call is stored once, and its handle works."""
    ended = run_program(
        """
        import os, autocron

        @autocron.delay
        def send(to): ...

        if __name__ == "__main__":
            result = send("a")
            child = os.fork()
            autocron.start("site.db", autostart=False)
            if child:
                assert os.waitpid(child, 0)[1] == 0
                assert [job.id for job in autocron.jobs()] == [result.id]
                assert result.status == "WAITING"
            else:
                autocron.stop()
                os._exit(0)
        """
    )
    assert ended.returncode == 0, ended.stderr


def test_start_beside_an_extension_is_an_error(path, started):
    """In either order: it would start a second set of workers and run each schedule twice."""
    with pytest.raises(StartedTwice, match=r"remove autocron\.start\(\)"):
        autocron.app.connect(ModuleIntegration({}, settings={"database": path.with_name("b.db")}))
    autocron.stop()
    autocron.app.connect(ModuleIntegration({}, settings={"database": path, "autostart": False}))
    with pytest.raises(StartedTwice):
        autocron.start(path)
    autocron.stop()


class Application:
    """What an adapter connects."""

    def __init__(self, database):
        settings = {"database": database, "autostart": False}
        integration = ModuleIntegration({}, settings=settings)
        self.client = autocron.app.connect(integration, owner=self)


def is_open(path):
    """Whether this process has a file open."""
    descriptors = Path("/proc/self/fd").iterdir()
    return str(path) in [os.readlink(each) for each in descriptors if each.is_symlink()]


def test_an_application_that_is_gone_has_no_part_in_anything(send, path):
    """Neither its database nor a call; those for which nobody knows another client go to the next application."""
    early = send("early")
    first, second = (Application(path.with_name(name)) for name in ("first.db", "second.db"))
    assert autocron.app.current_client() is first.client
    assert first.client.job(early.id).status == "WAITING"
    assert is_open(path.with_name("first.db"))
    del first
    gc.collect()
    result = send("a")
    assert second.client.job(result.id).status == "WAITING"
    assert not is_open(path.with_name("first.db"))
    del second
    gc.collect()
    with pytest.raises(NotStarted):
        autocron.app.current_client()
    kept = send("b")
    third = Application(path)
    assert third.client.job(kept.id).status == "WAITING"
    autocron.stop()


def test_calls_survive_a_failed_start(send, path, tmp_path):
    """Only the start that works takes them over."""
    result = send("a")
    with pytest.raises(StoreError):
        autocron.start(tmp_path)
    autocron.start(path, autostart=False)
    assert [job.id for job in autocron.jobs()] == [result.id]
    autocron.stop()


def test_a_process_that_ends_without_a_start_says_so(run_program):
    """Its log names how many calls are lost, and of which tasks."""
    ended = run_program(
        """
        import autocron

        @autocron.delay
        def send(to): ...

        @autocron.delay
        def count(): ...

        send("a")
        send.enqueue_many([("b",), ("c",)])
        count()
        """
    )
    assert ended.returncode == 0
    assert ended.stderr == (
        "this process ends without having started autocron, so calls made in it will not run, "
        "4 in all (program.count, program.send): call autocron.start(), or set up your framework's "
        "extension\n"
    )


def test_a_process_that_has_called_nothing_is_silent(run_program):
    """Importing tasks is no reason to warn."""
    ended = run_program("import autocron\n@autocron.delay\ndef send(to): ...\n")
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", "")


HANDOVER = """
import asyncio, sys, autocron

@autocron.delay
def send(to): ...

if __name__ == "__main__":
    autocron.start("jobs.db", autostart=False, handover=sys.argv[1])

    async def view():
        results = [send(str(number)) for number in range(100)]
        print(sum(result.storing is None for result in results))
        if sys.argv[2] == "await":
            await results[-1].stored()
            print(len(autocron.jobs(1000)))

    asyncio.run(view())
"""


@pytest.mark.parametrize("handover", ["auto", "background"])
@pytest.mark.parametrize("how", ["await", "forget"])
def test_calls_in_an_event_loop_are_stored_in_the_background(run_program, path, how, handover):
    """None waits; all are stored when one awaits it, or when the program ends in order."""
    ended = run_program(HANDOVER, handover, how)
    assert ended.stderr == ""
    assert ended.stdout.split() == ["0", "100"] if how == "await" else ["0"]
    autocron.start(path, autostart=False)
    assert len(autocron.jobs(1000)) == 100
    autocron.stop()


def test_handover_can_be_made_to_wait(run_program):
    """With `"wait"` a call in an event loop returns when its job is stored."""
    ended = run_program(HANDOVER, "wait", "forget")
    assert ended.stdout.split() == ["100"]


def test_what_is_stored_survives_a_kill(run_program, path):
    """A call that has returned is committed: nothing is lost by `kill -9` straight after."""
    ended = run_program(
        """
        import autocron, os, signal

        @autocron.delay
        def send(to): ...

        if __name__ == "__main__":
            autocron.start("jobs.db", autostart=False)
            for number in range(10):
                send(number)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert ended.returncode == -9
    autocron.start(path, autostart=False)
    assert len(autocron.jobs()) == 10
    autocron.stop()


def test_calls_of_a_forked_child_are_stored(run_program, path):
    """Before and after the fork, in parent and child, also when the parent was in a thread."""
    ended = run_program(
        """
        import autocron, os

        @autocron.delay
        def send(to): ...

        if __name__ == "__main__":
            autocron.start("jobs.db", autostart=False)
            send("parent, before")
            child = os.fork()
            for number in range(20):
                send(f"{os.getpid()} {number}")
            if child:
                assert os.waitpid(child, 0)[1] == 0
            os._exit(0)
        """
    )
    assert ended.returncode == 0, ended.stderr
    autocron.start(path, autostart=False)
    assert len(autocron.jobs()) == 41
    autocron.stop()


def test_many_threads_may_call_at_once(send, started):
    """Each call is stored once."""
    threads = [
        threading.Thread(target=lambda: [send(str(number)) for number in range(20)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started.jobs(1000)) == 160


def test_jobs_can_be_listed_by_status(send, started):
    """Newest first, as many as are wanted."""
    results = send.enqueue_many([("a",), ("b",), ("c",)])
    assert [job.id for job in started.jobs(2)] == [results[2].id, results[1].id]
    assert len(started.jobs(status=autocron.JobStatus.WAITING)) == 3
    assert started.jobs(status=autocron.JobStatus.DONE) == []


def test_a_relative_path_is_taken_from_the_current_directory(tmp_path, monkeypatch):
    """By `start`, whatever happens to the directory afterwards."""
    monkeypatch.chdir(tmp_path)
    autocron.start("jobs.db", autostart=False)
    monkeypatch.chdir(os.sep)
    assert autocron.jobs() == []
    autocron.stop()
    assert tmp_path.joinpath("jobs.db").exists()


def test_a_program_can_be_run_from_standard_input(tmp_path):
    """Where there is no file, `start` without tasks works, and says nothing."""
    text = "import autocron; autocron.start('jobs.db', autostart=False); print(autocron.jobs())"
    ended = subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_stored_says_what_kept_it(send, path, tmp_path):
    """A job that could not be stored in the background raises where that is asked for."""
    autocron.start(path, autostart=False, handover="background", busy_timeout=0.05)
    import sqlite3

    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    result = send("a")
    with pytest.raises(StoreError, match="was locked by another program"):
        result.wait_stored(30)
    with pytest.raises(StoreError):
        asyncio.run(result.stored())
    with pytest.raises(StoreError):
        _ = result.status
    other.close()
    autocron.stop()
