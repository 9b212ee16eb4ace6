"""The loop of a worker: claim, execute, settle, and wait when there is nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from autocron import events, registry
from autocron.clock import Clock, system_clock
from autocron.current import CurrentJob, enter, leave
from autocron.errors import JobInterrupt, StoreError, TimeLimitExceeded
from autocron.model import (
    AskedAgain,
    Cancelled,
    ClaimedJob,
    Failed,
    Outcome,
    Produced,
    Progress,
    Released,
    Retrying,
    Settled,
    Succeeded,
)
from autocron.running import verdict
from autocron.running.executor import execute, failure
from autocron.running.outage import Outage
from autocron.running.report import report
from autocron.stores.protocol import Store
from autocron.zones import zone_named, zone_of_machine

T = TypeVar("T")

_SHUT_DOWN = "the application ended while it was running"


class Limits(Protocol):
    """Keep an attempt within its time, and have it stopped when that is asked for."""

    interrupted: type[JobInterrupt] | None
    """What was raised in the latest attempt, if it was interrupted."""

    def begin(self, job: ClaimedJob) -> None:
        """Allow an attempt to be interrupted."""

    def end(self) -> None:
        """Let nothing be interrupted any more; twice does no harm."""


@dataclass(frozen=True)
class Surroundings:
    """What a worker needs of the process and the application around it."""

    find_function: Callable[[str], Callable[..., Any]]
    """Returns what runs a task; raises TaskNotFound."""
    job_context: Callable[[ClaimedJob], AbstractContextManager[Any]]
    """Entered around every job."""
    limits: Limits
    """Of the attempts."""
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
    is_outdated: Callable[[], bool]
    """Whether the code has changed since it was imported; if so, this worker is told to stop."""
    why_to_retire: Callable[[int], str | None]
    """Returns why a worker that has run so many jobs is to be replaced; None if it is not."""
    retire: Callable[[], None]
    """Has another worker start in the place of this one."""


class Worker:
    """Runs jobs one after the other, until it is stopped.

    Args:
        number: the worker's own.
        store: where the jobs are.
        surroundings: the process and the application around it.
        clock: gives the time.
        is_durable: whether what must not run twice waits for the disk before it begins.
    """

    def __init__(
        self,
        number: int,
        store: Store,
        surroundings: Surroundings,
        clock: Clock = system_clock,
        *,
        is_durable: bool = True,
    ) -> None:
        self._number = number
        self._store = store
        self._around = surroundings
        self._clock = clock
        self._is_durable = is_durable
        self._stopping = threading.Event()
        self._current: ClaimedJob | None = None
        self._count = 0
        self._unstored: Outcome | None = None
        self._outage = Outage("worker.store_failed", "worker.store_works", number=number)

    @property
    def count(self) -> int:
        """How many jobs it has run."""
        return self._count

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
        if job is None:
            return
        if outcome is None:  # or else it has ended, but there was no room to say so
            outcome = verdict.after_interruption(job, _SHUT_DOWN)
        settled = self._store.settle(job, outcome, self._clock())
        if settled.status is not None:
            self._report(job, outcome, settled)

    def _work_on(self, job: ClaimedJob) -> ClaimedJob | None:
        """Run a job, end it, and return the next one."""
        self._current = job
        began = time.perf_counter()
        outcome = self._unstored = self._outcome(job)
        seconds = time.perf_counter() - began
        self._count += 1
        self._retire_if_worn_out()
        # Also when it is to stop: a job whose outcome is dropped would run again.
        settled = self._persist(self._settle, job, outcome)
        assert settled is not None
        self._current, self._unstored = settled.next, None
        self._report(job, outcome, settled, seconds)
        return settled.next

    def _outcome(self, job: ClaimedJob) -> Outcome:
        """Run a job, and return what is to become of it."""
        if not self._may_begin(job):
            return Released()
        events.emit("job.started", id=job.id, task=job.task, attempt=job.attempt)
        produced = self._attempt(job)
        # A job of newer code waits for a worker that has it: this one is about to be replaced.
        is_misfit = isinstance(produced, Failed) and not verdict.MISFITS.isdisjoint(produced.kinds)
        if is_misfit and self._around.is_outdated():
            return Released()
        return verdict.after_attempt(job, produced, self._clock())

    def _may_begin(self, job: ClaimedJob) -> bool:
        """Have the disk know that a job has begun, if it must not begin twice even after a loss of power."""
        if job.policy.on_crash != "fail" or not self._is_durable:
            return True
        return bool(self._persist(self._sync, or_stop=True))

    def _sync(self) -> bool:
        self._store.sync()
        return True

    def _attempt(self, job: ClaimedJob) -> Produced:
        around = self._around
        token = enter(lambda: around.current(job))
        produced: Produced
        try:
            around.limits.begin(job)
            produced = execute(
                around.find_function, job.task, job.arguments, lambda: around.job_context(job)
            )
            around.limits.end()
        except JobInterrupt as interrupt:  # it came when the task had just ended
            produced = failure(interrupt)
            around.limits.end()
        leave(token)
        around.before_settling()
        interrupted = around.limits.interrupted
        return produced if interrupted is None else _interrupted(job, produced, interrupted)

    def _retire_if_worn_out(self) -> None:
        reason = None if self._stopping.is_set() else self._around.why_to_retire(self._count)
        if reason is not None:
            events.emit("worker.retired", number=self._number, reason=reason)
            self._stopping.set()
            self._around.retire()

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

    def _report(
        self, job: ClaimedJob, outcome: Outcome, settled: Settled, seconds: float = 0.0
    ) -> None:
        if settled.awaited:
            self._around.notify()
        if isinstance(outcome, Retrying | Released) or job.scheduled_for is not None:
            self._around.look_again()
        report(job, outcome, settled, self._clock(), seconds)


def current_job_of(
    job: ClaimedJob, store: Store, report: Callable[[Progress], object], timezone: str | None
) -> CurrentJob:
    """Return what a task may know of the job by which it is run.

    Args:
        job: as it was claimed.
        store: where it is.
        report: takes what the task says of its progress.
        timezone: that of the settings, for schedules that do not name one.
    """
    due = None if job.scheduled_for is None else _in_zone(job.task, job.scheduled_for, timezone)
    is_cancel_requested = partial(store.is_cancel_requested, job.id)
    return CurrentJob(job.id, job.task, job.attempt, due, is_cancel_requested, report)


def _in_zone(task: str, moment: float, timezone: str | None) -> datetime:
    """Return a time in the zone of the schedule of a task."""
    schedule = registry.find_schedule(task)
    name = (schedule and schedule.timezone) or timezone or zone_of_machine()
    zone = zone_named(name)
    local = datetime.fromtimestamp(moment, zone)
    return local if zone else local.astimezone()


def _interrupted(job: ClaimedJob, produced: Produced, why: type[JobInterrupt]) -> Produced:
    """Return what an attempt came to that was interrupted: it may have gone well all the same."""
    match produced:
        case Succeeded() | Cancelled():
            return produced
        case AskedAgain(cause) | (Failed() as cause):
            if why is TimeLimitExceeded:
                return verdict.limit_reached(job, was_killed=False, traceback=cause.traceback)
            return verdict.stopped(was_killed=False, traceback=cause.traceback)
