"""The tables, and how they came to be: each step brings a database one version further.

A step must leave the tables such that the code of the version before still runs on them. The
names begin with `autocron_`, because an application may keep its own tables in the same file.
"""

from __future__ import annotations

# Which jobs a worker can claim is told by `state` alone, never by comparing a due time: jobs for
# later lie in an index of their own, and however many they are, a claim does not meet them. Each
# index holds only the rows in one situation. Those that are ready and those that run share one,
# so that a claim changes one page of it where two indexes would be two.
_VERSION_1 = """
CREATE TABLE autocron_jobs (
    seq INTEGER PRIMARY KEY,              -- the order in which jobs were put in
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    arguments TEXT NOT NULL,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,               -- see queries.State
    attempt INTEGER NOT NULL DEFAULT 0,   -- how many were begun
    retries INTEGER NOT NULL,
    crashes INTEGER NOT NULL DEFAULT 0,   -- how many workers died of it
    ttl REAL,                             -- seconds; NULL: as the settings say
    enqueued_at REAL NOT NULL,            -- all times: seconds since 1970 UTC
    run_at REAL,                          -- NULL: at once, whatever the clock says
    worker INTEGER,
    started_at REAL,
    finished_at REAL,
    expires_at REAL,
    awaited INTEGER NOT NULL DEFAULT 0,   -- 1: somebody wants to be told of the end
    result TEXT,
    error TEXT,
    traceback TEXT,
    schedule TEXT,
    scheduled_for REAL
) STRICT;
CREATE INDEX autocron_active ON autocron_jobs (state, queue, priority DESC, seq)
    WHERE state > 0 AND state < 3;
CREATE INDEX autocron_later ON autocron_jobs (run_at) WHERE state = 0;
CREATE INDEX autocron_expiring ON autocron_jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX autocron_ticks ON autocron_jobs (schedule, scheduled_for)
    WHERE schedule IS NOT NULL;

CREATE TABLE autocron_queues (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_schedules (
    name TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    rule TEXT NOT NULL,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    ttl REAL,
    start_now INTEGER NOT NULL,
    next_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_workers (
    number INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    started_at REAL NOT NULL
) STRICT;

CREATE TABLE autocron_settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL                   -- JSON
) STRICT, WITHOUT ROWID;
"""

STEPS = (_VERSION_1,)
KNOWN_VERSION = len(STEPS)


def statements(step: str) -> list[str]:
    """Return the statements of a step one by one, for use inside a transaction."""
    return [statement for statement in step.split(";\n") if statement.strip()]


# Whether the tables are there at all, since another program may use `user_version` for its own.
HAS_TABLES = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'autocron_jobs'"
