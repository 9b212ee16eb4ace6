"""The caller's handle on a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from autocron import codec
from autocron.errors import JobCancelled, JobFailed, NotStarted, UnknownJob, WaitTimeout
from autocron.model import Attempt, Job, JobStatus, Progress

if TYPE_CHECKING:
    from concurrent.futures import Future

R = TypeVar("R")


class JobSource(Protocol):
    """Where a handle finds its job."""

    def job(self, job_id: str) -> Job | None:
        """Return the job as it stands now, or None if there is none (any more)."""

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the attempts at a job that did not succeed, the first one first."""

    def cancel(self, job_id: str, *, force: bool) -> JobStatus | None:
        """Cancel a job, and return where it stands then, or None if there is none (any more)."""

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Have `callback` called once, by any thread, when the job has ended or is gone."""

    def will_store(self) -> None:
        """Do nothing if a job that is not stored yet is going to be; raise what keeps it from that."""


class Result(Generic[R]):
    """The handle on one job, given by calling a task or rebuilt with `autocron.result(id)`.

    It can be dropped: the job runs all the same, and its outcome is deleted after its time to
    live. Every property reads the job's present state; nothing is cached but a final one.

    Example:
        ```python
        result = send_mail("a@example.org", "hi")
        result.status          # JobStatus.WAITING
        result.wait(timeout=5) # what send_mail returned
        await result           # the same, in an event loop
        ```
    """

    __slots__ = ("_ended", "_id", "_source", "_storing")

    def __init__(self, job_id: str, source: JobSource, storing: Future[None] | None = None) -> None:
        self._id = job_id
        self._source = source
        self._storing = storing
        self._ended: Job | None = None

    def __repr__(self) -> str:
        return f"<autocron.Result {self._id}>"

    @property
    def id(self) -> str:
        """The job's id, with which `autocron.result(id)` finds it from any process."""
        return self._id

    @property
    def storing(self) -> Future[None] | None:
        """Done when the job is stored; None if it was when the call returned."""
        return self._storing

    @property
    def status(self) -> JobStatus:
        """One of `WAITING`, `RUNNING`, `DONE`, `ERROR` and `CANCELLED`.

        Raises:
            UnknownJob: there is no such job, or its time to live is over.
        """
        if self._storing is not None and not self._storing.done():
            return JobStatus.WAITING
        return self._job().status

    @property
    def ready(self) -> bool:
        """Whether the job has ended, well or not."""
        return self.status.is_final

    @property
    def result(self) -> R | None:
        """What the task returned; None as long as there is nothing."""
        job = self._job_if_stored()
        if job is None or job.result is None:
            return None
        return cast(R, codec.decode(job.result))

    @property
    def error(self) -> str | None:
        """The message of the error that ended the latest attempt; None if there is none."""
        job = self._job_if_stored()
        return job.error if job else None

    @property
    def traceback(self) -> str | None:
        """The traceback that belongs to `error`, as text; None if there is none."""
        job = self._job_if_stored()
        return job.traceback if job else None

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts at the job that did not succeed, the first one first: each with its error.

        The latest thousand are kept, for as long as the job itself.
        """
        if self._job_if_stored() is None:
            return []
        return self._source.attempts(self._id)

    @property
    def progress(self) -> Progress | None:
        """How far the latest attempt has come, if the task says so with `autocron.progress()`."""
        job = self._job_if_stored()
        return job.progress if job else None

    def cancel(self, *, force: bool = False) -> bool:
        """Have the job not run; return whether it is cancelled.

        A job that waits never runs. One that is running is asked to stop: the task sees that in
        `current_job().cancel_requested`, and if this attempt fails, there is no other. So this returns False, and
        `wait()` tells what comes of it. A job that has ended is left as it is.

        Args:
            force: stop a running job: `JobStopped` is raised in it, and if it has not ended after the time
                that the setting `kill_after` gives, its worker is killed.

        Raises:
            NotStarted: the job is kept for a `start()` that has not come yet.
            UnknownJob: there is no such job, or its time to live is over.
        """
        if self._storing is not None:
            self._check_storing(self._storing)
            self._storing.result()
        status = self._source.cancel(self._id, force=force)
        if status is None:
            raise UnknownJob(id=self._id)
        return status is JobStatus.CANCELLED

    def wait(self, timeout: float | None = None) -> R:
        """Wait until the job has ended, and return what the task returned.

        Args:
            timeout: how many seconds to wait at most; None for as long as it takes.

        Raises:
            NotStarted: the job is kept for a `start()` that has not come yet.
            JobFailed: the task raised, or could not be run; has its message.
            JobCancelled: the job was cancelled.
            WaitTimeout: (a `TimeoutError`) the job goes on, but the time is over.
            UnknownJob: there is no such job, or its time to live is over.
        """
        ended = threading.Event()
        self._when_ended(ended.set)
        if not ended.wait(timeout):
            raise WaitTimeout(id=self._id, timeout=timeout)
        return self._outcome()

    def __await__(self) -> Generator[Any, None, R]:
        return self._wait_in_loop().__await__()

    async def _wait_in_loop(self) -> R:
        import asyncio

        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        self._when_ended(lambda: _call_in(loop, ended.set))
        await ended.wait()
        return self._outcome()

    async def stored(self) -> None:
        """Return when the job is stored, for a call that was made in an event loop.

        Raises:
            NotStarted: the job is kept for a `start()` that has not come yet.
            NotCommitted: it waits for the commit of the transaction that goes on here.
            StoreError: it could not be stored, and will not run.
        """
        if self._storing is not None:
            import asyncio

            self._check_storing(self._storing)
            await asyncio.shield(asyncio.wrap_future(self._storing))

    def wait_stored(self, timeout: float | None = None) -> None:
        """Like `stored()`, for callers outside an event loop; `timeout` is in seconds.

        Raises:
            NotStarted: the job is kept for a `start()` that has not come yet.
            NotCommitted: it waits for the commit of the transaction that goes on here.
            StoreError: it could not be stored, and will not run.
            TimeoutError: it is not stored yet.
        """
        if self._storing is not None:
            self._check_storing(self._storing)
            self._storing.result(timeout)

    def _check_storing(self, storing: Future[None]) -> None:
        """Raise what keeps a job from being stored, since waiting for it may have no end."""
        if not storing.done():
            self._source.will_store()

    def _when_ended(self, callback: Callable[[], None]) -> None:
        storing = self._storing
        if storing is not None and not storing.done():
            self._check_storing(storing)
            storing.add_done_callback(lambda _: self._when_ended(callback))
        elif self._ended is not None or (storing is not None and storing.exception() is not None):
            callback()  # in the latter case it will never run
        else:
            self._source.when_ended(self._id, callback)

    def _job_if_stored(self) -> Job | None:
        if self._storing is not None and not self._storing.done():
            return None
        return self._job()

    def _job(self) -> Job:
        if self._ended is not None:
            return self._ended
        if self._storing is not None:
            self._storing.result()  # raises what kept the job from being stored
        job = self._source.job(self._id)
        if job is None:
            raise UnknownJob(id=self._id)
        if job.status.is_final:
            self._ended = job
        return job

    def _outcome(self) -> R:
        job = self._job()
        if not job.status.is_final:
            raise NotStarted  # it was stopped while we waited
        if job.status is JobStatus.CANCELLED:
            raise JobCancelled(id=job.id, task=job.task)
        if job.status is not JobStatus.DONE or job.result is None:
            raise JobFailed(id=job.id, task=job.task, error=job.error)
        return cast(R, codec.decode(job.result))


def _call_in(loop: Any, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        pass  # the loop was closed meanwhile, and nobody waits any more
