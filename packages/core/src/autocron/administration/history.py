"""What has happened to a job, put together from what the store keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from autocron.model import Attempt, Job, JobStatus
from autocron.model_admin import Note, NoteKind

_STATUS_AFTER = {
    NoteKind.BEGUN: JobStatus.RUNNING,
    NoteKind.RELEASED: JobStatus.WAITING,
    NoteKind.ASKED_TO_STOP: JobStatus.RUNNING,
    NoteKind.CANCELLED: JobStatus.CANCELLED,
    NoteKind.RENEWED: JobStatus.WAITING,
}
_WORDS = {
    NoteKind.RELEASED: "given back, to begin anew",
    NoteKind.ASKED_TO_STOP: "asked to stop",
    NoteKind.CANCELLED: "cancelled before it began",
    NoteKind.RENEWED: "let begin anew",
}


@dataclass(frozen=True)
class Change:
    """Something that happened to a job, and where it stood then."""

    at: float
    """In seconds since 1970 UTC."""
    status: JobStatus
    what: str


def history(job: Job, attempts: Sequence[Attempt], notes: Sequence[Note]) -> list[Change]:
    """Return what has happened to a job, the first first.

    Example:
        >>> mail = Job("a", "shop.mail", "[[],{}]", "default", 0, JobStatus.DONE, 1, 0, 1.0, None,
        ...            2.0, 3.0, 1, "null", None, None, None, None)
        >>> [(change.at, change.what) for change in history(mail, [], [])]
        [(1.0, 'put in'), (2.0, 'attempt 1 begun by worker 1'), (3.0, 'ended')]
    """
    put_in = Change(job.enqueued_at, JobStatus.WAITING, "put in")
    changes = [(put_in.at, put_in)]
    for course in (_attempts(job, attempts, notes), _notes(notes)):
        changes += _in_order(put_in, course)
    if job.status is JobStatus.WAITING and job.run_at is not None:
        changes.append((job.run_at, Change(job.run_at, JobStatus.WAITING, "due")))
    return [change for _, change in sorted(changes, key=lambda placed: placed[0])]


def _in_order(first: Change, course: Iterable[Change]) -> Iterator[tuple[float, Change]]:
    """Place each change no earlier than the one that it came from.

    Their times need not tell: a process looks at its clock before it waits for its turn to write, and a
    clock may be set back.
    """
    changes = list(course)
    places = accumulate((change.at for change in changes), max, initial=first.at)
    next(places)
    return zip(places, changes, strict=True)


def _attempts(job: Job, attempts: Sequence[Attempt], notes: Sequence[Note]) -> Iterator[Change]:
    renewed = {note.attempt for note in notes if note.kind is NoteKind.RENEWED}
    for attempt in attempts:
        yield Change(attempt.started_at, JobStatus.RUNNING, _begun(attempt.number, attempt.worker))
        what = f"{str(attempt.outcome).lower().replace('_', ' ')}: {attempt.error}"
        yield Change(attempt.ended_at, _status_after(attempt, job, renewed), what)
    known = {attempt.number for attempt in attempts}
    if job.started_at is not None and job.attempt not in known:
        yield Change(job.started_at, JobStatus.RUNNING, _begun(job.attempt, job.worker))
    if job.finished_at is not None and job.status is JobStatus.DONE:
        yield Change(job.finished_at, JobStatus.DONE, "ended")


def _notes(notes: Sequence[Note]) -> Iterator[Change]:
    for note in notes:
        what = _WORDS.get(note.kind) or _begun(note.attempt, note.worker)
        yield Change(note.at, _STATUS_AFTER[note.kind], what)


def _begun(attempt: int, worker: int | None) -> str:
    return f"attempt {attempt} begun" + ("" if worker is None else f" by worker {worker}")


def _status_after(attempt: Attempt, job: Job, renewed: set[int]) -> JobStatus:
    if attempt.number in renewed:
        return JobStatus.ERROR
    if attempt.number == job.attempt and job.status.is_final:
        return job.status
    return JobStatus.WAITING
