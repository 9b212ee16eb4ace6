"""The loop of a worker: claim, execute, settle, and wait when there is nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

from autocron import events
from autocron.clock import Clock, system_clock
from autocron.current import CurrentJob, enter, leave
from autocron.errors import StoreError
from autocron.model import ClaimedJob, Failed, Outcome, Retrying, Settled
from autocron.running.executor import execute
from autocron.running.outage import Outage
from autocron.scheduling.retries import pause_after
from autocron.stores.protocol import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Surroundings:
    """What a worker needs of the process and the application around it."""

    find_function: Callable[[str], Callable[..., Any]]
    """Returns the function of a task; raises TaskNotFound."""
    job_context: Callable[[ClaimedJob], AbstractContextManager[Any]]
    """Entered around every job."""
    wait_for_work: Callable[[], None]
    """Returns when there may be a job, or the worker is to stop."""
    wake_next: Callable[[], object]
    """Called when a worker that was idle has got a job: there may be more for others."""
    before_settling: Callable[[], None]
    """Returns when the calls that the job has made are stored."""
    current: Callable[[ClaimedJob], CurrentJob]
    """Returns what the task may know of its job."""
    look_again: Callable[[], object]
    """Called when there is something new to wait for: a retry, or the end of a schedule's run."""
    notify: Callable[[], None]
    """Called when a job has ended that somebody waits for."""


class Worker:
    """Runs jobs one after the other, until it is stopped.

    Args:
        number: the worker's own.
        store: where the jobs are.
        surroundings: the process and the application around it.
        clock: gives the time.
    """

    def __init__(
        self, number: int, store: Store, surroundings: Surroundings, clock: Clock = system_clock
    ) -> None:
        self._number = number
        self._store = store
        self._around = surroundings
        self._clock = clock
        self._stopping = threading.Event()
        self._current: ClaimedJob | None = None
        self._unstored: Outcome | None = None
        self._outage = Outage("worker.store_failed", "worker.store_works", number=number)

    def stop(self) -> None:
        """Have `run` return after the present job; may be called by any thread, and twice."""
        self._stopping.set()

    def run(self) -> None:
        """Run jobs until `stop` is called."""
        job: ClaimedJob | None = None
        while job is not None or not self._stopping.is_set():
            if job is None:
                job = self._persist(self._claim, or_stop=True)
                if job is not None:
                    self._around.wake_next()
            if job is None:
                self._around.wait_for_work()
            else:
                job = self._work_on(job)

    def give_back(self) -> None:
        """Give back the present job, which does not end: it will run again, as if it had not begun."""
        job, outcome = self._current, self._unstored
        if job is not None and outcome is not None:  # it has ended, but there was no room to say so
            self._settle(job, outcome)
        elif job is not None and self._store.release(job):
            events.emit("job.released", id=job.id, task=job.task)

    def _work_on(self, job: ClaimedJob) -> ClaimedJob | None:
        """Run a job, end it, and return the next one."""
        self._current = job
        events.emit("job.started", id=job.id, task=job.task, attempt=job.attempt)
        began = time.perf_counter()
        outcome = self._unstored = self._with_retries(job, self._attempt(job))
        # Also when it is to stop: a job whose outcome is dropped would run again.
        settled = self._persist(self._settle, job, outcome)
        assert settled is not None
        self._current, self._unstored = settled.next, None
        self._report(job, outcome, settled, time.perf_counter() - began)
        return settled.next

    def _attempt(self, job: ClaimedJob) -> Outcome:
        around = self._around
        token = enter(lambda: around.current(job))
        outcome = execute(
            around.find_function, job.task, job.arguments, lambda: around.job_context(job)
        )
        leave(token)
        around.before_settling()
        return outcome

    def _with_retries(self, job: ClaimedJob, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Failed) and job.attempt <= job.retries:
            return Retrying(outcome, self._clock() + pause_after(job.attempt))
        return outcome

    def _claim(self) -> ClaimedJob | None:
        return self._store.claim(self._number, self._clock())

    def _settle(self, job: ClaimedJob, outcome: Outcome) -> Settled:
        claim_for = None if self._stopping.is_set() else self._number
        return self._store.settle(job, outcome, self._clock(), claim_for)

    def _persist(self, work: Callable[..., T], *arguments: Any, or_stop: bool = False) -> T | None:
        """Do what must be done with the store, for as long as it takes.

        Args:
            work: what is to be done.
            arguments: of `work`.
            or_stop: to give up when stopped meanwhile, and return None.
        """
        while True:
            try:
                outcome = work(*arguments)
            except StoreError as error:
                pause = self._outage.failed(error)
            else:
                self._outage.ended()
                return outcome
            if not or_stop:
                time.sleep(pause)
            elif self._stopping.wait(pause):
                return None

    def _report(self, job: ClaimedJob, outcome: Outcome, settled: Settled, seconds: float) -> None:
        if settled.awaited:
            self._around.notify()
        if isinstance(outcome, Retrying) or job.scheduled_for is not None:
            self._around.look_again()
        match outcome:
            case _ if not settled.accepted:
                events.emit("job.lost", id=job.id, task=job.task)
            case Retrying(Failed(error), run_at):
                pause = run_at - self._clock()
                events.emit(
                    "job.retrying",
                    id=job.id, task=job.task, error=error, next=job.attempt + 1, pause=pause,
                )  # fmt: skip
            case Failed(error, traceback):
                events.emit(
                    "job.failed", id=job.id, task=job.task, error=error, traceback=traceback
                )
            case _:
                events.emit("job.done", id=job.id, task=job.task, seconds=seconds)
