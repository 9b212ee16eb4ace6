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
    excused INTEGER NOT NULL DEFAULT 0,   -- how many of the attempts do not count against retries
    crashes INTEGER NOT NULL DEFAULT 0,   -- how many workers died of it
    cancel INTEGER NOT NULL DEFAULT 0,    -- 1: it was asked to stop, 2: it is to be stopped
    ttl REAL,                             -- seconds; NULL: as the settings say
    policy TEXT,                          -- JSON; NULL: as usual
    enqueued_at REAL NOT NULL,            -- all times: seconds since 1970 UTC
    run_at REAL,                          -- NULL: at once, whatever the clock says
    delay REAL,                           -- seconds, if run_at was counted from a moment
    worker INTEGER,
    started_at REAL,
    finished_at REAL,
    expires_at REAL,
    awaited INTEGER NOT NULL DEFAULT 0,   -- 1: somebody wants to be told of the end
    result TEXT,
    error TEXT,
    traceback TEXT,
    schedule TEXT,                        -- of which it is a run,
    scheduled_for REAL,                   -- and for which due time
    progress TEXT                         -- JSON: what its task has said of it last
) STRICT;
CREATE INDEX autocron_active ON autocron_jobs (state, queue, priority DESC, seq)
    WHERE state > 0 AND state < 3;
CREATE INDEX autocron_later ON autocron_jobs (run_at, delay) WHERE state = 0;
CREATE INDEX autocron_expiring ON autocron_jobs (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE autocron_attempts (          -- those that did not succeed
    job INTEGER NOT NULL,                 -- its seq
    number INTEGER NOT NULL,
    outcome TEXT NOT NULL,                -- see model.AttemptOutcome
    started_at REAL NOT NULL,
    ended_at REAL NOT NULL,
    worker INTEGER,
    error TEXT NOT NULL,
    traceback TEXT NOT NULL,
    exception TEXT,                       -- its class, as module.Class
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_notes (             -- what happened to a job besides attempts
    job INTEGER NOT NULL,                 -- its seq
    at REAL NOT NULL,
    kind TEXT NOT NULL,                   -- see model.NoteKind
    attempt INTEGER NOT NULL,
    worker INTEGER
) STRICT;
CREATE INDEX autocron_notes_of ON autocron_notes (job);

CREATE TABLE autocron_queues (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL DEFAULT 0     -- 1: none of its jobs begins
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_tasks (             -- those that the present workers have registered
    name TEXT PRIMARY KEY,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    ttl REAL,
    policy TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_schedules (
    name TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    rule TEXT NOT NULL,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    ttl REAL,
    policy TEXT,
    start_now INTEGER NOT NULL,
    timezone TEXT,                        -- NULL: the machine's
    catch_up TEXT NOT NULL,
    grace REAL NOT NULL,
    overlap TEXT NOT NULL,
    anchor REAL NOT NULL,                 -- when it was first registered
    planned_at REAL NOT NULL,             -- when next_at was worked out
    next_at REAL,                         -- NULL: it is not going to be due
    paused INTEGER NOT NULL DEFAULT 0,
    retired INTEGER NOT NULL DEFAULT 0,
    confirmed INTEGER NOT NULL DEFAULT 1, -- 0: the present workers have not registered it yet,
    problem TEXT                          -- or this keeps it from being due
) STRICT, WITHOUT ROWID;

-- The jobs of schedules that may not have ended: apart from all others, whose every change of state
-- would have to keep an index on them. Those that have ended are removed when the next is due.
CREATE TABLE autocron_runs (
    schedule TEXT NOT NULL,
    seq INTEGER NOT NULL,                 -- of the job
    held INTEGER NOT NULL,                -- 1: it waits for earlier ones
    PRIMARY KEY (schedule, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX autocron_held ON autocron_runs (schedule) WHERE held;

CREATE TABLE autocron_state (             -- has one row
    generation INTEGER NOT NULL,          -- of the workers whose schedules are the present ones
    restarts INTEGER NOT NULL,            -- how often an administrator has asked for new workers
    paused INTEGER NOT NULL               -- 1: no job begins, and no schedule is due
) STRICT;
INSERT INTO autocron_state (generation, restarts, paused) VALUES (0, 0, 0);

CREATE TABLE autocron_ticks (
    schedule TEXT NOT NULL,
    due REAL NOT NULL,
    outcome TEXT NOT NULL,                -- see model.TickOutcome
    reason TEXT,
    job TEXT,
    noted_at REAL NOT NULL,
    PRIMARY KEY (schedule, due)           -- each due time comes once
) STRICT, WITHOUT ROWID;

CREATE TABLE autocron_workers (
    number INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    started_at REAL NOT NULL,
    version TEXT NOT NULL                 -- of its autocron
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
