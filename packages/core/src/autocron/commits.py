"""Jobs that are stored when a transaction of the framework's database commits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import TypeAlias

from autocron import events
from autocron.errors import NotCommitted, RolledBack
from autocron.model import Attempt, Job, JobStatus, NewJob
from autocron.results import JobSource
from autocron.writer import copy_outcome

Store: TypeAlias = Callable[[Sequence[NewJob]], "Future[None] | None"]
"""Stores jobs, or returns the future of that."""


class JobsOfTransaction:
    """Where the handles on jobs find these, before and after they are stored.

    Args:
        jobs: what is to be stored.
        source: where they are then.
    """

    def __init__(self, jobs: Sequence[NewJob], source: JobSource) -> None:
        self._jobs = jobs
        self._source = source
        self._thread = threading.get_ident()
        self._has_committed = False
        self.storing: Future[None] = Future()
        """Done when the jobs are stored, or are not going to be."""
        self.storing.set_running_or_notify_cancel()

    def at_commit(self, store: Store) -> Callable[[], None]:
        """Return what is to be called at the commit, and let go of when the transaction is rolled back."""

        def store_now(jobs: Sequence[NewJob]) -> Future[None] | None:
            self._has_committed = True
            return store(jobs)

        return _AtCommit(self._jobs, store_now, self.storing)

    def job(self, job_id: str) -> Job | None:
        """Return a job, once it is stored."""
        return self._source.job(job_id)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the attempts at a job that did not succeed."""
        return self._source.attempts(job_id)

    def cancel(self, job_id: str, *, force: bool) -> JobStatus | None:
        """Cancel a job."""
        return self._source.cancel(job_id, force=force)

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back when a job has ended."""
        self._source.when_ended(job_id, callback)

    def will_store(self) -> None:
        """Do nothing, unless it is waited for in the very transaction.

        Raises:
            NotCommitted: it is.
        """
        is_here = threading.get_ident() == self._thread
        if is_here and not self._has_committed and not self.storing.done():
            raise NotCommitted(id=self._jobs[0].id, task=self._jobs[0].task)


class _AtCommit:
    """Is called once, or never: then the transaction was rolled back."""

    def __init__(self, jobs: Sequence[NewJob], store: Store, storing: Future[None]) -> None:
        self._jobs = jobs
        self._store = store
        self._storing = storing
        self._was_called = False

    def __call__(self) -> None:
        self._was_called = True
        try:
            stored = self._store(self._jobs)
        except BaseException as error:  # whatever it is, the handles are to know it as well
            self._storing.set_exception(error)
            # Who commits may not tell anybody: it has committed all the same.
            count, task = len(self._jobs), self._jobs[0].task
            events.emit("app.store_failed", count=count, tasks=task, error=error)
            raise
        if stored is None:
            self._storing.set_result(None)
        else:
            stored.add_done_callback(partial(copy_outcome, self._storing))

    def __del__(self) -> None:
        if not self._was_called:
            job = self._jobs[0]
            self._storing.set_exception(RolledBack(id=job.id, task=job.task))
