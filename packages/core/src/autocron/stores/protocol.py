"""The contract of all stores, at the level of jobs: an engine shows nothing of itself through it.

`now` is an argument wherever time matters, in seconds since 1970 UTC. Every verb is one
transaction: it happens as a whole, or raises `StoreError` and has not happened. All verbs may be called by
any thread, and in a child process after a fork.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

from autocron.model import (
    ClaimedJob,
    DueSchedule,
    Job,
    JobStatus,
    NewJob,
    Outcome,
    Reclaimed,
    Settled,
    WorkerInfo,
)

Turn: TypeAlias = AbstractContextManager[Any]
"""Entered around each write, so that processes can agree on who is next to write."""


class Store(Protocol):
    """Keeps jobs, schedules, settings and the list of workers."""

    # Jobs, as callers see them ----------------------------------------------------------------

    def enqueue(self, jobs: Sequence[NewJob], now: float) -> None:
        """Put the jobs in, all or none. They can be claimed, and survive any crash of a process."""

    def sync(self) -> None:
        """Return when all that this process has put in survives a loss of power, too."""

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None if there is none (any more)."""

    def latest(self, limit: int, status: JobStatus | None = None) -> list[Job]:
        """Return the latest jobs, newest first; all of them or those of one status."""

    def counts(self) -> dict[JobStatus, int]:
        """Return how many jobs there are of each status."""

    def watch(self, job_ids: Iterable[str]) -> set[str]:
        """Note that somebody waits for these jobs; return those that have ended or are gone.

        Whoever ends one of the others is told so (`awaited`).
        """

    def ended(self, job_ids: Iterable[str]) -> set[str]:
        """Return those of the jobs that have ended or are gone."""

    # Jobs, as workers see them ----------------------------------------------------------------

    def claim(self, worker: int, now: float) -> ClaimedJob | None:
        """Take the job that is next, or None if there is none.

        Of those that wait and are due it is the one of the highest priority, then the one that
        was put in first.
        """

    def settle(
        self, job: ClaimedJob, outcome: Outcome, now: float, claim_for: int | None = None
    ) -> Settled:
        """End an attempt, and take the next job for the worker `claim_for` if one is given.

        Fenced: nothing changes unless the job is still running this very attempt.
        """

    def release(self, job: ClaimedJob) -> bool:
        """Give a claimed job back as if it had not been claimed; fenced as `settle` is."""

    # What the supervisor does -----------------------------------------------------------------

    def reclaim(
        self, worker: int, reason: str, crash_limit: int | None, now: float
    ) -> list[Reclaimed]:
        """Put the jobs back that a dead worker was running.

        One that has now lost `crash_limit` workers ends with `reason` as its error. The limit is
        None for a death that is not to be counted.
        """

    def release_all(self, worker: int) -> None:
        """Give back the jobs that a worker was running, as if they had not been claimed."""

    def promote(self, now: float, limit: int) -> int:
        """Make jobs whose time has come claimable, at most `limit`; return how many."""

    def next_due(self) -> float | None:
        """Return when the next job that is not yet claimable is due; None if there is none."""

    def prune(self, now: float, limit: int) -> int:
        """Delete jobs whose time to live is over, at most `limit`; return how many."""

    # Schedules --------------------------------------------------------------------------------

    def register(self, schedules: Sequence[DueSchedule], now: float) -> None:
        """Have exactly these schedules from now on.

        One that is known with the same rule keeps its times; one that is new or changed is due
        when it says.
        """

    def schedules(self) -> list[DueSchedule]:
        """Return all schedules, the next due first."""

    def fire(self, due: DueSchedule, next_due: float, job: NewJob, now: float) -> bool:
        """Put in the job of a due time, and note the next one; False if another did it."""

    # Workers and settings ---------------------------------------------------------------------

    def add_worker(self, worker: WorkerInfo) -> None:
        """Note that a worker was started; it replaces an earlier one of that number."""

    def remove_worker(self, number: int) -> None:
        """Forget a worker that has ended."""

    def workers(self) -> list[WorkerInfo]:
        """Return the workers that were noted, by number."""

    def settings(self) -> dict[str, Any]:
        """Return what an administrator has set, by name."""

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Set what an administrator wants; None unsets a name."""

    # The store itself -------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the schema to the version that this code knows.

        Raises:
            NewerSchema: it is beyond that.
        """

    def tune(self) -> None:
        """Do what makes the store faster from now on, if it is not done; changes nothing else."""

    def close(self) -> None:
        """Give back what this process holds; using the store again opens it again."""
