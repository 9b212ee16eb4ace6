"""All SQL that reads or changes rows. Each block says what it does; the Python around it is in `store`."""

from __future__ import annotations

from enum import IntEnum

from autocron.model import JobStatus


class State(IntEnum):
    """What `state` holds: the statuses of a job, with the ways of waiting told apart."""

    HELD = -1  # waiting for the end of an earlier run of its schedule
    LATER = 0  # waiting for its time
    READY = 1  # waiting for a worker
    RUNNING = 2
    DONE = 3
    ERROR = 4
    CANCELLED = 5


STATUS_OF = {
    State.HELD: JobStatus.WAITING,
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
    (id, task, arguments, queue, priority, state, retries, ttl, policy, enqueued_at, run_at, delay,
     schedule, scheduled_for)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# Make a queue known; claims look only into queues that are.
ADD_QUEUE = "INSERT OR IGNORE INTO autocron_queues (name) VALUES (?)"

# A partial index serves only queries that repeat its condition word by word, which is why
# `state > 0 AND state < 3` stands beside the state that is meant.

_CLAIMED = "id, task, arguments, attempt, retries, excused, crashes, policy, scheduled_for, seq"

# Take the next job. For each queue the partial index gives its first job in one step; of these
# few the best is taken. No other row is looked at, however many wait.
CLAIM = f"""
UPDATE autocron_jobs
SET state = 2, attempt = attempt + 1, worker = ?, started_at = ?, progress = NULL
WHERE seq = (
    SELECT job.seq
    FROM autocron_queues AS queue
    JOIN autocron_jobs AS job ON job.seq = (
        SELECT seq FROM autocron_jobs
        WHERE state = 1 AND state > 0 AND state < 3 AND queue = queue.name
        ORDER BY priority DESC, seq LIMIT 1)
    WHERE NOT queue.paused
    ORDER BY job.priority DESC, job.seq LIMIT 1)
RETURNING {_CLAIMED}
"""

# What a worker is running, or was when it died.
RUNNING = f"""
SELECT {_CLAIMED} FROM autocron_jobs
WHERE state = 2 AND state > 0 AND state < 3 AND worker = ? ORDER BY seq
"""

# A claimed job knows its row. With a million others, looking it up by its id would take a tenth of the
# time of ending it; a number that was given anew does no harm, since the id is compared as well.
_STILL_CLAIMED = """
seq = coalesce(:place, (SELECT seq FROM autocron_jobs WHERE id = :id))
    AND id = :id AND attempt = :attempt AND state = 2
"""

# Keep what became of an attempt that did not succeed. Before its end, which clears some of this.
ADD_ATTEMPT = f"""
INSERT OR REPLACE INTO autocron_attempts
    (job, number, outcome, started_at, ended_at, worker, error, traceback, exception)
SELECT seq, attempt, :outcome, started_at, :now, worker, :error, :traceback, :exception
FROM autocron_jobs WHERE {_STILL_CLAIMED}
"""

# Keep only the latest.
FORGET_OLD_ATTEMPTS = """
DELETE FROM autocron_attempts
WHERE job = (SELECT seq FROM autocron_jobs WHERE id = :id) AND number <= :attempt - :kept
"""

# The attempts at a job that did not succeed, the first one first.
ATTEMPTS = """
SELECT number, outcome, started_at, ended_at, worker, error, traceback, exception
FROM autocron_attempts
WHERE job = (SELECT seq FROM autocron_jobs WHERE id = ?) ORDER BY number
"""

# End an attempt for good. The outcome expires after the job's own time to live, or the default.
FINISH = f"""
UPDATE autocron_jobs
SET state = :state, finished_at = :now, expires_at = :now + coalesce(ttl, :ttl),
    crashes = crashes + :crashed, result = :result, error = :error, traceback = :traceback
WHERE {_STILL_CLAIMED}
RETURNING state, awaited
"""

# Let a job wait for its next attempt, or end it if it was asked to stop meanwhile.
RETRY = f"""
UPDATE autocron_jobs
SET state = iif(cancel, 5, iif(:run_at IS NULL, 1, 0)),
    run_at = :run_at, delay = :run_at - :now,
    worker = iif(cancel, worker, NULL),
    crashes = crashes + :crashed, excused = excused + :excused,
    finished_at = iif(cancel, :now, NULL),
    expires_at = iif(cancel, :now + coalesce(ttl, :ttl), NULL),
    error = :error, traceback = :traceback
WHERE {_STILL_CLAIMED}
RETURNING state, awaited
"""

# Give a claimed job back; the attempt does not count.
RELEASE = f"""
UPDATE autocron_jobs
SET state = iif(cancel, 5, 1), attempt = attempt - 1, worker = NULL, started_at = NULL,
    finished_at = iif(cancel, :now, NULL),
    expires_at = iif(cancel, :now + coalesce(ttl, :ttl), NULL)
WHERE {_STILL_CLAIMED}
RETURNING state, awaited
"""

# End a job that waits; ask one that is running to stop, and note if it is to be stopped.
CANCEL = """
UPDATE autocron_jobs
SET cancel = max(cancel, iif(:force, 2, 1)),
    state = iif(state = 2, 2, 5),
    error = iif(state = 2, error, coalesce(error, :reason)),
    finished_at = iif(state = 2, NULL, :now),
    expires_at = iif(state = 2, NULL, :now + coalesce(ttl, :ttl))
WHERE id = :id AND state < 3
RETURNING state, awaited, task
"""

# Whether a job was asked to stop.
IS_CANCEL_REQUESTED = "SELECT cancel FROM autocron_jobs WHERE id = ?"

# What is to be stopped, and by whom it is run.
TO_BE_STOPPED = """
SELECT worker, id FROM autocron_jobs WHERE state = 2 AND state > 0 AND state < 3 AND cancel = 2
"""

# Note what happens to a job: that a claimed one is given back, or what becomes of one by its id.
NOTE_RELEASE = f"""
INSERT INTO autocron_notes (job, at, kind, attempt, worker)
SELECT seq, started_at, 'BEGUN', attempt, worker FROM autocron_jobs WHERE {_STILL_CLAIMED}
UNION ALL
SELECT seq, :now, 'RELEASED', attempt, worker FROM autocron_jobs WHERE {_STILL_CLAIMED}
"""
NOTE = """
INSERT INTO autocron_notes (job, at, kind, attempt, worker)
SELECT seq, :now, :kind, attempt, worker FROM autocron_jobs WHERE id = :id
"""

# Keep only the latest notes of a job.
FORGET_OLD_NOTES = """
DELETE FROM autocron_notes
WHERE job = (SELECT seq FROM autocron_jobs WHERE id = :id) AND rowid <= (
    SELECT rowid FROM autocron_notes WHERE job = (SELECT seq FROM autocron_jobs WHERE id = :id)
    ORDER BY rowid DESC LIMIT 1 OFFSET :kept)
"""

# Note what a task says of how far it has come.
SET_PROGRESS = f"UPDATE autocron_jobs SET progress = :progress WHERE {_STILL_CLAIMED}"

# Make jobs claimable whose time has come, the longest due first.
PROMOTE = """
UPDATE autocron_jobs SET state = 1
WHERE seq IN (SELECT seq FROM autocron_jobs WHERE state = 0 AND run_at <= ?
              ORDER BY run_at LIMIT ?)
"""

# When the next job is due that is not yet claimable, or the next schedule.
NEXT_DUE = """
SELECT min(due) FROM (
    SELECT min(run_at) AS due FROM autocron_jobs WHERE state = 0
    UNION ALL
    SELECT min(next_at) FROM autocron_schedules WHERE confirmed)
"""

# The clock was set: what was counted from a moment before is as far away as it was.
SHIFT_DELAYS = """
UPDATE autocron_jobs SET run_at = run_at + :seconds
WHERE state = 0 AND delay IS NOT NULL AND run_at - delay NOT BETWEEN :since AND :until
"""
SHIFT_EXPIRY = """
UPDATE autocron_jobs SET expires_at = expires_at + :seconds
WHERE expires_at IS NOT NULL AND finished_at NOT BETWEEN :since AND :until
"""

# Whether a delay is longer than it was when it began, since the clock has been set back.
ANY_TOO_LONG = """
SELECT 1 FROM autocron_jobs
WHERE state = 0 AND delay IS NOT NULL AND run_at > ? + delay LIMIT 1
"""

# No delay is longer than it was when it began.
SHORTEN_DELAYS = """
UPDATE autocron_jobs SET run_at = :now + delay
WHERE state = 0 AND delay IS NOT NULL AND run_at > :now + delay
"""

# Delete outcomes whose time is over.
PRUNE = """
DELETE FROM autocron_jobs
WHERE seq IN (SELECT seq FROM autocron_jobs WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
RETURNING seq
"""

# Delete what was kept of jobs that were deleted.
FORGET_ATTEMPTS = """
DELETE FROM autocron_attempts WHERE job IN (SELECT value FROM json_each(?))
"""
FORGET_NOTES = """
DELETE FROM autocron_notes WHERE job IN (SELECT value FROM json_each(?))
"""

_JOB_COLUMNS = """
id, task, arguments, queue, priority, state, attempt, retries, enqueued_at, run_at, started_at,
finished_at, worker, result, error, traceback, schedule, scheduled_for, policy, crashes, cancel, progress
"""

# One job as it stands.
GET = f"SELECT {_JOB_COLUMNS} FROM autocron_jobs WHERE id = ?"

# Which jobs are meant by a `Selection`.
SELECTED = """
FROM autocron_jobs
WHERE (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:task IS NULL OR task GLOB :task OR task GLOB '*.' || :task)
    AND (:queue IS NULL OR queue = :queue)
    AND (:since IS NULL OR enqueued_at >= :since)
    AND (:until IS NULL OR enqueued_at < :until)
"""

# The latest jobs of a selection, newest first.
LIST = f"SELECT {_JOB_COLUMNS} {SELECTED} ORDER BY seq DESC LIMIT :limit OFFSET :skip"

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

_SCHEDULE_COLUMNS = """
name, task, rule, queue, priority, retries, ttl, policy, start_now, timezone, catch_up, grace,
overlap, anchor, planned_at, next_at
"""

# Register a schedule. What is unchanged keeps its time; what is known keeps the moment from which
# intervals are counted, and stays paused.
REGISTER = f"""
INSERT INTO autocron_schedules ({_SCHEDULE_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    (next_at, planned_at) = (
        SELECT iif(paused, NULL, iif(keep, next_at, excluded.next_at)),
               iif(keep, planned_at, excluded.planned_at)
        FROM (SELECT rule = excluded.rule AND timezone IS excluded.timezone
                     AND next_at IS NOT NULL AND NOT retired AS keep)),
    task = excluded.task, rule = excluded.rule, queue = excluded.queue,
    priority = excluded.priority, retries = excluded.retries, ttl = excluded.ttl,
    policy = excluded.policy, start_now = excluded.start_now, timezone = excluded.timezone, catch_up = excluded.catch_up,
    grace = excluded.grace, overlap = excluded.overlap, retired = 0, confirmed = 1, problem = NULL
"""

# Before that: what was noted of due times that are yet to come, unless the clock was set back and the
# schedule stays as it is. Then that is seen to when it is planned anew.
FORGET_CHANGED = """
DELETE FROM autocron_ticks
WHERE schedule = :name AND due > :now AND NOT EXISTS (
    SELECT 1 FROM autocron_schedules
    WHERE name = :name AND rule = :rule AND timezone IS :timezone AND next_at IS NOT NULL
        AND NOT retired)
"""

# Retire the schedules that the code no longer has.
RETIRE = """
UPDATE autocron_schedules SET retired = 1, next_at = NULL
WHERE NOT retired AND name NOT IN (SELECT value FROM json_each(?))
RETURNING name
"""

# Which generation of workers has the present schedules.
GENERATION = "SELECT generation FROM autocron_state"

# What an administrator wants.
STATE = "SELECT restarts, paused FROM autocron_state"

# Begin another, if it is still that one (or whichever it is), and let no schedule be due until it is registered.
NEXT_GENERATION = """
UPDATE autocron_state SET generation = generation + 1
WHERE generation = coalesce(?, generation) RETURNING 1
"""
UNCONFIRM = "UPDATE autocron_schedules SET confirmed = 0"

# Let a schedule not be due until it is registered again, since it cannot be read.
SET_ASIDE = """
UPDATE autocron_schedules SET confirmed = 0, problem = ? WHERE name = ? AND rule = ? AND timezone IS ?
"""

_SCHEDULES = f"""
SELECT {_SCHEDULE_COLUMNS},
    (SELECT max(due) FROM autocron_ticks WHERE schedule = name), paused, retired, confirmed, problem
FROM autocron_schedules
"""

# All schedules, the next due first.
SCHEDULES = f"{_SCHEDULES} ORDER BY next_at IS NULL, next_at, name"

# One schedule.
SCHEDULE = f"{_SCHEDULES} WHERE name = ?"

# The schedules whose time has come, and those that were planned by a clock that has been set back since.
RIPE_SCHEDULES = f"""
{_SCHEDULES} WHERE confirmed AND next_at IS NOT NULL AND (next_at <= ? OR planned_at > ?)
ORDER BY next_at, name
"""

# Move a schedule on from one due time to the next; only one of several processes succeeds, and none if the
# schedule was changed, or is to be registered again, since it was read.
ADVANCE = """
UPDATE autocron_schedules SET next_at = ?, planned_at = ?
WHERE name = ? AND next_at IS ? AND rule = ? AND timezone IS ? AND confirmed
RETURNING 1
"""

# Whether the code has a schedule still.
IS_CURRENT = "SELECT 1 FROM autocron_schedules WHERE name = ? AND NOT retired"

# Pause a schedule, or go on with it.
PAUSE = """
UPDATE autocron_schedules SET paused = 1, next_at = NULL
WHERE name = ? AND NOT paused AND NOT retired RETURNING 1
"""
RESUME = """
UPDATE autocron_schedules SET paused = 0, next_at = ?, planned_at = ?
WHERE name = ? AND rule = ? AND timezone IS ? AND paused AND NOT retired RETURNING 1
"""

# Note what came of a due time, unless it has been noted: a clock that is set back meets it again.
ADD_TICK = """
INSERT OR IGNORE INTO autocron_ticks (schedule, due, outcome, reason, job, noted_at)
VALUES (?, ?, ?, ?, ?, ?) RETURNING 1
"""

# A run is known by its job's row, whose number may have been given anew when that was deleted.
_RUN_THAT_HAS_NOT_ENDED = """
FROM autocron_runs AS run JOIN autocron_jobs AS job
    ON job.seq = run.seq AND job.schedule = run.schedule AND job.state < 3
"""

ADD_RUN = "INSERT OR REPLACE INTO autocron_runs (schedule, seq, held) VALUES (?, ?, ?)"

# The first runs of a schedule that have not ended.
UNENDED_RUNS = f"""
SELECT job.id {_RUN_THAT_HAS_NOT_ENDED} WHERE run.schedule = ? ORDER BY run.seq LIMIT ?
"""

# Remove the runs of a schedule that have ended.
REMOVE_ENDED_RUNS = f"""
DELETE FROM autocron_runs
WHERE schedule = :name AND seq NOT IN (
    SELECT run.seq {_RUN_THAT_HAS_NOT_ENDED} WHERE run.schedule = :name)
"""

# Remove a run that has ended.
REMOVE_RUN = """
DELETE FROM autocron_runs
WHERE seq = :place AND schedule = (SELECT schedule FROM autocron_jobs WHERE seq = :place)
RETURNING schedule
"""


def _first_held(schedules: str) -> str:
    """Of some schedules, the first runs that wait for others, when none of these is left."""
    return f"""
    SELECT schedule, seq FROM (
        SELECT waiting.schedule AS schedule, (
            SELECT run.seq {_RUN_THAT_HAS_NOT_ENDED}
            WHERE run.schedule = waiting.schedule AND run.held ORDER BY run.seq LIMIT 1) AS seq
        FROM (SELECT DISTINCT schedule FROM autocron_runs WHERE {schedules}) AS waiting
        WHERE NOT EXISTS (
            SELECT 1 {_RUN_THAT_HAS_NOT_ENDED} WHERE run.schedule = waiting.schedule AND NOT run.held))
    WHERE seq IS NOT NULL
    """


FIRST_HELD = _first_held("held")
FIRST_HELD_OF = _first_held("held AND schedule = ?")

# Let one of them go.
RELEASE_JOB = "UPDATE autocron_jobs SET state = 1 WHERE seq = ? AND state = -1"
RELEASE_RUN = "UPDATE autocron_runs SET held = 0 WHERE schedule = ? AND seq = ?"

# What came of the latest due times.
TICKS = """
SELECT schedule, due, outcome, reason, job, noted_at FROM autocron_ticks
WHERE schedule = ? ORDER BY due DESC LIMIT ?
"""

# Forget due times after a moment: the clock was set back, and they are yet to come.
FORGET_TICKS = "DELETE FROM autocron_ticks WHERE schedule = ? AND due > ?"

# Keep only the latest ticks of a schedule.
FORGET_OLD_TICKS = """
DELETE FROM autocron_ticks WHERE schedule = ? AND due <= (
    SELECT due FROM autocron_ticks WHERE schedule = ? ORDER BY due DESC LIMIT 1 OFFSET ?)
"""

# Have exactly these tasks: those before are forgotten first.
FORGET_TASKS = "DELETE FROM autocron_tasks"
ADD_TASK = """
INSERT INTO autocron_tasks (name, queue, priority, retries, ttl, policy) VALUES (?, ?, ?, ?, ?, ?)
"""

ADD_WORKER = """
INSERT OR REPLACE INTO autocron_workers (number, pid, started_at, version) VALUES (?, ?, ?, ?)
"""
REMOVE_WORKER = "DELETE FROM autocron_workers WHERE number = ?"
WORKERS = "SELECT number, pid, started_at, version FROM autocron_workers ORDER BY number"

SETTINGS = "SELECT name, value FROM autocron_settings"
