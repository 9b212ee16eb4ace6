"""The SQL of what only an administrator asks."""

from __future__ import annotations

from autocron.stores.sqlite.queries import SELECTED

# Let a job that has ended without success begin anew: what it has used up counts no more.
TRY_AGAIN = """
UPDATE autocron_jobs
SET state = 1, run_at = NULL, delay = NULL, excused = attempt, crashes = 0, cancel = 0,
    worker = NULL, started_at = NULL, finished_at = NULL, expires_at = NULL
WHERE id = ? AND state IN (4, 5)
RETURNING schedule, seq
"""

# If runs of its schedule must not overlap: let it wait for those that have not ended.
HOLD = """
UPDATE autocron_jobs SET state = -1
WHERE seq = :seq
    AND EXISTS (SELECT 1 FROM autocron_schedules WHERE name = :schedule AND overlap <> 'allow')
    AND EXISTS (
        SELECT 1 FROM autocron_runs AS run JOIN autocron_jobs AS job
            ON job.seq = run.seq AND job.schedule = run.schedule AND job.state < 3
        WHERE run.schedule = :schedule AND run.seq <> :seq)
RETURNING 1
"""

# The tables of other programs.
FOREIGN_TABLES = """
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT GLOB 'autocron_*' AND name NOT GLOB 'sqlite_*' ORDER BY name
"""

# How many jobs a selection has, and which.
COUNT = f"SELECT count(*) {SELECTED}"
IDS = f"SELECT id {SELECTED} ORDER BY seq DESC"

COUNT_ALL = "SELECT count(*) FROM autocron_jobs"

# The jobs whose ids begin or end with some characters.
FIND_IDS = """
SELECT id FROM autocron_jobs
WHERE substr(id, 1, length(:part)) = :part OR substr(id, -length(:part)) = :part LIMIT :limit
"""

# Delete jobs that are in some states; one that is running is left alone in any case.
DELETE = """
DELETE FROM autocron_jobs
WHERE id IN (SELECT value FROM json_each(?)) AND state IN (SELECT value FROM json_each(?)) AND state <> 2
RETURNING seq
"""

# What was noted of a job, the first first.
NOTES = """
SELECT at, kind, attempt, worker FROM autocron_notes
WHERE job = (SELECT seq FROM autocron_jobs WHERE id = ?) ORDER BY rowid
"""

# The queues, and what is in them: the jobs of each state, and since when one waits.
QUEUES = "SELECT name, paused FROM autocron_queues ORDER BY name"
QUEUED = """
SELECT queue, state, count(*), min(coalesce(run_at, enqueued_at)) FROM autocron_jobs
WHERE state < 3 GROUP BY queue, state
"""
PAUSE_QUEUE = "UPDATE autocron_queues SET paused = ? WHERE name = ? RETURNING 1"

# How many jobs have ended since a moment; the first condition has an index.
ENDED_SINCE = """
SELECT state, count(*) FROM autocron_jobs WHERE expires_at >= :since AND finished_at >= :since GROUP BY state
"""

# How many jobs are to be claimed before one that waits for a worker.
AHEAD = """
SELECT count(*) FROM autocron_jobs AS other
JOIN autocron_jobs AS job ON job.id = ?
WHERE other.state = 1 AND other.state > 0 AND other.state < 3
    AND (other.priority > job.priority OR (other.priority = job.priority AND other.seq < job.seq))
    AND other.queue IN (SELECT name FROM autocron_queues WHERE NOT paused)
"""

# The tasks, and how many jobs each has in each state.
TASKS = "SELECT name, queue, priority, retries, ttl, policy FROM autocron_tasks ORDER BY name"
COUNTS_OF_TASKS = "SELECT task, state, count(*) FROM autocron_jobs GROUP BY task, state"

# Have new workers started.
ASK_FOR_RESTART = "UPDATE autocron_state SET restarts = restarts + 1"

# Let no job begin and no schedule be due, or let all go on.
PAUSE_ALL = "UPDATE autocron_state SET paused = ?"

SET = "INSERT OR REPLACE INTO autocron_settings (name, value) VALUES (?, ?)"
UNSET = "DELETE FROM autocron_settings WHERE name = ?"
