"""The contract of all stores, at the level of jobs: an engine shows nothing of itself through it.

`now` is an argument wherever time matters, in seconds since 1970 UTC. Every verb is one
transaction: it happens as a whole, or raises `StoreError` and has not happened. All verbs may be called by
any thread, and in a child process after a fork.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from autocron.clock import Clock
from autocron.model import (
    Attempt,
    Cancellation,
    ClaimedJob,
    ClockSet,
    Job,
    JobStatus,
    NewJob,
    NewTick,
    Outcome,
    Progress,
    Settled,
    StoredSchedule,
    Tick,
    WorkerInfo,
)
from autocron.model_admin import EVERY_JOB, KnownTask, Note, QueueState, Selection, Wishes

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

    def latest(self, limit: int, selection: Selection = EVERY_JOB, skip: int = 0) -> list[Job]:
        """Return the latest jobs of a selection, newest first, but for the first `skip` of them."""

    def counts(self) -> dict[JobStatus, int]:
        """Return how many jobs there are of each status."""

    def watch(self, job_ids: Iterable[str]) -> set[str]:
        """Note that somebody waits for these jobs; return those that have ended or are gone.

        Whoever ends one of the others is told so (`awaited`).
        """

    def ended(self, job_ids: Iterable[str]) -> set[str]:
        """Return those of the jobs that have ended or are gone."""

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the latest thousand attempts at a job that did not succeed, the first one first."""

    def cancel(self, job_id: str, now: float, *, force: bool = False) -> Cancellation | None:
        """End a job that waits; ask one that is running to stop, or have it stopped.

        Nothing happens to one that has ended. None if there is no such job (any more).
        """

    # Jobs, as workers see them ----------------------------------------------------------------

    def claim(self, worker: int, now: float) -> ClaimedJob | None:
        """Take the job that is next, or None if there is none.

        Of those that wait and are due, in queues that are not paused, it is the one of the highest priority, then the one that
        was put in first.
        """

    def settle(
        self, job: ClaimedJob, outcome: Outcome, now: float, claim_for: int | None = None
    ) -> Settled:
        """End an attempt, and take the next job for the worker `claim_for` if one is given.

        Fenced: nothing changes unless the job is still running this very attempt. If the next job is
        taken, that may be a run that was held until this one has ended. A job that was asked to stop is not
        tried again, but ends as cancelled. What did not succeed is kept, see `attempts`.
        """

    def set_progress(self, job: ClaimedJob, progress: Progress) -> None:
        """Keep how far an attempt has come, unless it is no longer running."""

    def is_cancel_requested(self, job_id: str) -> bool:
        """Return whether a job was asked to stop."""

    # What the supervisor does -----------------------------------------------------------------

    def running(self, worker: int) -> list[ClaimedJob]:
        """Return what a worker is running, or was running when it died."""

    def to_be_stopped(self) -> dict[int, str]:
        """Return the ids of running jobs that are to be stopped, by the numbers of their workers."""

    def promote(self, clock: Clock, limit: int) -> int:
        """Make jobs whose time has come claimable, at most `limit`; return how many.

        As with all verbs that take a clock, it is asked when nobody else can write: if it is being set,
        no time is compared with one that has been counted by another clock.
        """

    def release_held(self) -> int:
        """Make the runs claimable that waited for an earlier one of their schedule; return how many."""

    def next_due(self) -> float | None:
        """Return when the next job that is not yet claimable is due, or the next schedule.

        None if there is none of either.
        """

    def shift_times(self, change: ClockSet, clock: Clock) -> None:
        """Move, since the clock was set, what was counted from a moment before.

        Those are the delays of jobs and of retries, and the times to live of outcomes. What others have
        counted by the new clock is not moved.
        """

    def shorten_delays(self, now: float) -> None:
        """Let no delay be longer than it was when it began, if the clock has been set back since."""

    def prune(self, clock: Clock, limit: int) -> int:
        """Delete jobs whose time to live is over, at most `limit`; return how many."""

    # Schedules --------------------------------------------------------------------------------

    def register(
        self,
        schedules: Sequence[StoredSchedule],
        generation: int | None = None,
        tasks: Sequence[KnownTask] = (),
    ) -> list[str]:
        """Have exactly these schedules and tasks from now on; return the names of those that are retired by that.

        Nothing happens if `generation` is not the present one, as that of workers with older code.

        One that is known with the same rule keeps its due time; one that is new, changed, or back,
        has the one given. A known one keeps its anchor, and stays paused if it is.
        """

    def generation(self) -> int:
        """Return the number of the present generation, for workers to register with."""

    def await_registration(self, generation: int | None = None) -> None:
        """Begin another generation: no schedule is due until a worker of that has registered it.

        Nothing happens if `generation` is given and is not the present one: another has done so.
        """

    def set_aside(self, stored: StoredSchedule, problem: str) -> None:
        """Let a schedule not be due until it is registered again, since it cannot be read.

        Nothing happens if it has another rule or zone by now.
        """

    def schedules(self) -> list[StoredSchedule]:
        """Return all schedules, the next due first; those that are not due at all come last."""

    def schedule(self, name: str) -> StoredSchedule | None:
        """Return the schedule of that name, or None."""

    def ripe_schedules(self, now: float) -> list[StoredSchedule]:
        """Return the schedules that are due, and those that were planned later than it is now.

        The latter means that the clock has been set back. No others are returned.
        """

    def fire(
        self,
        stored: StoredSchedule,
        ticks: Sequence[NewTick],
        next_due: float | None,
        now: float,
    ) -> list[Tick]:
        """Note due times that have come, put in their jobs, and note the next due time, all in one.

        Nothing happens if the schedule is not as it was read (another was faster, or it was paused,
        changed, or is to be registered again), nor for a due time that has been noted before. How a
        job goes with an earlier one of its schedule that has not ended is up to the tick's `overlap`:
        it is skipped, or held until that has ended (so long as not too many are), or runs beside it.

        Returns:
            What came of those due times that were noted by this call.
        """

    def replan(
        self, stored: StoredSchedule, next_due: float, now: float, forget_after: float
    ) -> None:
        """Give a schedule another due time, since the clock was set back, unless it has changed.

        Due times after `forget_after` that were noted are forgotten: they are yet to come.
        """

    def add_run(self, name: str, tick: NewTick, now: float) -> Tick | None:
        """Note a tick, and put in its job, besides the due times of its schedule, which stay as they are.

        Returns:
            What came of it, as of the ticks of `fire`; None if that moment has been noted before, or the
            schedule is retired.
        """

    def pause(self, name: str, missed: Sequence[NewTick], now: float) -> None:
        """Let a schedule not be due until it is resumed, and note what it has missed before."""

    def resume(
        self, stored: StoredSchedule, next_due: float, now: float, forget_after: float
    ) -> bool:
        """Let a paused schedule be due again, at `next_due` first; return whether it is.

        It is not if it has another rule or zone by now, or was not paused. As in `replan`, due times after
        `forget_after` that were noted are forgotten.
        """

    def ticks(self, schedule: str, limit: int) -> list[Tick]:
        """Return what came of the latest due times of a schedule, newest first."""

    # Workers and settings ---------------------------------------------------------------------

    def add_worker(self, worker: WorkerInfo) -> None:
        """Note that a worker was started; it replaces an earlier one of that number."""

    def remove_worker(self, number: int) -> None:
        """Forget a worker that has ended."""

    def workers(self) -> list[WorkerInfo]:
        """Return the workers that were noted, by number."""

    def settings(self) -> dict[str, Any]:
        """Return what an administrator has set, by name."""

    def wishes(self) -> Wishes:
        """Return what an administrator wants of the running system."""

    # The store itself -------------------------------------------------------------------------

    def migrate(self) -> None:
        """Bring the schema to the version that this code knows.

        Raises:
            NewerSchema: it is beyond that.
        """

    def configure(self, *, ttl: float, busy_timeout: float) -> None:
        """Use other times from now on, in seconds: for which outcomes are kept, and to wait for locks."""

    def tune(self) -> None:
        """Do what makes the store faster from now on, if it is not done; changes nothing else."""

    def close(self) -> None:
        """Give back what this process holds; using the store again opens it again."""


class AdminStore(Store, Protocol):
    """What an administrator needs besides: nothing that runs jobs depends on it."""

    # Looking ----------------------------------------------------------------------------------

    def count(self, selection: Selection) -> int:
        """Return how many jobs a selection has."""

    def ids(self, selection: Selection) -> list[str]:
        """Return the ids of all jobs of a selection, newest first."""

    def find_ids(self, part: str, limit: int) -> list[str]:
        """Return the ids that begin or end with some characters, at most `limit`."""

    def notes(self, job_id: str) -> list[Note]:
        """Return what has happened to a job besides its attempts, the first first."""

    def queues(self) -> list[QueueState]:
        """Return the queues, by name, with how many jobs there are in each."""

    def queue_names(self) -> list[str]:
        """Return the names of the queues; unlike `queues`, it counts nothing, and takes no time."""

    def ended_since(self, moment: float) -> dict[JobStatus, int]:
        """Return how many jobs have ended since then, by status; but for those that are deleted by now."""

    def ahead_of(self, job_id: str) -> int:
        """Return how many jobs are to be claimed before one that waits for a worker."""

    def tasks(self) -> list[KnownTask]:
        """Return the tasks that the present workers have registered, by name."""

    def counts_of_tasks(self) -> dict[str, dict[JobStatus, int]]:
        """Return how many jobs there are of each task and status."""

    def is_locked(self, seconds: float) -> bool:
        """Return whether somebody keeps everybody else from writing for so long."""

    # Changing ---------------------------------------------------------------------------------

    def try_again(self, job_id: str, now: float) -> bool:
        """Let a job that failed or was cancelled wait again, with all its retries; return whether it does."""

    def delete(self, job_ids: Sequence[str], statuses: Sequence[JobStatus]) -> int:
        """Delete those jobs that have one of the statuses, none of which may be `RUNNING`; return how many."""

    def pause_queue(self, name: str, *, paused: bool) -> bool:
        """Let no job of a queue begin, or let them begin again; return whether there is such a queue."""

    def pause_all(self, *, paused: bool) -> None:
        """Let no job begin and no schedule be due, or let all go on."""

    def ask_for_restart(self) -> None:
        """Have the supervisor replace its workers."""

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Set what an administrator wants; None unsets a name."""

    def foreign_tables(self) -> list[str]:
        """Return the names of the tables that belong to others."""

    def remove(self, expected: int) -> bool:
        """Delete the whole database, if it has so many jobs still; return whether it has been done.

        Raises:
            StoreBusy: some process has it open.
        """

    def backup(self, target: Path) -> None:
        """Write the whole database, as it is at one moment, to an empty file.

        Raises:
            StoreError: it cannot be read, the file cannot be written, or what was written is damaged.
        """
