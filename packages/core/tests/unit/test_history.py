"""What has happened to a job is told in the order in which it happened."""

from autocron.administration.history import history
from autocron.model import Attempt, AttemptOutcome, Job, JobStatus
from autocron.model_admin import Note, NoteKind


def _job(status, attempt, run_at=None, started_at=None, finished_at=None):
    """Return a job that was put in at 10."""
    times = (10.0, run_at, started_at, finished_at)
    return Job(
        "a", "shop.mail", "[[],{}]", "default", 0, status, attempt, 1, *times, 1, *[None] * 5
    )


def _failed(number, started_at, ended_at):
    return Attempt(number, AttemptOutcome.FAILED, started_at, ended_at, 1, "no", "")


def _statuses(*known):
    return [str(change.status) for change in history(*known)]


def test_a_worker_that_has_waited_for_its_turn_begins_no_job_before_it_was_put_in():
    """It looked at its clock before the call did that wrote first."""
    attempts = [_failed(1, 9.9, 9.95), _failed(2, 9.94, 12.0)]
    ended = _job(JobStatus.ERROR, 2, started_at=9.94, finished_at=12.0)
    assert _statuses(ended, attempts, []) == ["WAITING", "RUNNING", "WAITING", "RUNNING", "ERROR"]
    done = history(_job(JobStatus.DONE, 1, started_at=9.9, finished_at=9.95), [], [])
    assert [change.at for change in done] == [10.0, 9.9, 9.95]
    assert [change.what for change in done] == ["put in", "attempt 1 begun by worker 1", "ended"]


def test_notes_come_between_the_attempts():
    """By their times, and those of the same time in the order in which they were made."""
    notes = [
        Note(11.0, NoteKind.BEGUN, 1, 1),
        Note(11.0, NoteKind.RELEASED, 1, 1),
        Note(14.0, NoteKind.RENEWED, 1, None),
    ]
    waiting = _job(JobStatus.WAITING, 1, run_at=20.0)
    expected = ["WAITING", "RUNNING", "WAITING", "RUNNING", "ERROR", "WAITING", "WAITING"]
    assert _statuses(waiting, [_failed(1, 12.0, 13.0)], notes) == expected
