"""All SQL that reads or changes rows. Each block says what it does; the Python around it is in `store`."""

from __future__ import annotations

from enum import IntEnum

from autocron.model import JobStatus


class State(IntEnum):
    """What `state` holds: the statuses of a job, with the two ways of waiting told apart."""

    LATER = 0  # waiting for its time
    READY = 1  # waiting for a worker
    RUNNING = 2
    DONE = 3
    ERROR = 4
    CANCELLED = 5


STATUS_OF = {
    State.LATER: JobStatus.WAITING,
    State.READY: JobStatus.WAITING,
    State.RUNNING: JobStatus.RUNNING,
    State.DONE: JobStatus.DONE,
    State.ERROR: JobStatus.ERROR,
    State.CANCELLED: JobStatus.CANCELLED,
}

# Put a job in.
ENQUEUE = """
INSERT INTO autocron_jobs
    (id, task, arguments, queue, priority, state, retries, ttl, enqueued_at, run_at,
     schedule, scheduled_for)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# Put in the job of a due time, unless that has had one: a clock that is set back meets it again.
ENQUEUE_TICK = f"""
{ENQUEUE}
ON CONFLICT (schedule, scheduled_for) WHERE schedule IS NOT NULL DO NOTHING
RETURNING 1
"""

# Make a queue known; claims look only into queues that are.
ADD_QUEUE = "INSERT OR IGNORE INTO autocron_queues (name) VALUES (?)"

# A partial index serves only queries that repeat its condition word by word, which is why
# `state > 0 AND state < 3` stands beside the state that is meant.

# Take the next job. For each queue the partial index gives its first job in one step; of these
# few the best is taken. No other row is looked at, however many wait.
CLAIM = """
UPDATE autocron_jobs
SET state = 2, attempt = attempt + 1, worker = ?, started_at = ?
WHERE seq = (
    SELECT job.seq
    FROM autocron_queues AS queue
    JOIN autocron_jobs AS job ON job.seq = (
        SELECT seq FROM autocron_jobs
        WHERE state = 1 AND state > 0 AND state < 3 AND queue = queue.name
        ORDER BY priority DESC, seq LIMIT 1)
    ORDER BY job.priority DESC, job.seq LIMIT 1)
RETURNING id, task, arguments, attempt, retries, scheduled_for, seq
"""

# A claimed job knows its row. With a million others, looking it up by its id would take a tenth of the
# time of ending it; a number that was given anew does no harm, since the id is compared as well.

# End an attempt for good. The outcome expires after the job's own time to live, or the default.
FINISH = """
UPDATE autocron_jobs
SET state = :state, finished_at = :now, expires_at = :now + coalesce(ttl, :ttl),
    result = :result, error = :error, traceback = :traceback
WHERE seq = coalesce(:place, (SELECT seq FROM autocron_jobs WHERE id = :id))
    AND id = :id AND attempt = :attempt AND state = 2
RETURNING awaited
"""

# Let a failed job wait for its next attempt.
RETRY = """
UPDATE autocron_jobs
SET state = 0, run_at = :run_at, worker = NULL, error = :error, traceback = :traceback
WHERE seq = coalesce(:place, (SELECT seq FROM autocron_jobs WHERE id = :id))
    AND id = :id AND attempt = :attempt AND state = 2
RETURNING 0
"""

# Give a claimed job back; the attempt does not count.
RELEASE = """
UPDATE autocron_jobs
SET state = 1, attempt = attempt - 1, worker = NULL, started_at = NULL
WHERE seq = coalesce(:place, (SELECT seq FROM autocron_jobs WHERE id = :id))
    AND id = :id AND attempt = :attempt AND state = 2
RETURNING 0
"""

# Give back what a worker was running that was ended by its supervisor.
RELEASE_ALL = """
UPDATE autocron_jobs
SET state = 1, attempt = attempt - 1, worker = NULL, started_at = NULL
WHERE state = 2 AND state > 0 AND state < 3 AND worker = ?
"""

# Put back what a dead worker was running, or end it if it has cost too many workers. Without a limit
# (NULL, with which every comparison is false) it is no crash, and not counted.
RECLAIM = """
UPDATE autocron_jobs
SET crashes = crashes + (:crash_limit IS NOT NULL),
    error = :reason,
    worker = NULL,
    state = iif(crashes + 1 >= :crash_limit, 4, 1),
    finished_at = iif(crashes + 1 >= :crash_limit, :now, NULL),
    expires_at = iif(crashes + 1 >= :crash_limit, :now + coalesce(ttl, :ttl), NULL)
WHERE state = 2 AND state > 0 AND state < 3 AND worker = :worker
RETURNING id, task, state, awaited
"""

# Make jobs claimable whose time has come, the longest due first.
PROMOTE = """
UPDATE autocron_jobs SET state = 1
WHERE seq IN (SELECT seq FROM autocron_jobs WHERE state = 0 AND run_at <= ?
              ORDER BY run_at LIMIT ?)
"""

# When the next job is due that is not yet claimable.
NEXT_DUE = "SELECT min(run_at) FROM autocron_jobs WHERE state = 0"

# Delete outcomes whose time is over.
PRUNE = """
DELETE FROM autocron_jobs
WHERE seq IN (SELECT seq FROM autocron_jobs WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""

_JOB_COLUMNS = """
id, task, arguments, queue, priority, state, attempt, retries, enqueued_at, run_at, started_at,
finished_at, worker, result, error, traceback, schedule
"""

# One job as it stands.
GET = f"SELECT {_JOB_COLUMNS} FROM autocron_jobs WHERE id = ?"

# The latest jobs, newest first.
LIST = f"SELECT {_JOB_COLUMNS} FROM autocron_jobs ORDER BY seq DESC LIMIT ?"

# The latest jobs in some states, newest first.
LIST_STATES = f"""
SELECT {_JOB_COLUMNS} FROM autocron_jobs
WHERE state IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT ?
"""

# How many jobs there are in each state.
COUNTS = "SELECT state, count(*) FROM autocron_jobs GROUP BY state"

# Note that somebody waits for jobs that have not ended.
WATCH = """
UPDATE autocron_jobs SET awaited = 1
WHERE id IN (SELECT value FROM json_each(?)) AND state < 3
"""

# Which of some jobs have not ended.
UNENDED = """
SELECT id FROM autocron_jobs WHERE id IN (SELECT value FROM json_each(?)) AND state < 3
"""

# Register a schedule. With an unchanged rule its next due time stays.
REGISTER = """
INSERT INTO autocron_schedules
    (name, task, rule, queue, priority, retries, ttl, start_now, next_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    next_at = iif(rule = excluded.rule, next_at, excluded.next_at),
    task = excluded.task, rule = excluded.rule, queue = excluded.queue,
    priority = excluded.priority, retries = excluded.retries, ttl = excluded.ttl,
    start_now = excluded.start_now
"""

# Forget the schedules that the code no longer has.
RETIRE = "DELETE FROM autocron_schedules WHERE name NOT IN (SELECT value FROM json_each(?))"

# All schedules, the next due first.
SCHEDULES = """
SELECT name, task, rule, queue, priority, retries, ttl, start_now, next_at
FROM autocron_schedules ORDER BY next_at, name
"""

# Move a schedule on from one due time to the next; only one of several processes succeeds.
ADVANCE = "UPDATE autocron_schedules SET next_at = ? WHERE name = ? AND next_at = ? RETURNING 1"

ADD_WORKER = "INSERT OR REPLACE INTO autocron_workers (number, pid, started_at) VALUES (?, ?, ?)"
REMOVE_WORKER = "DELETE FROM autocron_workers WHERE number = ?"
WORKERS = "SELECT number, pid, started_at FROM autocron_workers ORDER BY number"

SETTINGS = "SELECT name, value FROM autocron_settings"
SET = "INSERT OR REPLACE INTO autocron_settings (name, value) VALUES (?, ?)"
UNSET = "DELETE FROM autocron_settings WHERE name = ?"
