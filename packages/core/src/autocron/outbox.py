"""Calls that are made before `start()`."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from autocron import events
from autocron.client import Client
from autocron.clock import system_clock
from autocron.errors import NotStarted
from autocron.model import Attempt, Job, JobStatus, NewJob, Schedule, StoredSchedule
from autocron.processes.log import start_logging
from autocron.results import Result
from autocron.writer import copy_outcome

_PATIENCE = 10.0


class Outbox:
    """Keeps the calls that are made before `start()`; what starts first takes them over.

    They belong to the process that made them: a fork of it forgets them, or they would be stored by both.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._calls: list[tuple[Sequence[NewJob], Future[None]]] = []
        self._client: Client | None = None
        self._first_call = 0.0
        self._has_warned = False

    @property
    def is_inherited(self) -> bool:
        """Whether it is that of the process that this one was forked from."""
        return self._pid != os.getpid()

    def dispatch(self, jobs: Sequence[NewJob]) -> list[Result[Any]]:
        """Keep jobs until there is a database for them."""
        with self._guard:
            if self._client is None:
                return self._keep(jobs)
        return self._client.dispatch(jobs)

    def plan(self, schedule: Schedule) -> StoredSchedule:
        """Return a schedule as it would be registered now."""
        from autocron.running import scheduler

        if self._client is not None:
            return self._client.plan(schedule)
        return scheduler.plan(scheduler.in_zone(schedule, None), None, system_clock())

    def _keep(self, jobs: Sequence[NewJob]) -> list[Result[Any]]:
        storing: Future[None] = Future()
        storing.set_running_or_notify_cancel()
        now = self._monotonic()
        if not self._calls:
            self._first_call = now
            atexit.register(self._warn_at_exit)
        self._calls.append((jobs, storing))
        # Calls while the application is imported are in order, but these go on.
        if now - self._first_call > _PATIENCE and not self._has_warned:
            self._has_warned = True
            start_logging()
            count, tasks = self._kept()
            events.emit("app.not_started", count=count, tasks=tasks)
        return [Result(job.id, self, storing) for job in jobs]

    def hand_over(self, client: Client) -> None:
        """Have all calls stored, and all handles ask the client from now on.

        Raises:
            StoreError: they could not be stored, and are kept.
        """
        with self._guard:  # others that call meanwhile come after
            jobs = [job for batch, _ in self._calls for job in batch]
            stored = client.dispatch(jobs)[0].storing if jobs else None
            self._client = client
            calls, self._calls = self._calls, []
        for _, storing in calls:
            if stored is None:
                storing.set_result(None)
            else:
                stored.add_done_callback(partial(copy_outcome, storing))

    def _warn_at_exit(self) -> None:
        if self._calls and not self.is_inherited:
            start_logging()
            count, tasks = self._kept()
            events.emit("app.never_started", count=count, tasks=tasks)

    def _kept(self) -> tuple[int, str]:
        names = sorted({job.task for jobs, _ in self._calls for job in jobs})
        return sum(len(jobs) for jobs, _ in self._calls), ", ".join(names)

    def job(self, job_id: str) -> Job | None:
        """Return a job, once there is a database to look into."""
        return None if self._client is None else self._client.job(job_id)

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the attempts at a job, once there is a database to look into."""
        return [] if self._client is None else self._client.attempts(job_id)

    def cancel(self, job_id: str, *, force: bool) -> JobStatus | None:
        """Cancel a job; it has been handed over before this is called."""
        return None if self._client is None else self._client.cancel(job_id, force=force)

    def will_store(self) -> None:
        """Do nothing if calls are going to be stored.

        Raises:
            NotStarted: nobody has begun to, so that waiting for it may have no end.
        """
        if self._client is None:
            raise NotStarted

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back when a job has ended; it has been handed over before this is called."""
        if self._client is not None:
            self._client.when_ended(job_id, callback)
