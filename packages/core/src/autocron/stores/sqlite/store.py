"""The store's verbs, each one transaction on the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from autocron import events
from autocron.clock import CLOCK_TOLERANCE, Clock
from autocron.errors import DatabaseUnusable, NewerSchema
from autocron.model import (
    DEFAULT_TTL,
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
from autocron.model_admin import EVERY_JOB, KnownTask, Selection, Wishes
from autocron.stores.protocol import Turn
from autocron.stores.sqlite import queries, schema
from autocron.stores.sqlite.database import Connection, Database, Row, in_transaction
from autocron.stores.sqlite.jobs import (
    attempt_of,
    cancel,
    claimed_job,
    claimed_jobs,
    end,
    forget,
    new_row,
    selected,
    stored_job,
)
from autocron.stores.sqlite.queries import STATUS_OF, State
from autocron.stores.sqlite.schedules import (
    add_run,
    advance,
    end_run,
    fire,
    pause,
    register,
    release_held,
    stored_schedule,
    tick_of,
)

_NOBODY_WAITS = 0
_CANCELLED = "it was cancelled before it began"


class SqliteStore:
    """Fulfils the `Store` contract with one SQLite file.

    Args:
        path: the file.
        busy_timeout: for how many seconds to wait for locks of other programs.
        turn: entered around each write, so that processes can agree on who is next.
        ttl: for how many seconds outcomes are kept whose jobs do not say it.
        creates: whether to make the file when it is missing; only who starts an application may.
        root_may: whether root may use the file of another user.
    """

    def __init__(
        self,
        path: Path,
        *,
        turn: Turn,
        busy_timeout: float = 30.0,
        ttl: float = DEFAULT_TTL,
        creates: bool = True,
        root_may: bool = False,
    ) -> None:
        self._successor = _Successor()
        self._database = Database(
            path,
            busy_timeout=busy_timeout,
            turn=turn,
            prepare=self._successor.take_over,
            creates=creates,
            root_may=root_may,
        )
        self._ttl = ttl
        self._known_queues: frozenset[str] = frozenset()

    # Jobs, as callers see them ----------------------------------------------------------------

    def enqueue(self, jobs: Sequence[NewJob], now: float) -> None:
        if len(jobs) == 1 and jobs[0].options.queue in self._known_queues:
            self._database.execute(queries.ENQUEUE, new_row(jobs[0], now))
            return
        queues = frozenset([job.options.queue for job in jobs])
        rows = [new_row(job, now) for job in jobs]
        self._database.transaction(lambda connection: _enqueue(connection, queues, rows))
        self._known_queues |= queues
        self._successor.queues = self._known_queues

    def sync(self) -> None:
        self._database.sync()

    def get(self, job_id: str) -> Job | None:
        rows = self._database.query(queries.GET, (job_id,))
        return stored_job(rows[0]) if rows else None

    def latest(self, limit: int, selection: Selection = EVERY_JOB, skip: int = 0) -> list[Job]:
        values = selected(selection) | {"limit": limit, "skip": skip}
        return [stored_job(row) for row in self._database.query(queries.LIST, values)]

    def counts(self) -> dict[JobStatus, int]:
        counts = dict.fromkeys(JobStatus, 0)
        for state, count in self._database.query(queries.COUNTS):
            counts[STATUS_OF[state]] += count
        return counts

    def watch(self, job_ids: Iterable[str]) -> set[str]:
        wanted = set(job_ids)
        self._database.execute(queries.WATCH, (json.dumps(list(wanted)),))
        return self.ended(wanted)

    def ended(self, job_ids: Iterable[str]) -> set[str]:
        wanted = set(job_ids)
        rows = self._database.query(queries.UNENDED, (json.dumps(list(wanted)),))
        return wanted - {job_id for (job_id,) in rows}

    def attempts(self, job_id: str) -> list[Attempt]:
        return [attempt_of(row) for row in self._database.query(queries.ATTEMPTS, (job_id,))]

    def cancel(self, job_id: str, now: float, *, force: bool = False) -> Cancellation | None:
        values = {"id": job_id, "force": force, "reason": _CANCELLED, "now": now, "ttl": self._ttl}
        for state, awaited, task in self._database.transaction(lambda held: cancel(held, values)):
            status = STATUS_OF[state]
            is_awaited = status.is_final and awaited != _NOBODY_WAITS
            return Cancellation(status, is_awaited, changed=True, task=task)
        job = self.get(job_id)
        if job is None:
            return None
        return Cancellation(job.status, awaited=False, changed=False, task=job.task)

    # Jobs, as workers see them ----------------------------------------------------------------

    def claim(self, worker: int, now: float) -> ClaimedJob | None:
        return claimed_job(self._database.execute(queries.CLAIM, (worker, now)))

    def settle(
        self, job: ClaimedJob, outcome: Outcome, now: float, claim_for: int | None = None
    ) -> Settled:
        def end_and_claim(connection: Connection) -> Settled:
            ended = end(connection, job, outcome, now, self._ttl)
            status = STATUS_OF[ended[0]] if ended else None
            has_ended = bool(ended) and ended[0] >= State.DONE
            awaited = has_ended and ended[1] != _NOBODY_WAITS
            if claim_for is None:
                return Settled(status, awaited)
            if has_ended and job.scheduled_for is not None and job.place is not None:
                end_run(connection, job.place)  # the run after it may be what is next
            claimed = connection.execute(queries.CLAIM, (claim_for, now)).fetchall()
            return Settled(status, awaited, claimed_job(claimed))

        return self._database.transaction(end_and_claim)

    def set_progress(self, job: ClaimedJob, progress: Progress) -> None:
        values = {"id": job.id, "attempt": job.attempt, "place": job.place}
        self._database.execute(
            queries.SET_PROGRESS, values | {"progress": json.dumps(astuple(progress))}
        )

    def is_cancel_requested(self, job_id: str) -> bool:
        return any(
            cancel for (cancel,) in self._database.query(queries.IS_CANCEL_REQUESTED, (job_id,))
        )

    # What the supervisor does -----------------------------------------------------------------

    def running(self, worker: int) -> list[ClaimedJob]:
        return claimed_jobs(self._database.query(queries.RUNNING, (worker,)))

    def to_be_stopped(self) -> dict[int, str]:
        return dict(self._database.query(queries.TO_BE_STOPPED))

    def promote(self, clock: Clock, limit: int) -> int:
        return self._database.transaction(
            lambda connection: connection.execute(queries.PROMOTE, (clock(), limit)).rowcount
        )

    def release_held(self) -> int:
        if not self._database.query(queries.FIRST_HELD):
            return 0
        return self._database.transaction(release_held)

    def shift_times(self, change: ClockSet, clock: Clock) -> None:
        def shift(connection: Connection) -> None:
            values = {"seconds": change.seconds, "since": change.since, "until": clock()}
            connection.execute(queries.SHIFT_DELAYS, values)
            connection.execute(queries.SHIFT_EXPIRY, values)

        self._database.transaction(shift)

    def shorten_delays(self, now: float) -> None:
        if self._database.query(queries.ANY_TOO_LONG, (now + CLOCK_TOLERANCE,)):
            self._database.execute(queries.SHORTEN_DELAYS, {"now": now})

    def next_due(self) -> float | None:
        return self._database.query(queries.NEXT_DUE)[0][0]  # type: ignore[no-any-return]

    def prune(self, clock: Clock, limit: int) -> int:
        def delete(connection: Connection) -> int:
            return forget(
                connection, connection.execute(queries.PRUNE, (clock(), limit)).fetchall()
            )

        return self._database.transaction(delete)

    # Schedules --------------------------------------------------------------------------------

    def register(
        self,
        schedules: Sequence[StoredSchedule],
        generation: int | None = None,
        tasks: Sequence[KnownTask] = (),
    ) -> list[str]:
        return self._database.transaction(
            lambda connection: register(connection, schedules, generation, tasks)
        )

    def generation(self) -> int:
        return self._database.query(queries.GENERATION)[0][0]  # type: ignore[no-any-return]

    def await_registration(self, generation: int | None = None) -> None:
        def begin(connection: Connection) -> None:
            if connection.execute(queries.NEXT_GENERATION, (generation,)).fetchall():
                connection.execute(queries.UNCONFIRM)

        self._database.transaction(begin)

    def set_aside(self, stored: StoredSchedule, problem: str) -> None:
        schedule = stored.schedule
        values = (problem, schedule.name, schedule.rule, schedule.timezone)
        self._database.execute(queries.SET_ASIDE, values)

    def schedules(self) -> list[StoredSchedule]:
        return [stored_schedule(row) for row in self._database.query(queries.SCHEDULES)]

    def schedule(self, name: str) -> StoredSchedule | None:
        rows = self._database.query(queries.SCHEDULE, (name,))
        return stored_schedule(rows[0]) if rows else None

    def ripe_schedules(self, now: float) -> list[StoredSchedule]:
        rows = self._database.query(queries.RIPE_SCHEDULES, (now, now + CLOCK_TOLERANCE))
        return [stored_schedule(row) for row in rows]

    def fire(
        self,
        stored: StoredSchedule,
        ticks: Sequence[NewTick],
        next_due: float | None,
        now: float,
    ) -> list[Tick]:
        return self._database.transaction(
            lambda connection: fire(connection, stored, ticks, next_due, now)
        )

    def replan(
        self, stored: StoredSchedule, next_due: float, now: float, forget_after: float
    ) -> None:
        def change(connection: Connection) -> None:
            if advance(connection, stored, next_due, now):
                connection.execute(queries.FORGET_TICKS, (stored.schedule.name, forget_after))

        self._database.transaction(change)

    def add_run(self, name: str, tick: NewTick, now: float) -> Tick | None:
        return self._database.transaction(lambda connection: add_run(connection, name, tick, now))

    def pause(self, name: str, missed: Sequence[NewTick], now: float) -> None:
        self._database.transaction(lambda connection: pause(connection, name, missed, now))

    def resume(
        self, stored: StoredSchedule, next_due: float, now: float, forget_after: float
    ) -> bool:
        schedule = stored.schedule
        values = (next_due, now, schedule.name, schedule.rule, schedule.timezone)

        def change(connection: Connection) -> bool:
            goes_on = bool(connection.execute(queries.RESUME, values).fetchall())
            if goes_on:
                connection.execute(queries.FORGET_TICKS, (schedule.name, forget_after))
            return goes_on

        return self._database.transaction(change)

    def ticks(self, schedule: str, limit: int) -> list[Tick]:
        return [tick_of(row) for row in self._database.query(queries.TICKS, (schedule, limit))]

    # Workers and settings ---------------------------------------------------------------------

    def add_worker(self, worker: WorkerInfo) -> None:
        self._database.execute(queries.ADD_WORKER, astuple(worker))

    def remove_worker(self, number: int) -> None:
        self._database.execute(queries.REMOVE_WORKER, (number,))

    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo(*row) for row in self._database.query(queries.WORKERS)]

    def settings(self) -> dict[str, Any]:
        return {name: _setting(text) for name, text in self._database.query(queries.SETTINGS)}

    def wishes(self) -> Wishes:
        ((restarts, paused),) = self._database.query(queries.STATE)
        return Wishes(self.settings(), restarts, bool(paused))

    # The store itself -------------------------------------------------------------------------

    def configure(self, *, ttl: float, busy_timeout: float) -> None:
        self._ttl = ttl
        self._database.busy_timeout = busy_timeout

    def migrate(self) -> None:
        if _version(self._database.path, self._database.query) < schema.KNOWN_VERSION:
            self._database.transaction(_migrate)

    def when_replaced(self, tell: Callable[[], object]) -> None:
        """Have `tell` called when another file was put in the place of the one that was used before."""
        self._successor.tell = tell

    def tune(self) -> None:
        self._database.reserve_log()

    def close(self) -> None:
        self._database.close()


class _Successor:
    """What is done with another file that was put in the place of the one that was used before.

    It is apart from the store, since a store that its own database led back to would outlive its use.
    """

    def __init__(self) -> None:
        self.queues: frozenset[str] = frozenset()
        """Those that the store believes to be in its database."""
        self.tell: Callable[[], object] = lambda: None

    def take_over(self, path: Path, connection: Connection) -> None:
        def query(sql: str) -> list[Row]:
            return connection.execute(sql).fetchall()

        def change(connection: Connection) -> None:
            _migrate(connection)
            connection.executemany(queries.ADD_QUEUE, [(queue,) for queue in self.queues])

        _version(path, query)
        in_transaction(connection, change)
        events.emit("store.replaced", database=path)
        self.tell()


def _version(path: Path, query: Callable[[str], list[Row]]) -> int:
    """Return the version of the schema.

    Raises:
        DatabaseUnusable: it is that of another program.
        NewerSchema: it is beyond what this code knows.
    """
    version: int = query("PRAGMA user_version")[0][0]
    if version and not query(schema.HAS_TABLES):
        reason = (
            f"belongs to another program, which numbers its tables with user_version={version}"
            ": give autocron a file of its own"
        )
        raise DatabaseUnusable(path=path, reason=reason)
    if version > schema.KNOWN_VERSION:
        raise NewerSchema(path=path, found=version, known=schema.KNOWN_VERSION)
    return version


def _migrate(connection: Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for step in schema.STEPS[version:]:
        for statement in schema.statements(step):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version={schema.KNOWN_VERSION}")


def _enqueue(connection: Connection, queues: frozenset[str], rows: list[Row]) -> None:
    connection.executemany(queries.ADD_QUEUE, [(queue,) for queue in queues])
    connection.executemany(queries.ENQUEUE, rows)


def _setting(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # somebody else wrote it
        return text  # whoever uses it says what is wrong with it
