"""What an administrator asks of the store besides: nothing that runs jobs depends on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

from autocron.errors import DatabaseUnusable, StoreBusy, StoreError
from autocron.model import JobStatus, Options
from autocron.model_admin import KnownTask, Note, NoteKind, QueueState, Selection
from autocron.policy import policy_from_text
from autocron.stores.sqlite import admin_queries, schema
from autocron.stores.sqlite.database import Connection, Database, Row
from autocron.stores.sqlite.faults import NO_JOBS
from autocron.stores.sqlite.jobs import forget, note, selected, states_of
from autocron.stores.sqlite.queries import ADD_RUN, STATUS_OF, State
from autocron.stores.sqlite.store import SqliteStore


class SqliteAdminStore(SqliteStore):
    """Fulfils the `AdminStore` contract with one SQLite file."""

    def check_is_ours(self) -> None:
        """Find out whether this is a database of autocron, without changing it if it is not.

        Raises:
            DatabaseUnusable: it is not.
        """
        if not self._database.look(schema.HAS_TABLES):
            raise DatabaseUnusable(path=self._database.path, reason=NO_JOBS)

    # Looking ----------------------------------------------------------------------------------

    def count(self, selection: Selection) -> int:
        return self._database.query(admin_queries.COUNT, selected(selection))[0][0]  # type: ignore[no-any-return]

    def ids(self, selection: Selection) -> list[str]:
        return [
            job_id for (job_id,) in self._database.query(admin_queries.IDS, selected(selection))
        ]

    def find_ids(self, part: str, limit: int) -> list[str]:
        rows = self._database.query(admin_queries.FIND_IDS, {"part": part, "limit": limit})
        return [job_id for (job_id,) in rows]

    def notes(self, job_id: str) -> list[Note]:
        rows = self._database.query(admin_queries.NOTES, (job_id,))
        return [Note(at, NoteKind(kind), attempt, worker) for at, kind, attempt, worker in rows]

    def queues(self) -> list[QueueState]:
        paused = {name: bool(paused) for name, paused in self._database.query(admin_queries.QUEUES)}
        counts: dict[str, dict[State, int]] = {}
        oldest: dict[str, float] = {}
        for name, state, count, since in self._database.query(admin_queries.QUEUED):
            counts.setdefault(name, {})[State(state)] = count
            if state == State.READY:
                oldest[name] = since
        return [
            QueueState(
                name,
                paused.get(name, False),
                ready=counts.get(name, {}).get(State.READY, 0),
                later=sum(
                    counts.get(name, {}).get(state, 0) for state in (State.LATER, State.HELD)
                ),
                running=counts.get(name, {}).get(State.RUNNING, 0),
                oldest=oldest.get(name),
            )
            for name in sorted(paused.keys() | counts.keys())
        ]

    def queue_names(self) -> list[str]:
        return [name for name, _paused in self._database.query(admin_queries.QUEUES)]

    def ended_since(self, moment: float) -> dict[JobStatus, int]:
        rows = self._database.query(admin_queries.ENDED_SINCE, {"since": moment})
        counts = {status: 0 for status in JobStatus if status.is_final}
        return counts | {STATUS_OF[state]: count for state, count in rows}

    def ahead_of(self, job_id: str) -> int:
        return self._database.query(admin_queries.AHEAD, (job_id,))[0][0]  # type: ignore[no-any-return]

    def tasks(self) -> list[KnownTask]:
        return [
            KnownTask(
                name,
                Options(
                    queue=queue,
                    priority=priority,
                    retries=retries,
                    ttl=ttl,
                    policy=policy_from_text(policy),
                ),
            )
            for name, queue, priority, retries, ttl, policy in self._database.query(
                admin_queries.TASKS
            )
        ]

    def counts_of_tasks(self) -> dict[str, dict[JobStatus, int]]:
        counts: dict[str, dict[JobStatus, int]] = {}
        for task, state, count in self._database.query(admin_queries.COUNTS_OF_TASKS):
            of_task = counts.setdefault(task, dict.fromkeys(JobStatus, 0))
            of_task[STATUS_OF[state]] += count
        return counts

    def is_locked(self, seconds: float) -> bool:
        probe = Database(
            self._database.path,
            busy_timeout=seconds,
            turn=nullcontext(),
            creates=False,
            root_may=True,
        )
        with closing(probe):
            try:
                probe.transaction(lambda _connection: None)
            except StoreBusy:
                return True
        return False

    # Changing ---------------------------------------------------------------------------------

    def try_again(self, job_id: str, now: float) -> bool:
        def change(connection: Connection) -> bool:
            rows = connection.execute(admin_queries.TRY_AGAIN, (job_id,)).fetchall()
            for schedule, seq in rows:
                note(connection, job_id, NoteKind.RENEWED, now)
                if schedule is not None:
                    place = {"schedule": schedule, "seq": seq}
                    held = connection.execute(admin_queries.HOLD, place).fetchall()
                    connection.execute(ADD_RUN, (schedule, seq, bool(held)))
            return bool(rows)

        return self._database.transaction(change)

    def delete(self, job_ids: Sequence[str], statuses: Sequence[JobStatus]) -> int:
        ids = (json.dumps(list(job_ids)), states_of(statuses))
        return self._database.transaction(
            lambda connection: forget(
                connection, connection.execute(admin_queries.DELETE, ids).fetchall()
            )
        )

    def pause_queue(self, name: str, *, paused: bool) -> bool:
        return bool(self._database.execute(admin_queries.PAUSE_QUEUE, (paused, name)))

    def pause_all(self, *, paused: bool) -> None:
        self._database.execute(admin_queries.PAUSE_ALL, (paused,))

    def ask_for_restart(self) -> None:
        self._database.execute(admin_queries.ASK_FOR_RESTART)

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        def change(connection: Connection) -> None:
            for name, value in changes.items():
                if value is None:
                    connection.execute(admin_queries.UNSET, (name,))
                else:
                    connection.execute(admin_queries.SET, (name, json.dumps(value)))

        self._database.transaction(change)

    def foreign_tables(self) -> list[str]:
        return [name for (name,) in self._database.query(admin_queries.FOREIGN_TABLES)]

    def remove(self, expected: int) -> bool:
        return self._database.remove(lambda connection: _count(connection) == expected)

    def backup(self, target: Path) -> None:
        # https://www.sqlite.org/lang_vacuum.html: "a consistent snapshot", while others write.
        try:
            found = self._database.use(_copy, str(target))
        except StoreBusy:
            raise
        except StoreError as error:  # SQLite does not tell which of the two it is about
            both = f"{target}, copied from {self._database.path}"
            raise StoreError(path=both, reason=error.details.get("reason", error)) from error
        if found != [("ok",)]:
            raise StoreError(path=target, reason=f"is damaged ({found[0][0]}): try again")


def _copy(connection: Connection, target: str) -> list[Row]:
    """Copy a database; return what SQLite finds when it looks at the copy."""
    connection.execute("VACUUM INTO ?", (target,))
    connection.execute("ATTACH ? AS copy", (target,))
    try:
        return connection.execute("PRAGMA copy.quick_check").fetchall()
    finally:
        connection.execute("DETACH copy")


def _count(connection: Connection) -> int:
    ((count,),) = connection.execute(admin_queries.COUNT_ALL).fetchall()
    return int(count)
