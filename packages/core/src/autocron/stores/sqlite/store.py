"""The store's verbs, each one transaction on the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autocron.errors import DatabaseUnusable, NewerSchema
from autocron.model import (
    DEFAULT_TTL,
    ClaimedJob,
    DueSchedule,
    Failed,
    Job,
    JobStatus,
    NewJob,
    Options,
    Outcome,
    Reclaimed,
    Retrying,
    Schedule,
    Settled,
    Succeeded,
    WorkerInfo,
)
from autocron.stores.protocol import Turn
from autocron.stores.sqlite import queries, schema
from autocron.stores.sqlite.database import NO_JOBS, Connection, Database, Row
from autocron.stores.sqlite.queries import STATUS_OF, State

_NOBODY_WAITS = 0


class SqliteStore:
    """Fulfils the `Store` contract with one SQLite file.

    Args:
        path: the file.
        busy_timeout: for how many seconds to wait for locks of other programs.
        turn: entered around each write, so that processes can agree on who is next.
        ttl: for how many seconds outcomes are kept whose jobs do not say it.
    """

    def __init__(
        self, path: Path, *, turn: Turn, busy_timeout: float = 30.0, ttl: float = DEFAULT_TTL
    ) -> None:
        self._database = Database(path, busy_timeout=busy_timeout, turn=turn)
        self._ttl = ttl
        self._known_queues: frozenset[str] = frozenset()

    # Jobs, as callers see them ----------------------------------------------------------------

    def enqueue(self, jobs: Sequence[NewJob], now: float) -> None:
        if len(jobs) == 1 and jobs[0].options.queue in self._known_queues:
            self._database.execute(queries.ENQUEUE, _new_row(jobs[0], now))
            return
        queues = frozenset([job.options.queue for job in jobs])
        rows = [_new_row(job, now) for job in jobs]
        self._database.transaction(lambda connection: _enqueue(connection, queues, rows))
        self._known_queues |= queues

    def sync(self) -> None:
        self._database.sync()

    def get(self, job_id: str) -> Job | None:
        rows = self._database.query(queries.GET, (job_id,))
        return _job(rows[0]) if rows else None

    def latest(self, limit: int, status: JobStatus | None = None) -> list[Job]:
        if status is None:
            return [_job(row) for row in self._database.query(queries.LIST, (limit,))]
        states = json.dumps([int(state) for state, known in STATUS_OF.items() if known is status])
        return [_job(row) for row in self._database.query(queries.LIST_STATES, (states, limit))]

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

    # Jobs, as workers see them ----------------------------------------------------------------

    def claim(self, worker: int, now: float) -> ClaimedJob | None:
        return _claimed(self._database.execute(queries.CLAIM, (worker, now)))

    def settle(
        self, job: ClaimedJob, outcome: Outcome, now: float, claim_for: int | None = None
    ) -> Settled:
        sql, values = self._end_of(job, outcome, now)

        def end_and_claim(connection: Connection) -> Settled:
            ended = connection.execute(sql, values).fetchall()
            claimed = (
                connection.execute(queries.CLAIM, (claim_for, now)).fetchall()
                if claim_for is not None
                else []
            )
            return Settled(bool(ended), ended == [(1,)], _claimed(claimed))

        return self._database.transaction(end_and_claim)

    def _end_of(self, job: ClaimedJob, outcome: Outcome, now: float) -> tuple[str, dict[str, Any]]:
        values = _identity(job) | {"now": now, "ttl": self._ttl}
        values |= {"result": None, "error": None, "traceback": None}
        match outcome:
            case Succeeded(result):
                return queries.FINISH, values | {"state": State.DONE, "result": result}
            case Failed(error, traceback):
                changes = {"state": State.ERROR, "error": error, "traceback": traceback}
                return queries.FINISH, values | changes
            case Retrying(Failed(error, traceback), run_at):
                changes = {"run_at": run_at, "error": error, "traceback": traceback}
                return queries.RETRY, values | changes

    def release(self, job: ClaimedJob) -> bool:
        values = _identity(job)
        return bool(self._database.execute(queries.RELEASE, values))

    # What the supervisor does -----------------------------------------------------------------

    def reclaim(
        self, worker: int, reason: str, crash_limit: int | None, now: float
    ) -> list[Reclaimed]:
        values = {"worker": worker, "reason": reason, "crash_limit": crash_limit}
        rows = self._database.execute(queries.RECLAIM, values | {"now": now, "ttl": self._ttl})
        return [
            Reclaimed(job_id, task, STATUS_OF[state], awaited != _NOBODY_WAITS)
            for job_id, task, state, awaited in rows
        ]

    def release_all(self, worker: int) -> None:
        self._database.execute(queries.RELEASE_ALL, (worker,))

    def promote(self, now: float, limit: int) -> int:
        return self._database.transaction(
            lambda connection: connection.execute(queries.PROMOTE, (now, limit)).rowcount
        )

    def next_due(self) -> float | None:
        return self._database.query(queries.NEXT_DUE)[0][0]  # type: ignore[no-any-return]

    def prune(self, now: float, limit: int) -> int:
        return self._database.transaction(
            lambda connection: connection.execute(queries.PRUNE, (now, limit)).rowcount
        )

    # Schedules --------------------------------------------------------------------------------

    def register(self, schedules: Sequence[DueSchedule], now: float) -> None:
        rows = [_schedule_row(due) for due in schedules]
        names = json.dumps([due.schedule.name for due in schedules])

        def replace(connection: Connection) -> None:
            connection.executemany(queries.REGISTER, rows)
            connection.execute(queries.RETIRE, (names,))

        self._database.transaction(replace)

    def schedules(self) -> list[DueSchedule]:
        return [_due_schedule(row) for row in self._database.query(queries.SCHEDULES)]

    def fire(self, due: DueSchedule, next_due: float, job: NewJob, now: float) -> bool:
        name = due.schedule.name
        row = _new_row(job, now, schedule=name, scheduled_for=due.due)

        def advance_and_enqueue(connection: Connection) -> bool:
            if not connection.execute(queries.ADVANCE, (next_due, name, due.due)).fetchall():
                return False
            connection.execute(queries.ADD_QUEUE, (job.options.queue,))
            return bool(connection.execute(queries.ENQUEUE_TICK, row).fetchall())

        return self._database.transaction(advance_and_enqueue)

    # Workers and settings ---------------------------------------------------------------------

    def add_worker(self, worker: WorkerInfo) -> None:
        values = (worker.number, worker.pid, worker.started_at)
        self._database.execute(queries.ADD_WORKER, values)

    def remove_worker(self, number: int) -> None:
        self._database.execute(queries.REMOVE_WORKER, (number,))

    def workers(self) -> list[WorkerInfo]:
        return [WorkerInfo(*row) for row in self._database.query(queries.WORKERS)]

    def settings(self) -> dict[str, Any]:
        return {name: json.loads(value) for name, value in self._database.query(queries.SETTINGS)}

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        def change(connection: Connection) -> None:
            for name, value in changes.items():
                if value is None:
                    connection.execute(queries.UNSET, (name,))
                else:
                    connection.execute(queries.SET, (name, json.dumps(value)))

        self._database.transaction(change)

    # The store itself -------------------------------------------------------------------------

    def check_is_ours(self) -> None:
        """Find out whether this is a database of autocron, without changing it if it is not.

        Raises:
            DatabaseUnusable: it is not.
        """
        if not self._database.look(schema.HAS_TABLES):
            raise DatabaseUnusable(path=self._database.path, reason=NO_JOBS)

    def migrate(self) -> None:
        if self._version() < schema.KNOWN_VERSION:
            self._database.transaction(self._migrate)

    def _version(self) -> int:
        version: int = self._database.query("PRAGMA user_version")[0][0]
        if version:
            self._check(version)
        return version

    def _migrate(self, connection: Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in schema.STEPS[version:]:
            for statement in schema.statements(step):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={schema.KNOWN_VERSION}")

    def _check(self, version: int) -> None:
        path = self._database.path
        if not self._database.query(schema.HAS_TABLES):
            reason = (
                f"belongs to another program, which numbers its tables with user_version={version}"
                ": give autocron a file of its own"
            )
            raise DatabaseUnusable(path=path, reason=reason)
        if version > schema.KNOWN_VERSION:
            raise NewerSchema(path=path, found=version, known=schema.KNOWN_VERSION)

    def tune(self) -> None:
        self._database.reserve_log()

    def close(self) -> None:
        self._database.close()


def _enqueue(connection: Connection, queues: frozenset[str], rows: list[Row]) -> None:
    connection.executemany(queries.ADD_QUEUE, [(queue,) for queue in queues])
    connection.executemany(queries.ENQUEUE, rows)


def _new_row(
    job: NewJob, now: float, schedule: str | None = None, scheduled_for: float | None = None
) -> Row:
    options = job.options
    run_at = options.run_at if options.delay is None else now + options.delay
    if run_at is not None and run_at <= now:
        run_at = None
    return (
        job.id,
        job.task,
        job.arguments,
        options.queue,
        options.priority,
        1 if run_at is None else 0,
        options.retries,
        options.ttl,
        now,
        run_at,
        schedule,
        scheduled_for,
    )


def _identity(job: ClaimedJob) -> dict[str, Any]:
    return {"id": job.id, "attempt": job.attempt, "place": job.place}


def _claimed(rows: list[Row]) -> ClaimedJob | None:
    return ClaimedJob(*rows[0]) if rows else None


def _job(row: Row) -> Job:
    # `status` is the sixth column and the sixth field
    return Job(*row[:5], STATUS_OF[row[5]], *row[6:])  # type: ignore[call-arg]


def _schedule_row(due: DueSchedule) -> Row:
    schedule, options = due.schedule, due.schedule.options
    return (
        schedule.name,
        schedule.task,
        schedule.rule,
        options.queue,
        options.priority,
        options.retries,
        options.ttl,
        schedule.start_now,
        due.due,
    )


def _due_schedule(row: Row) -> DueSchedule:
    name, task, rule, queue, priority, retries, ttl, start_now, next_at = row
    options = Options(queue=queue, priority=priority, retries=retries, ttl=ttl)
    return DueSchedule(Schedule(name, task, rule, options, bool(start_now)), next_at)
