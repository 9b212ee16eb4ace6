"""How SQLite does what the store asks for; what it does is shown by the contract suite."""

import re
import sqlite3
from contextlib import closing
from itertools import count

import pytest

from autocron.model import NewJob, Options, Succeeded
from autocron.stores.sqlite import admin_queries, queries

NOW = 1_795_000_000.0
VALUES = dict.fromkeys(
    [
        *(
            "state",
            "now",
            "ttl",
            "result",
            "error",
            "traceback",
            "id",
            "attempt",
            "place",
            "crashed",
        ),
        *("run_at", "excused", "outcome", "kept", "force", "reason", "exception"),
    ],
    1,
)


def job(number, **options):
    """Return a job with an id of its own."""
    return NewJob(str(number), "shop.task", "[[],{}]", Options(**options))


def steps_of(store, work):
    """Return how many hundreds of steps SQLite's virtual machine takes for `work`."""
    work()  # statements are prepared, and pages are read
    (connection,) = store._database._idle
    steps = 0

    def count():
        nonlocal steps
        steps += 1

    connection.set_progress_handler(count, 10)
    work()
    connection.set_progress_handler(None, 0)
    return steps


def plan(path, sql, parameters=()):
    """Return SQLite's plan of a query as one text."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "\n".join(row[3] for row in rows)


def test_a_claim_uses_the_index_of_jobs_that_are_ready(store, path):
    """It searches a partial index once for each queue, and scans no table but that of the queues."""
    lines = plan(path, queries.CLAIM, (1, NOW)).splitlines()
    (search,) = [line for line in lines if "queue=?" in line]
    index = re.search(r"SEARCH autocron_jobs USING COVERING INDEX (\w+) ", search).group(1)
    (definition,) = store._database.query("SELECT sql FROM sqlite_schema WHERE name = ?", (index,))
    assert " WHERE " in definition[0].replace("\n", " ")
    assert [line for line in lines if line.startswith("SCAN")] == ["SCAN queue"]
    assert sum("TEMP B-TREE" in line for line in lines) == 1  # for the best of all queues


@pytest.mark.parametrize(
    ("sql", "parameters", "index"),
    [
        ("PROMOTE", (NOW, 10), "autocron_later"),
        ("NEXT_DUE", (), "autocron_later"),
        ("FIRST_HELD", (), "autocron_held"),
        ("FIRST_HELD_OF", ("s",), "autocron_runs USING PRIMARY KEY (schedule=?)"),
        ("UNENDED_RUNS", ("a", 1), "SEARCH run USING PRIMARY KEY (schedule=?)"),
        ("REMOVE_ENDED_RUNS", {"name": "a"}, "SEARCH autocron_runs USING PRIMARY KEY (schedule=?)"),
        ("TICKS", ("a", 1), "PRIMARY KEY (schedule=?)"),
        ("FORGET_TICKS", ("a", 1), "PRIMARY KEY (schedule=? AND due>?)"),
        ("FORGET_OLD_TICKS", ("a", "a", 1), "PRIMARY KEY (schedule=? AND due<?)"),
        ("RIPE_SCHEDULES", (1, 1), "SEARCH autocron_ticks USING PRIMARY KEY (schedule=?)"),
        ("PRUNE", (NOW, 10), "autocron_expiring"),
        ("RUNNING", (1,), "autocron_active (state=?"),
        ("TO_BE_STOPPED", (), "autocron_active (state=?"),
        ("FINISH", VALUES, "autoindex"),
        ("RETRY", VALUES, "autoindex"),
        ("RELEASE", VALUES, "autoindex"),
        ("ADD_ATTEMPT", VALUES, "autoindex"),
        ("FORGET_OLD_ATTEMPTS", VALUES, "PRIMARY KEY (job=? AND number<?)"),
        ("FORGET_ATTEMPTS", ("[1]",), "PRIMARY KEY (job=?)"),
        ("ATTEMPTS", ("a",), "PRIMARY KEY (job=?)"),
        ("FORGET_NOTES", ("[1]",), "autocron_notes_of (job=?)"),
        ("NOTES", ("a",), "autocron_notes_of (job=?)"),
        ("NOTE", VALUES | {"kind": "RENEWED"}, "autoindex"),
        ("FORGET_OLD_NOTES", {"id": "a", "kept": 1}, "autocron_notes_of (job=? AND rowid<?)"),
        ("NOTE_RELEASE", VALUES, "autoindex"),
        ("SET_PROGRESS", VALUES | {"progress": None}, "autoindex"),
        ("AHEAD", ("a",), "autocron_active (state=?"),
        ("ENDED_SINCE", {"since": 1.0}, "autocron_expiring"),
        ("DELETE", ('["a"]', "[1]"), "autoindex"),
        ("CANCEL", VALUES, "autoindex"),
        ("TRY_AGAIN", ("a",), "autoindex"),
        ("UNENDED", ('["a"]',), "autoindex"),
        ("WATCH", ('["a"]',), "autoindex"),
        ("GET", ("a",), "autoindex"),
    ],
)  # fmt: skip
def test_nothing_reads_the_whole_table(store, path, sql, parameters, index):
    """What is done often finds its rows through an index."""
    text = plan(path, getattr(queries, sql, None) or getattr(admin_queries, sql), parameters)
    assert index in text
    whole = [line for line in text.splitlines() if line == "SCAN autocron_jobs"]
    assert whole == []


def test_a_look_at_all_delays_reads_an_index(store, path):
    """It is done once, when a supervisor begins; only delayed jobs are in that index."""
    assert plan(path, queries.ANY_TOO_LONG, (NOW,)).startswith(
        "SCAN autocron_jobs USING INDEX autocron_later"
    )


@pytest.mark.parametrize("due", [0, 1])
def test_a_claim_does_not_meet_the_jobs_that_are_for_later(store, due):
    """With 100,000 of them at mixed queues and priorities it takes as many steps as with none."""
    queues = [f"queue {number}" for number in range(7)]

    numbers = count()

    def claim():
        claimed = store.claim(1, NOW)
        assert bool(claimed) == bool(due)
        if claimed:
            store.settle(claimed, Succeeded("null"), NOW)

    def measure():
        if due:
            store.enqueue([job(f"due {next(numbers)}", queue=queues[3]) for _ in "ab"], NOW)
        return steps_of(store, claim)

    # The same queues are known in both cases: only the jobs for later make the difference.
    store.enqueue([job(f"known {queue}", queue=queue) for queue in queues], NOW)
    for _ in queues:
        store.settle(store.claim(1, NOW), Succeeded("null"), NOW)
    with_none = measure()
    store.enqueue(
        [
            job(number, queue=queues[number % 7], priority=number % 11, delay=1.0 + number)
            for number in range(100_000)
        ],
        NOW,
    )
    assert abs(measure() - with_none) <= 3


def test_a_claim_does_not_meet_the_jobs_that_have_ended(store):
    """Nor those that wait behind the first one."""
    store.enqueue([job(number, priority=number % 5) for number in range(2)], NOW)
    alone = steps_of(store, lambda: store.settle(store.claim(1, NOW), Succeeded("1"), NOW))
    store.enqueue([job(f"more {number}", priority=number % 5) for number in range(20_000)], NOW)
    for _ in range(500):
        store.settle(store.claim(1, NOW), Succeeded("1"), NOW)
    among_many = steps_of(store, lambda: store.settle(store.claim(1, NOW), Succeeded("1"), NOW))
    assert among_many <= alone + 3
