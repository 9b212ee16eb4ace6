"""Calls that are made before `start()`."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from autocron import events
from autocron.client import Client
from autocron.model import Job, NewJob
from autocron.processes.log import start_logging
from autocron.results import Result


class Outbox:
    """Keeps the calls that are made before `start()`; what starts first takes them over."""

    def __init__(self) -> None:
        self._calls: list[tuple[Sequence[NewJob], Future[None]]] = []
        self._client: Client | None = None
        self._warns_at_exit = False

    def dispatch(self, jobs: Sequence[NewJob]) -> list[Result[Any]]:
        """Keep jobs until there is a database for them."""
        storing: Future[None] = Future()
        storing.set_running_or_notify_cancel()
        self._calls.append((jobs, storing))
        if not self._warns_at_exit:
            atexit.register(self._warn)
            self._warns_at_exit = True
        return [Result(job.id, self, storing) for job in jobs]

    def hand_over(self, client: Client) -> None:
        """Have all calls stored, and all handles ask the client from now on."""
        jobs = [job for batch, _ in self._calls for job in batch]
        if not jobs:
            return
        stored = client.dispatch(jobs)[0].storing  # if this fails, the calls are kept
        self._client = client
        calls, self._calls = self._calls, []
        for _, storing in calls:
            if stored is None:
                storing.set_result(None)
            else:
                stored.add_done_callback(partial(_copy_outcome, storing))

    def _warn(self) -> None:
        names = sorted({job.task for jobs, _ in self._calls for job in jobs})
        if names:
            start_logging()
            count = sum(len(jobs) for jobs, _ in self._calls)
            events.emit("app.never_started", count=count, tasks=", ".join(names))

    def job(self, job_id: str) -> Job | None:
        """Return a job, once there is a database to look into."""
        return None if self._client is None else self._client.job(job_id)

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Call back when a job has ended; it has been handed over before this is called."""
        if self._client is not None:
            self._client.when_ended(job_id, callback)


def _copy_outcome(target: Future[None], source: Future[None]) -> None:
    error = source.exception()
    if error is None:
        target.set_result(None)
    else:
        target.set_exception(error)
