"""Storing jobs behind the back of an event loop: one thread that commits together what has gathered."""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from autocron import events
from autocron.model import NewJob
from autocron.running.outage import Outage

_FLUSH_AT_EXIT = 30.0
_TOGETHER = 1000


class _Batch(NamedTuple):
    jobs: Sequence[NewJob]
    future: Future[None]


def copy_outcome(target: Future[None], source: Future[None]) -> None:
    """End a future as another one, which is done, has ended."""
    error = source.exception()
    if error is None:
        target.set_result(None)
    else:
        target.set_exception(error)


class BackgroundWriter:
    """Stores jobs in a thread of its own, in the order in which they were given.

    Args:
        store: stores jobs, all or none, and returns when they are stored for good.
    """

    def __init__(self, store: Callable[[Sequence[NewJob]], None]) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[_Batch] = queue.SimpleQueue()
        self._pending = 0
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._outage = Outage("app.store_failed", "app.store_works")
        self._not_stored = 0
        threading.Thread(target=self._run, name="autocron-writer", daemon=True).start()
        atexit.register(self._flush_at_exit)

    def put(self, jobs: Sequence[NewJob]) -> Future[None]:
        """Take jobs over without waiting; the future is done when they are stored, or cannot be."""
        batch = _Batch(jobs, Future())
        batch.future.set_running_or_notify_cancel()  # nobody can cancel it any more
        with self._changed:
            self._pending += 1
        self._waiting.put(batch)
        return batch.future

    def flush(self, timeout: float | None = None) -> bool:
        """Return when all that was put in is stored, or False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending == 0, timeout)

    def _flush_at_exit(self) -> None:
        if self._pid != os.getpid():
            return  # a fork, which has neither the thread nor anything to store
        is_flushed = self.flush(_FLUSH_AT_EXIT)
        count = self._not_stored + (0 if is_flushed else self._pending)
        if count:
            events.emit("app.not_flushed", count=count)

    def _run(self) -> None:
        while True:
            batches = self._gather()
            self._store_together(batches)
            with self._changed:
                self._pending -= len(batches)
                self._changed.notify_all()

    def _gather(self) -> list[_Batch]:
        batches = [self._waiting.get()]
        while len(batches) < _TOGETHER:
            try:
                batches.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batches

    def _store_together(self, batches: list[_Batch]) -> None:
        jobs = [job for batch in batches for job in batch.jobs]
        try:
            self._store(jobs)
        except Exception as error:  # whatever it is, the callers must be told, and the thread go on
            self._not_stored += len(jobs)
            tasks = ", ".join(sorted({job.task for job in jobs}))
            self._outage.failed(error, count=len(jobs), tasks=tasks)
            for batch in batches:
                batch.future.set_exception(error)
        else:
            lost, self._not_stored = self._not_stored, 0
            self._outage.ended(count=lost)
            for batch in batches:
                batch.future.set_result(None)
