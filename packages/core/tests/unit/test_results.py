import asyncio
import threading
import time

import pytest

import autocron
from autocron import codec
from autocron.errors import (
    JobCancelled,
    JobFailed,
    NotStarted,
    UnknownJob,
    UnreadableValue,
    WaitTimeout,
)
from autocron.model import Failed, NewJob, Retrying, Succeeded, new_job_id
from autocron.processes.folder import RuntimeFolder
from autocron.processes.wakeup import wake_listeners

NOW = time.time()


@pytest.fixture
def put(started, store):
    """A function that puts a job in and returns its handle."""

    def put(task="shop.task"):
        job = NewJob(new_job_id(), task, "[[],{}]")
        store.enqueue([job], NOW)
        return autocron.result(job.id)

    return put


@pytest.fixture
def end(store, path):
    """A function that ends the next job as a worker does."""

    def end(outcome):
        settled = store.settle(store.claim(1, NOW), outcome, NOW)
        if settled.awaited:
            wake_listeners(RuntimeFolder.of(path).listeners)

    return end


def test_a_handle_follows_its_job(put, store):
    """It waits, runs and is done; properties read the state of now."""
    result = put()
    assert (result.status, result.ready, result.result) == ("WAITING", False, None)
    job = store.claim(1, NOW)
    assert (result.status, result.ready, result.result) == ("RUNNING", False, None)
    store.settle(job, Succeeded(codec.encode((1, "a"))), NOW)
    assert (result.status, result.ready, result.result) == ("DONE", True, (1, "a"))
    assert (result.error, result.traceback, result.storing) == (None, None, None)
    assert repr(result) == f"<autocron.Result {result.id}>"


def test_none_is_a_result_too(put, end):
    """`wait` tells it from there being nothing."""
    result = put()
    end(Succeeded("null"))
    assert result.ready
    assert result.wait(0.1) is None


def test_a_failed_job_tells_why(put, end):
    """Message and traceback can be read, and `wait` raises."""
    result = put("shop.pay")
    end(Failed("ValueError: no", "Traceback ..."))
    assert (result.status, result.error, result.traceback) == (
        "ERROR",
        "ValueError: no",
        "Traceback ...",
    )
    assert result.result is None
    with pytest.raises(JobFailed, match=r"\(shop\.pay\) failed: ValueError: no"):
        result.wait(5)


def test_a_cancelled_job_is_an_error_of_its_own(put):
    """Who waits for it learns that it was cancelled."""
    result = put("shop.pay")
    assert result.cancel()
    assert (result.status, result.ready) == ("CANCELLED", True)
    with pytest.raises(JobCancelled, match=r"\(shop\.pay\) was cancelled"):
        result.wait(5)
    assert result.cancel()


def test_whoever_waits_is_told_that_a_job_is_cancelled(put):
    """At once, and not when it looks again."""
    result = put()
    raised = []

    def wait():
        try:
            autocron.result(result.id).wait(30)
        except JobCancelled as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    result.cancel()
    thread.join(30)
    assert len(raised) == 1


def test_a_running_or_ended_job_is_not_cancelled(put, store, end):
    """The one is asked, the other is left alone; one that is gone is an error."""
    result = put()
    job = store.claim(1, NOW)
    assert not result.cancel()
    assert store.is_cancel_requested(result.id)
    assert store.to_be_stopped() == {}
    assert not result.cancel(force=True)
    assert store.to_be_stopped() == {1: result.id}
    store.settle(job, Succeeded("1"), NOW)
    assert not result.cancel()
    with pytest.raises(UnknownJob):
        autocron.result("gone").cancel()


def test_a_handle_knows_the_attempts_that_failed(put, store):
    """Each with its error and traceback, also when the job went well in the end."""
    result = put()
    assert result.attempts == []
    for number in (1, 2):
        failure = Failed(f"error {number}", f"Traceback {number}")
        store.settle(store.claim(1, NOW), Retrying(failure, None), NOW)
    store.settle(store.claim(1, NOW), Succeeded("1"), NOW)
    kept = [(attempt.number, attempt.error, attempt.traceback) for attempt in result.attempts]
    assert kept == [(1, "error 1", "Traceback 1"), (2, "error 2", "Traceback 2")]


def test_there_may_be_no_such_job(started):
    """An id that was never given, or whose outcome is deleted, is an error that says so."""
    for job_id in (new_job_id(), "", "no id at all", "x' OR 1=1"):
        result = autocron.result(job_id)
        for read in ("status", "ready", "result", "error", "traceback"):
            with pytest.raises(UnknownJob, match="there is no job"):
                getattr(result, read)
        with pytest.raises(UnknownJob):
            result.wait(5)


def test_an_ended_job_is_remembered(put, end, store):
    """A handle that has seen the end does not lose it when the outcome is deleted."""
    seen, unseen = put(), put()
    end(Succeeded("1"))
    end(Succeeded("2"))
    assert seen.ready
    assert store.prune(lambda: NOW + 1e6, 10) == 2
    assert seen.wait(0) == 1
    with pytest.raises(UnknownJob):
        unseen.wait(5)


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_to_wait_may_take_too_long(put, timeout):
    """The error says for how long, and the job goes on."""
    result = put()
    with pytest.raises(WaitTimeout, match=rf"did not end within {timeout} s"):
        result.wait(timeout)
    with pytest.raises(TimeoutError):
        result.wait(timeout)
    assert result.status == "WAITING"


def test_waiting_ends_with_the_job(put, end, store, until):
    """Who waits is woken, whichever process ends the job, and so are several who wait."""
    result, outcomes = put(), []
    waiting = [threading.Thread(target=lambda: outcomes.append(result.wait(30))) for _ in "abc"]
    for thread in waiting:
        thread.start()
    until(lambda: store._database.query("SELECT awaited FROM autocron_jobs")[0][0])
    end(Succeeded("5"))
    for thread in waiting:
        thread.join(10)
    assert outcomes == [5, 5, 5]


def test_a_stop_ends_the_waiting(put, store, until):
    """Who waits in another thread is told that nobody will wake him, and not that the job failed."""
    result, errors = put(), []

    def wait():
        with pytest.raises(NotStarted) as caught:
            result.wait(30)
        errors.append(caught.value)

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: store._database.query("SELECT awaited FROM autocron_jobs")[0][0])
    autocron.stop()
    thread.join(10)
    assert len(errors) == 1


def test_a_handle_can_be_awaited(put, end, store, until):
    """In an event loop, more than once, and without stopping the loop."""
    result = put()

    async def view():
        first = asyncio.ensure_future(_awaited(result))
        await asyncio.get_running_loop().run_in_executor(
            None,
            lambda: until(lambda: store._database.query("SELECT awaited FROM autocron_jobs")[0][0]),
        )
        end(Succeeded('"x"'))
        return await first, await result

    async def _awaited(result):
        return await result

    assert asyncio.run(view()) == ("x", "x")


def test_an_await_may_be_given_up(put, end, until):
    """A loop that has been closed meanwhile is no trouble for who wakes it."""
    result = put()

    async def view():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result, 0.05)

    asyncio.run(view())
    end(Succeeded("5"))
    assert result.wait(10) == 5


def test_a_result_that_somebody_else_wrote(put, end):
    """What cannot be read is an error, and no other value."""
    result = put()
    end(Succeeded('{"$":"os.system","v":"x"}'))
    with pytest.raises(UnreadableValue):
        _ = result.result
    with pytest.raises(UnreadableValue):
        result.wait(5)
