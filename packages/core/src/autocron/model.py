"""The values that the rooms of the house hand to each other. No behaviour beyond their own shape."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias

from autocron.policy import DEFAULT_POLICY, Policy

DEFAULT_QUEUE = "default"
DEFAULT_TTL = 1800.0
DEFAULT_GRACE = 24 * 3600.0

CatchUp: TypeAlias = Literal["last", "all", "skip"]
"""What to do about due times that have passed while nothing ran."""

Overlap: TypeAlias = Literal["skip", "queue", "allow"]
"""What to do about a due time when the job of an earlier one has not ended."""


class StrEnum(str, Enum):
    """Its members are strings, which compare with and print as their values; from Python 3.11 on in `enum`."""

    def __str__(self) -> str:
        return str(self.value)


class JobStatus(StrEnum):
    """Where a job stands: `WAITING`, `RUNNING`, `DONE`, `ERROR` or `CANCELLED`.

    Example:
        >>> JobStatus.DONE == "DONE", str(JobStatus.DONE), JobStatus.DONE.is_final
        (True, 'DONE', True)
    """

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    ERROR = "ERROR"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether a job with this status has ended for good."""
        return self not in (JobStatus.WAITING, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Options:
    """How a job is to be run; what decorators and `Task.options()` set."""

    delay: float | None = None
    """Seconds between the call and the first attempt."""
    run_at: float | None = None
    """The time of the first attempt, in seconds since 1970 UTC."""
    retries: int = 0
    """How many more attempts a failed job gets."""
    ttl: float | None = None
    """Seconds for which the outcome is kept; None for the setting `ttl`."""
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    policy: Policy = DEFAULT_POLICY
    """What is to become of the job when an attempt does not go well."""
    enqueue_on_commit: bool | None = None
    """Whether a call in a transaction is stored when that commits; None for the setting of that name."""

    def due(self, now: float) -> float | None:
        """Return the time of the first attempt at a job that is put in now; None for at once.

        Example:
            >>> Options(delay=60.0).due(1000.0), Options(run_at=999.0).due(1000.0)
            (1060.0, None)
        """
        run_at = self.run_at if self.delay is None else now + self.delay
        return None if run_at is None or run_at <= now else run_at


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job that is to be stored. `run_at` is None for one that need not wait."""

    id: str
    task: str
    arguments: str
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job as its worker gets it."""

    id: str
    task: str
    arguments: str
    attempt: int
    retries: int
    """How many failed attempts are followed by another,"""
    excused: int = 0
    """besides so many attempts that are not to count."""
    crashes: int = 0
    """How many workers have died of it by now."""
    policy: Policy = DEFAULT_POLICY
    scheduled_for: float | None = None
    place: int | None = field(default=None, compare=False)
    """Where the store finds it again sooner than by its id; no other room uses it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come, as its task says."""

    done: float
    """How much of it is done,"""
    total: float | None
    """of how much; None if the task does not know."""
    text: str
    at: float
    """When the task said so, in seconds since 1970 UTC."""

    @property
    def fraction(self) -> float | None:
        """How much of the whole is done, from 0 to 1; None if that is not known.

        Example:
            >>> Progress(3, 4, "rows", 0.0).fraction, Progress(3, None, "rows", 0.0).fraction
            (0.75, None)
        """
        if self.total is None:
            return None
        return min(1.0, self.done / self.total) if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """One call of a task, as it is stored. Times are seconds since 1970 UTC.

    `result` is the stored text of what the task returned; `Result.result` gives the value itself.
    """

    id: str
    task: str
    arguments: str
    queue: str
    priority: int
    status: JobStatus
    attempt: int
    retries: int
    enqueued_at: float
    run_at: float | None
    started_at: float | None
    finished_at: float | None
    worker: int | None
    result: str | None
    error: str | None
    traceback: str | None
    schedule: str | None
    """The name of the schedule of which it is a run;"""
    scheduled_for: float | None
    """and the due time for which it is one."""
    policy: Policy = DEFAULT_POLICY
    crashes: int = 0
    """How many workers have died of it."""
    cancel_requested: bool = False
    """Whether it was asked to stop while it was running."""
    progress: Progress | None = None
    """How far its latest attempt has come, if the task says so."""


class AttemptOutcome(StrEnum):
    """How an attempt at a job has ended that did not succeed.

    `FAILED`: the task raised. `TIMED_OUT`: it ran for longer than its `timeout`. `CRASHED`: its worker died.
    `INTERRUPTED`: its worker was ended through no fault of the job. `RETRY`: the task asked for another
    attempt. `CANCELLED`: it was stopped, or stopped itself.

    Example:
        >>> str(AttemptOutcome.TIMED_OUT)
        'TIMED_OUT'
    """

    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CRASHED = "CRASHED"
    INTERRUPTED = "INTERRUPTED"
    RETRY = "RETRY"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a job that did not succeed. Times are seconds since 1970 UTC."""

    number: int
    outcome: AttemptOutcome
    started_at: float
    ended_at: float
    worker: int | None
    error: str
    traceback: str
    exception: str | None = None
    """The class of the exception that ended it, as `module.Class`; None if it was not one."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task returned; `result` is the stored text of its value."""

    result: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The task did not return, or what it returned cannot be stored."""

    error: str
    traceback: str = ""
    outcome: AttemptOutcome = AttemptOutcome.FAILED
    kinds: tuple[str, ...] = field(default=(), compare=False)
    """The names of the exception's class and of those that it is derived from, as `module.Class`."""


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """The task asked for another attempt, in `after` seconds; None to leave that to the policy."""

    failure: Failed
    after: float | None


@dataclass(frozen=True, slots=True)
class Retrying:
    """The attempt failed, and another is to be made at `run_at`; None for at once."""

    failure: Failed
    run_at: float | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The attempt was stopped, and no other is to be made."""

    failure: Failed


@dataclass(frozen=True, slots=True)
class Released:
    """The job is given back as if it had not been claimed."""


Produced: TypeAlias = Succeeded | Failed | AskedAgain | Cancelled
"""What an attempt came to, before it is known what becomes of its job."""

Outcome: TypeAlias = Succeeded | Failed | Retrying | Cancelled | Released


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of `Store.settle`: where the job stands now, who waits for it, what is next."""

    status: JobStatus | None
    """None if it was no longer ours to end, and nothing has changed."""
    awaited: bool
    """Whether it has ended, and somebody waits for that."""
    next: ClaimedJob | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of `Store.cancel`."""

    status: JobStatus
    """Where the job stands now; a running one was asked to stop."""
    awaited: bool
    """Whether it has ended by this, and somebody waits for that."""
    changed: bool
    """Whether this has cancelled it or asked it to stop; or else it had ended before."""
    task: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurrence rule as data: `rule` is the text that `scheduling.parse_rule` reads."""

    name: str
    task: str
    rule: str
    options: Options = Options()
    start_now: bool = False
    timezone: str | None = None
    """The zone whose local time the rule means; None for the machine's."""
    catch_up: CatchUp = "last"
    grace: float = DEFAULT_GRACE
    overlap: Overlap = "skip"

    @property
    def is_local(self) -> bool:
        """Whether its rule means local time; intervals are the same everywhere."""
        return not self.rule.startswith("every ")


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule as it is stored: with its times, in seconds since 1970 UTC."""

    schedule: Schedule
    due: float | None
    """When it is due next; None if it is paused or retired, or its rule cannot be read."""
    anchor: float
    """The time of its first registration, from which intervals are counted."""
    planned_at: float
    """When `due` was worked out."""
    last_due: float | None = None
    """The latest due time that has passed, whatever came of it."""
    paused: bool = False
    retired: bool = False
    """Whether the code that the workers have imported does not have it any more."""
    confirmed: bool = True
    """Whether one of the present workers has registered it; before that, it is not due."""
    problem: str | None = None
    """Why it is not due, though the code has it: its rule or zone cannot be read."""

    @property
    def state(self) -> str:
        """Whether it is due at some time, in a word or two."""
        if self.retired:
            return "retired"
        if self.problem:
            return "unusable"
        if self.paused:
            return "paused"
        return "active" if self.confirmed else "not loaded"


class TickOutcome(StrEnum):
    """What came of a due time: a job was put in, or it was skipped, or missed.

    Example:
        >>> str(TickOutcome.SKIPPED)
        'SKIPPED'
    """

    FIRED = "FIRED"
    SKIPPED = "SKIPPED"
    MISSED = "MISSED"


@dataclass(frozen=True, slots=True)
class NewTick:
    """A due time that has come: with the job that is to be put in, or with why there is none."""

    due: float
    job: NewJob | None
    overlap: Overlap = "skip"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A due time of a schedule, and what came of it."""

    schedule: str
    due: float
    outcome: TickOutcome
    reason: str | None
    job: str | None
    """The id of its job, if one was put in."""
    noted_at: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """That the clock was set, by how many seconds."""

    seconds: float
    since: float
    """The earliest time that it may have shown since then. What it has shown from that until now is by the
    clock as it is now, and all else by the clock as it was."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that was started: its number, process id and the time of its start."""

    number: int
    pid: int
    started_at: float
    version: str = ""
    """Of the autocron that it runs."""


def new_job_id() -> str:
    """Return a UUID of version 7 (RFC 9562): unique, and growing with time, which keeps indexes small.

    Example:
        >>> first, second = new_job_id(), new_job_id()
        >>> len(first), first[14], first != second
        (36, '7', True)
    """
    text = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    variant = _VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
