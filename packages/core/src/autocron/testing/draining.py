"""Running jobs in the process of a test, instead of in workers."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from autocron.app import current_client
from autocron.client import Client
from autocron.clock import system_clock
from autocron.coroutines import run_coroutine
from autocron.errors import JobInterrupt
from autocron.integration import find_function
from autocron.model import WorkerInfo
from autocron.processes.crew import HIGHEST_NUMBER
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock
from autocron.processes.spawn import VERSION
from autocron.processes.wakeup import wake_listeners
from autocron.running.worker import Surroundings, Worker, current_job_of

_AT_ONCE = 500


def drain() -> int:
    """Run all jobs that are due in this process, and those that they hand over; return how many that were.

    A job goes the way that it would go in a worker: within the context of its framework, with retries, and
    with its outcome stored. Jobs whose time has not come are left to wait, as are retries. Time limits are not
    enforced, and schedules are not looked at: call the task of one. Ctrl-C interrupts it, and gives the job
    back.

    Raises:
        NotStarted: no database is known yet.

    Example:
        ```python
        def test_sign_up(client, mailbox):
            with autocron.testing.capture():
                client.post("/sign-up", data={"address": "a@example.org"})
                assert autocron.testing.drain() == 1
            assert mailbox[0].to == "a@example.org"
        ```
    """
    client = current_client()
    client.flush()
    with _number_of_worker(client) as number:
        return _run_all(client, number)


def _run_all(client: Client, number: int) -> int:
    interrupts: list[KeyboardInterrupt] = []

    def end_if_interrupted() -> None:
        client.flush()
        if interrupts:
            raise interrupts[0]

    def stop_if_nothing_is_due() -> None:
        if not store.promote(system_clock, _AT_ONCE):
            worker.stop()

    def find(name: str) -> Callable[..., Any]:
        return partial(_run, find_function(name, client.is_task), interrupts)

    store, settings = client.store, client.settings
    around = Surroundings(
        find_function=find,
        job_context=client.integration.job_context,
        limits=_NoLimits(),
        wait_for_work=stop_if_nothing_is_due,
        wake_next=_nothing,
        before_settling=end_if_interrupted,
        current=lambda job: current_job_of(
            job, store, partial(store.set_progress, job), settings.timezone
        ),
        look_again=_nothing,
        notify=lambda: wake_listeners(RuntimeFolder.of(settings.database).listeners),
        is_outdated=bool,
        why_to_retire=lambda _count: None,
        retire=_nothing,
    )
    worker = Worker(number, store, around, is_durable=settings.durability == "full")
    try:
        worker.run()
    except BaseException:  # Ctrl-C: the job is not to count as begun
        worker.give_back()
        raise
    return worker.count


def _run(
    function: Callable[..., Any], interrupts: list[KeyboardInterrupt], *args: Any, **kwargs: Any
) -> Any:
    """Run a task, and note if whoever runs the tests wants to end them: no outcome of the task is that."""
    try:
        value = function(*args, **kwargs)
        return run_coroutine(value) if inspect.iscoroutine(value) else value
    except KeyboardInterrupt as interrupt:
        interrupts.append(interrupt)
        raise


@contextmanager
def _number_of_worker(client: Client) -> Iterator[int]:
    """Be a worker among others, should there be any: with a number and a lock of its own."""
    folder = RuntimeFolder.of(client.settings.database)
    locks = {number: Lock(folder.worker_lock(number)) for number in range(HIGHEST_NUMBER, 0, -1)}
    number = next(number for number, lock in locks.items() if lock.acquire(wait=False))
    try:
        client.store.add_worker(WorkerInfo(number, os.getpid(), system_clock(), VERSION))
        yield number
        client.store.remove_worker(number)
    finally:
        locks[number].release()


def _nothing() -> None:
    """Do nothing: no other process is concerned."""


class _NoLimits:
    """Attempts are neither limited nor stopped: a test may stand still at a breakpoint."""

    interrupted: type[JobInterrupt] | None = None

    def begin(self, job: object) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""
