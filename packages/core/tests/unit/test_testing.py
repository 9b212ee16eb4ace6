"""`capture`, `drain` and `eager`, without a framework."""

import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest

import autocron
from autocron.errors import JobFailed, NotStarted
from autocron.integration import ModuleIntegration
from autocron.processes.crew import HIGHEST_NUMBER
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.testing import capture, drain, eager

TEXT = """
import threading

import autocron

ran = []

@autocron.delay
def note(*args, **kwargs):
    ran.append((args, kwargs))
    return len(ran)

@autocron.delay
async def note_in_loop(text):
    ran.append(text)
    return text

@autocron.delay
def relay(text):
    return note(text).id

@autocron.delay(retries=1, backoff=0)
def fail(text):
    ran.append(autocron.current_job().attempt)
    raise ValueError(text)

@autocron.delay
def interrupt():
    ran.append("begun")
    raise KeyboardInterrupt

@autocron.delay
async def interrupt_in_loop():
    ran.append("begun")
    raise KeyboardInterrupt

begun, may_end = threading.Event(), threading.Event()

@autocron.delay
def meet(text):
    begun.set()
    assert may_end.wait(30)
    return text

@autocron.delay
def leave():
    raise SystemExit(3)

@autocron.delay
def halfway():
    autocron.progress(1, 2)

@autocron.cron("0 2 * * *")
def nightly():
    ran.append("nightly")
"""


@pytest.fixture
def tasks(make_module):
    """Return a module with tasks; autocron is not started."""
    return make_module(TEXT)


@pytest.fixture
def started(path):
    """This process, connected to a database, without workers."""
    autocron.start(path, autostart=False, ttl=60)
    yield
    autocron.stop()


# capture ----------------------------------------------------------------------------------------


def test_calls_are_captured_in_their_order(tasks):
    """With all that is known of them; nothing runs. autocron need not be started for it."""
    with capture() as calls:
        assert len(calls) == 0
        tasks.note("a", copies=2)
        tasks.relay.options(minutes=5, queue="slow", priority=3)("b")
        first, second = calls
        assert (first.task, first.args, first.kwargs) == (tasks.note.name, ("a",), {"copies": 2})
        assert (first.due, first.queue, first.priority) == (None, "default", 0)
        assert (second.args, second.queue, second.priority) == (("b",), "slow", 3)
        assert second.due.utcoffset().total_seconds() == 0
        assert autocron.result(first.id).status == "WAITING"
    assert tasks.ran == []


def test_what_was_captured_stays_after_the_block(tasks):
    """Its database is deleted by then."""
    with capture() as calls:
        tasks.note("a")
    assert [call.args for call in calls] == [("a",)]
    assert calls[0:1] == list(calls)
    assert "('a',)" in repr(calls)
    with pytest.raises(NotStarted):
        autocron.result(calls[0].id)


@pytest.mark.parametrize("of", ["name", "end of it", "task", "function"])
def test_calls_of_one_task_are_chosen(tasks, of):
    """By the task, its function, or its name, of which the end is enough."""
    with capture() as calls:
        tasks.note("a")
        tasks.note_in_loop("b")
        tasks.note("c")
    chosen = {
        "name": tasks.note.name,
        "end of it": "note",
        "task": tasks.note,
        "function": tasks.note.function,
    }[of]
    assert [call.args for call in calls.of(chosen)] == [("a",), ("c",)]
    assert calls.of("ote") == []


def test_blocks_can_be_nested(tasks):
    """Calls go to the innermost one, and each has its own."""
    with capture() as outer:
        tasks.note("outer")
        with capture() as inner:
            tasks.note("inner")
        tasks.note("outer again")
    assert [call.args[0] for call in outer] == ["outer", "outer again"]
    assert [call.args[0] for call in inner] == ["inner"]


def test_calls_of_other_threads_are_captured(tasks):
    """As those of a server that a test has started."""
    with capture() as calls:
        thread = threading.Thread(target=tasks.note, args=("a",))
        thread.start()
        thread.join()
        assert len(calls) == 1


def test_the_applications_own_database_is_left_alone(tasks, started):
    """It is used again after the block; settings other than the database hold in the block as well."""
    with capture():
        tasks.note("captured")
        assert autocron.app.current_client().settings.ttl == 60
    tasks.note("stored")
    assert [job.arguments for job in autocron.jobs()] == ['[["stored"],{}]']


def test_a_block_that_fails_ends_all_the_same(tasks, started):
    """What comes after it is not captured."""
    with pytest.raises(TypeError), capture():
        tasks.note(object())
    tasks.note("stored")
    assert len(autocron.jobs()) == 1


def test_wrong_calls_are_refused_as_always(tasks):
    """A test sees what the application would see."""
    with capture() as calls, pytest.raises(TypeError):
        tasks.note(object())
    assert len(calls) == 0


# drain ------------------------------------------------------------------------------------------


def test_all_that_is_due_is_run(tasks, started):
    """In this process, and what that hands over as well; its outcome is stored."""
    result, inner = tasks.note("a"), tasks.relay("b")
    later = tasks.note.options(hours=1)("later")
    assert drain() == 3
    assert tasks.ran == [(("a",), {}), (("b",), {})]
    assert (result.status, result.result) == ("DONE", 1)
    assert autocron.result(inner.result).status == "DONE"
    assert later.status == "WAITING"
    assert drain() == 0


def test_retries_are_run_when_their_time_has_come(tasks, started):
    """The outcome is that of the last attempt."""
    result = tasks.fail("no luck")
    assert drain() == 2
    assert tasks.ran == [1, 2]
    assert (result.status, result.error) == ("ERROR", "ValueError: no luck")
    assert len(result.attempts) == 2


def test_coroutines_schedules_and_progress_work(tasks, started):
    """As in a worker; the task of a schedule can be called."""
    in_loop, halfway = tasks.note_in_loop("a"), tasks.halfway()
    tasks.nightly()
    assert drain() == 3
    assert tasks.ran == ["a", "nightly"]
    assert in_loop.result == "a"
    assert halfway.progress.fraction == 0.5


def test_what_ends_programs_ends_a_job(tasks, started):
    """A task that calls `sys.exit()` does not end the tests."""
    result = tasks.leave()
    assert drain() == 1
    assert result.error == "SystemExit: 3"


@pytest.mark.parametrize("name", ["interrupt", "interrupt_in_loop"])
def test_ctrl_c_ends_the_tests_and_not_the_job(tasks, started, name):
    """It is given back, and can be run again."""
    result = getattr(tasks, name)()
    with pytest.raises(KeyboardInterrupt):
        drain()
    assert result.status == "WAITING"
    assert result.attempts == []


def test_it_is_a_worker_among_others(tasks, path, started):
    """It has a number and a lock of its own while it runs, and leaves nothing behind."""
    folder = RuntimeFolder.of(path)
    found = []

    class Looking(ModuleIntegration):
        @contextmanager
        def job_context(self, job):
            store = autocron.app.current_client().store
            found.append([worker.number for worker in store.workers()])
            found.append(is_held(folder.worker_lock(HIGHEST_NUMBER)))
            yield

    autocron.app.current_client()._integration = Looking([])
    tasks.note("a")
    assert drain() == 1
    assert found == [[HIGHEST_NUMBER], True]
    assert autocron.app.current_client().store.workers() == []
    assert not is_held(folder.worker_lock(HIGHEST_NUMBER))


def test_somebody_who_waits_is_told(tasks, path, started, until):
    """`wait()` in another thread returns, and does not have to look for itself after half a minute."""
    result, outcomes = tasks.note("a"), []
    thread = threading.Thread(target=lambda: outcomes.append(result.wait(10)))
    thread.start()
    with closing(sqlite3.connect(path)) as database:
        until(lambda: database.execute("SELECT awaited FROM autocron_jobs").fetchall() == [(1,)])
    drain()
    thread.join()
    assert outcomes == [1]


def test_what_is_handed_over_in_the_background_is_waited_for(tasks, path):
    """Calls before the first job, calls that a job makes, and calls that are captured."""
    autocron.start(path, autostart=False, handover="background")
    for _ in range(20):
        tasks.relay("a")
    assert drain() == 40
    with capture() as calls:
        for _ in range(20):
            tasks.note("a")
        assert len(calls) == 20
    autocron.stop()


def test_without_a_database_there_is_nothing_to_drain():
    """It says what to do."""
    with pytest.raises(NotStarted):
        drain()


# eager ------------------------------------------------------------------------------------------


def test_calls_run_in_their_callers(tasks):
    """At once; handles are ready, and can be found by their ids in the block."""
    with eager():
        result = tasks.note("a")
        assert (result.ready, result.result) == (True, 1)
        assert autocron.result(result.id).status == "DONE"
        assert autocron.result(tasks.relay("b").result).result == 2
    assert tasks.ran == [(("a",), {}), (("b",), {})]


def test_what_is_raised_comes_out(tasks, capfd):
    """As it was raised, with its traceback, and without being logged besides."""
    with eager(), pytest.raises(ValueError, match="no luck") as caught:
        tasks.fail("no luck")
    assert caught.traceback[-1].name == "fail"
    assert capfd.readouterr().err == ""
    assert tasks.ran == [1]


def test_what_is_raised_can_be_left_to_the_handle(tasks):
    """As it would be with workers."""
    with eager(raise_errors=False):
        result = tasks.fail("no luck")
        assert (result.status, result.error) == ("ERROR", "ValueError: no luck")
        with pytest.raises(JobFailed):
            result.wait(0)


def test_an_error_of_one_thread_is_not_that_of_another(tasks):
    """Calls of several threads may run at a time."""
    results = []
    with eager():
        thread = threading.Thread(target=lambda: results.append(tasks.meet("a").result))
        thread.start()
        assert tasks.begun.wait(30)
        with pytest.raises(ValueError, match="no luck"):
            tasks.fail("no luck")
        tasks.may_end.set()
        thread.join()
    assert results == ["a"]


def test_an_error_of_one_call_is_not_that_of_the_next(tasks):
    """After an error, calls go on."""
    with eager():
        with pytest.raises(ValueError, match="no luck"):
            tasks.fail("no luck")
        assert tasks.note("a").ready


def test_nothing_runs_within_capture_though_the_application_is_disabled(path, make_module):
    """An app that sets `enabled=False` for its tests may capture in some of them."""
    note = make_module(TEXT).note
    autocron.start(path, enabled=False)
    try:
        with capture() as calls:
            result = note("hi")
            assert result.status == "WAITING"
            assert drain() == 1
            assert result.result == 1
        assert [call.args for call in calls] == [("hi",)]
        assert note("there").result == 2
    finally:
        autocron.stop()
