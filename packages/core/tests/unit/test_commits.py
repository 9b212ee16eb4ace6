"""Calls in a transaction of a framework: here, of one that is a list."""

import gc
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest

import autocron
from autocron.app import connect
from autocron.errors import NotCommitted, RolledBack, StoreBusy
from autocron.integration import ModuleIntegration

TEXT = """
import autocron

@autocron.delay
def mail(to): ...

@autocron.delay(enqueue_on_commit=True)
def mail_on_commit(to): ...
"""


class WithTransactions(ModuleIntegration):
    """Has a transaction when there is a list for what waits for its commit."""

    waiting = None

    def on_commit(self, callback):
        """Keep what is to be called."""
        if self.waiting is None:
            return False
        self.waiting.append(callback)
        return True

    @contextmanager
    def transaction(self, *, commits=True):
        """Be in a transaction, and commit it at the end or not."""
        self.waiting = []
        yield
        waiting, self.waiting = self.waiting, None
        if commits:
            for callback in waiting:
                callback()
        waiting.clear()


@pytest.fixture
def tasks(make_module):
    """Return a module with tasks."""
    return make_module(TEXT)


@pytest.fixture
def application(path, tasks, request):
    """An application whose framework has transactions."""
    settings = {"database": path, "autostart": False} | getattr(request, "param", {})
    application = WithTransactions([], None, settings)
    connect(application)
    yield application
    autocron.stop()


def stored():
    """Return whom the stored mails are for."""
    return [job.arguments.split('"')[1] for job in reversed(autocron.jobs())]


def test_a_call_waits_for_the_commit_if_it_is_to(application, tasks):
    """By the task or for one call; others are stored at once."""
    with application.transaction():
        tasks.mail("now")
        result = tasks.mail_on_commit("by the task")
        tasks.mail.options(enqueue_on_commit=True)("by the call")
        tasks.mail_on_commit.options(enqueue_on_commit=False)("now, too")
        assert stored() == ["now", "now, too"]
        assert (result.status, result.ready, result.result, result.error) == (
            "WAITING",
            False,
            None,
            None,
        )
    assert stored() == ["now", "now, too", "by the task", "by the call"]
    result.wait_stored(0)
    assert autocron.result(result.id).status == "WAITING"
    assert result.cancel()


@pytest.mark.parametrize("application", [{"enqueue_on_commit": True}], indirect=True)
def test_the_setting_is_the_default(application, tasks):
    """A call says otherwise."""
    with application.transaction():
        tasks.mail("later")
        tasks.mail.options(enqueue_on_commit=False)("now")
        assert stored() == ["now"]
    assert stored() == ["now", "later"]


def test_outside_of_a_transaction_nothing_waits(application, tasks):
    """There is nothing to wait for."""
    assert tasks.mail_on_commit("now").storing is None
    assert stored() == ["now"]


def test_without_a_framework_nothing_waits(path, tasks):
    """`autocron.start()` knows of no transactions."""
    autocron.start(path, autostart=False)
    tasks.mail_on_commit("now")
    assert stored() == ["now"]
    autocron.stop()


def test_a_handle_knows_that_its_call_was_rolled_back(application, tasks):
    """However it is asked, and whoever waits in another thread is told as well."""
    errors = []

    def wait():
        try:
            result.wait(30)
        except RolledBack as error:
            errors.append(error)

    with application.transaction(commits=False):
        result = tasks.mail_on_commit("never")
        thread = threading.Thread(target=wait)
        thread.start()
    gc.collect()
    thread.join()
    assert len(errors) == 1
    assert stored() == []
    for look in (lambda: result.status, lambda: result.ready, result.cancel, result.wait_stored):
        with pytest.raises(RolledBack, match=f"{tasks.mail.name}_on_commit .* no job {result.id}"):
            look()


def test_in_the_transaction_nobody_waits_for_its_commit(application, tasks):
    """It would have no end: an error says when to wait."""
    with application.transaction():
        result = tasks.mail_on_commit("later")
        for wait in (result.wait, result.cancel, result.wait_stored):
            with pytest.raises(NotCommitted, match="wait for it after that"):
                wait()


def test_calls_of_an_event_loop_are_stored_by_a_thread_after_the_commit(application, tasks):
    """A commit in an event loop does not wait for the disk; its handle does."""
    import asyncio

    async def main():
        with application.transaction():
            result = tasks.mail_on_commit("later")
        await asyncio.wait_for(result.stored(), 30)
        assert stored() == ["later"]

    asyncio.run(main())


def test_after_the_commit_it_can_be_waited_for_though_it_is_not_stored_yet(application, tasks):
    """In an event loop that may take a while, in which nobody must be told that it has not committed."""
    import asyncio

    async def main():
        with application.transaction():
            result = tasks.mail_on_commit("later")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result, 0.2)  # nobody runs it

    asyncio.run(main())


@pytest.mark.parametrize("application", [{"busy_timeout": 0.01}], indirect=True)
def test_what_keeps_jobs_from_being_stored_is_told_to_both(application, tasks, path):
    """To whoever commits, and to the handle."""
    transaction = application.transaction()
    transaction.__enter__()
    result = tasks.mail_on_commit("later")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusy):
            transaction.__exit__(None, None, None)
        other.execute("ROLLBACK")
    with pytest.raises(StoreBusy):
        result.wait_stored(0)


@pytest.mark.parametrize("application", [{"enabled": False}], indirect=True)
def test_a_disabled_autocron_waits_for_nothing(application, tasks):
    """Calls run in their callers."""
    with application.transaction():
        assert tasks.mail_on_commit("now").ready
