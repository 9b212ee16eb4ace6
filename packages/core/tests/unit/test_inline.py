import pytest

import autocron
from autocron.errors import JobFailed, UnknownJob
from autocron.model import JobStatus

TEXT = """
import autocron

ran = []

@autocron.delay(retries=3, seconds=60, queue="mail")
def good(value):
    ran.append(value)
    return (value, value)

@autocron.delay
def bad():
    raise ValueError("no")

@autocron.delay
def odd():
    return object()

@autocron.delay
def again():
    raise autocron.Retry("busy", after=5)

@autocron.delay
def withdraw():
    raise autocron.Cancel("not needed")

@autocron.delay
async def slow():
    return "in the end"

@autocron.delay
def parent():
    return good("from parent").result
"""


@pytest.fixture
def disabled(path):
    """This process, with autocron switched off."""
    autocron.start(path, enabled=False)
    yield
    autocron.stop()


@pytest.fixture
def tasks(make_module, disabled):
    """Return a module with tasks."""
    return make_module(TEXT)


def test_the_function_runs_in_the_caller(tasks):
    """When the call returns it has run, and its handle is ready."""
    result = tasks.good("a")
    assert tasks.ran == ["a"]
    assert (result.ready, result.status) == (True, "DONE")
    assert result.result == result.wait(0) == ("a", "a")
    assert (result.error, result.traceback, result.storing) == (None, None, None)


def test_such_jobs_are_found_by_those_who_look_for_them(tasks):
    """A page that shows a job by its id, or the latest, works as it does with workers."""
    good, bad = tasks.good("a"), tasks.bad()
    assert autocron.result(good.id).wait(1) == ("a", "a")
    assert autocron.result(bad.id).error == "ValueError: no"
    assert [job.id for job in autocron.jobs()] == [bad.id, good.id]
    assert [job.id for job in autocron.jobs(status=JobStatus.DONE)] == [good.id]
    assert [job.id for job in autocron.jobs(limit=1)] == [bad.id]


def test_only_the_latest_are_kept(tasks):
    """A process that goes on for long does not grow without end."""
    first = tasks.parent()
    results = tasks.good.enqueue_many([(number,) for number in range(1100)])
    assert len(autocron.jobs(5000)) == 1000
    assert results[-1].id == autocron.jobs(1)[0].id
    with pytest.raises(UnknownJob):
        autocron.result(first.id).wait()
    assert first.status == "DONE"


def test_an_error_is_logged(tasks, caplog):
    """As a worker would, since the caller may have dropped the handle."""
    tasks.bad()
    assert "tasks_of_test.bad) failed: ValueError: no" in caplog.text
    assert 'raise ValueError("no")' in caplog.text


def test_calls_made_before_the_start_run_at_the_start(make_module, path):
    """Their handles are ready then."""
    module = make_module(TEXT)
    result = module.good("early")
    autocron.start(path, enabled=False)
    assert module.ran == ["early"]
    assert result.wait(1) == ("early", "early")
    autocron.stop()


def test_an_error_is_in_the_handle(tasks):
    """The caller is not hit by it, as it would not be by a worker's."""
    result = tasks.bad()
    assert (result.status, result.error, result.result) == ("ERROR", "ValueError: no", None)
    assert 'raise ValueError("no")' in result.traceback
    with pytest.raises(JobFailed, match=r"tasks_of_test\.bad\) failed: ValueError: no"):
        result.wait()


def test_what_could_not_be_stored_is_an_error(tasks):
    """A test with autocron switched off finds what would fail with it."""
    assert tasks.odd().error.startswith("UnsupportedValue")
    with pytest.raises(TypeError):
        tasks.good(object())
    with pytest.raises(TypeError):
        tasks.good()


def test_async_functions_run_too(tasks):
    """With or without a running event loop, and the handle can be awaited."""
    import asyncio

    assert tasks.slow().result == "in the end"

    async def view():
        return await tasks.slow()

    assert asyncio.run(view()) == "in the end"


def test_a_task_may_call_another(tasks):
    """That one runs there and then, too."""
    assert tasks.parent().result == ("from parent", "from parent")


def test_many_run_in_their_order(tasks):
    """`enqueue_many` gives handles that are ready."""
    results = tasks.good.enqueue_many([("a",), {"value": "b"}])
    assert [result.result for result in results] == [("a", "a"), ("b", "b")]
    assert tasks.ran == ["a", "b"]


def test_nothing_is_started(tasks, path):
    """There is no supervisor."""
    from autocron.processes.folder import RuntimeFolder
    from autocron.processes.locks import is_held

    tasks.good(1)
    assert not is_held(RuntimeFolder.of(path).supervisor_lock)


def test_what_a_task_asks_for_ends_its_only_attempt(tasks):
    """There is nobody to make another: a retry is a failure, and what was cancelled is cancelled."""
    result = tasks.again()
    assert (result.status, result.error) == ("ERROR", "Retry: busy")
    assert [attempt.outcome for attempt in result.attempts] == ["RETRY"]
    result = tasks.withdraw()
    assert (result.status, result.error) == ("CANCELLED", "Cancel: not needed")
    assert result.cancel(force=True)
    assert autocron.result(result.id).cancel()
