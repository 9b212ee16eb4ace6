"""Jobs as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autocron.model import (
    Attempt,
    AttemptOutcome,
    Cancelled,
    ClaimedJob,
    Failed,
    Job,
    JobStatus,
    NewJob,
    Outcome,
    Progress,
    Released,
    Retrying,
    Succeeded,
)
from autocron.model_admin import NoteKind, Selection
from autocron.policy import policy_from_text, policy_to_text
from autocron.stores.sqlite import queries
from autocron.stores.sqlite.database import Connection, Row
from autocron.stores.sqlite.queries import STATUS_OF, State

MOST_ATTEMPTS = 1000
"""How many attempts of a job are kept, the latest."""

MOST_NOTES = 50
"""How many notes on a job are kept, the latest."""

_EXCUSED = (AttemptOutcome.INTERRUPTED, AttemptOutcome.RETRY)


def new_row(
    job: NewJob,
    now: float,
    schedule: str | None = None,
    scheduled_for: float | None = None,
    state: State = State.READY,
) -> Row:
    """Return what `queries.ENQUEUE` takes; a job for later waits for its time."""
    options = job.options
    run_at = options.due(now)
    return (
        job.id,
        job.task,
        job.arguments,
        options.queue,
        options.priority,
        state.value if run_at is None else 0,
        options.retries,
        options.ttl,
        policy_to_text(options.policy),
        now,
        run_at,
        options.delay,
        schedule,
        scheduled_for,
    )


def end(connection: Connection, job: ClaimedJob, outcome: Outcome, now: float, ttl: float) -> Row:
    """End an attempt; return the state of its job, and whether it is awaited; nothing if it was not ours."""
    values = {
        "id": job.id,
        "attempt": job.attempt,
        "place": job.place,
        "now": now,
        "ttl": ttl,
        "result": None,
        "error": None,
        "traceback": None,
        "crashed": 0,
    }
    match outcome:
        case Succeeded(result):
            values |= {"state": State.DONE, "result": result}
            return _change(connection, queries.FINISH, values)
        case Released():
            connection.execute(queries.NOTE_RELEASE, values)
            connection.execute(queries.FORGET_OLD_NOTES, {"id": job.id, "kept": MOST_NOTES})
            return _change(connection, queries.RELEASE, values)
        case Retrying(failure, run_at):
            values |= {"run_at": run_at, "excused": failure.outcome in _EXCUSED}
            return _fail(connection, queries.RETRY, values, failure)
        case Cancelled(failure):
            values["state"] = State.CANCELLED
            return _fail(connection, queries.FINISH, values, failure)
        case Failed() as failure:
            values["state"] = State.ERROR
            return _fail(connection, queries.FINISH, values, failure)


def _fail(connection: Connection, sql: str, values: dict[str, Any], failure: Failed) -> Row:
    """Change a job whose attempt did not succeed, and keep why."""
    values |= {"error": failure.error, "traceback": failure.traceback}
    values["crashed"] = failure.outcome is AttemptOutcome.CRASHED
    values["exception"] = failure.kinds[0] if failure.kinds else None
    connection.execute(queries.ADD_ATTEMPT, values | {"outcome": str(failure.outcome)})
    if values["attempt"] > MOST_ATTEMPTS:
        connection.execute(queries.FORGET_OLD_ATTEMPTS, values | {"kept": MOST_ATTEMPTS})
    return _change(connection, sql, values)


def cancel(connection: Connection, values: dict[str, Any]) -> list[Row]:
    """Cancel a job that has not ended, and note it; return what `queries.CANCEL` does."""
    changed = connection.execute(queries.CANCEL, values).fetchall()
    for state, _awaited, _task in changed:
        kind = NoteKind.CANCELLED if state == State.CANCELLED else NoteKind.ASKED_TO_STOP
        note(connection, values["id"], kind, values["now"])
    return changed


def note(connection: Connection, job_id: str, kind: NoteKind, now: float) -> None:
    """Note what happens to a job."""
    connection.execute(queries.NOTE, {"id": job_id, "kind": str(kind), "now": now})
    connection.execute(queries.FORGET_OLD_NOTES, {"id": job_id, "kept": MOST_NOTES})


def forget(connection: Connection, deleted: list[Row]) -> int:
    """Delete what was kept of jobs that were deleted; return how many these are."""
    places = (json.dumps([place for (place,) in deleted]),)
    connection.execute(queries.FORGET_ATTEMPTS, places)
    connection.execute(queries.FORGET_NOTES, places)
    return len(deleted)


def selected(selection: Selection) -> dict[str, Any]:
    """Return what `queries.SELECTED` takes."""
    states = states_of(selection.statuses) if selection.statuses else None
    return asdict(selection) | {"states": states}


def states_of(statuses: Sequence[JobStatus]) -> str:
    """Return the states in which jobs have one of the statuses, as JSON."""
    return json.dumps([int(state) for state, known in STATUS_OF.items() if known in statuses])


def _change(connection: Connection, sql: str, values: dict[str, Any]) -> Row:
    rows = connection.execute(sql, values).fetchall()
    return rows[0] if rows else ()


def claimed_job(rows: list[Row]) -> ClaimedJob | None:
    """Return the job that a claim has given, if it has."""
    return _claimed(rows[0]) if rows else None


def claimed_jobs(rows: list[Row]) -> list[ClaimedJob]:
    """Return the rows of `queries.RUNNING` as what they stand for."""
    return [_claimed(row) for row in rows]


def _claimed(row: Row) -> ClaimedJob:
    # `policy` is the eighth column and the eighth field
    return ClaimedJob(*row[:7], policy_from_text(row[7]), *row[8:])  # type: ignore[call-arg]


def stored_job(row: Row) -> Job:
    """Return a row of `queries.GET` as what it stands for."""
    # `status` is the sixth column and the sixth field
    *others, policy, crashes, cancel, progress = row
    others[5] = STATUS_OF[others[5]]
    more = {
        "policy": policy_from_text(policy),
        "crashes": crashes,
        "cancel_requested": bool(cancel),
        "progress": Progress(*json.loads(progress)) if progress else None,
    }
    return Job(*others, **more)


def attempt_of(row: Row) -> Attempt:
    """Return a row of `queries.ATTEMPTS` as what it stands for."""
    number, outcome, *others = row
    return Attempt(number, AttemptOutcome(outcome), *others)
