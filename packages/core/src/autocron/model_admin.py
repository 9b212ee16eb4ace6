"""What an administrator sees and wants, as values beside those of `model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autocron.model import JobStatus, Options, StrEnum


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs are meant; what is not given does not matter."""

    statuses: tuple[JobStatus, ...] = ()
    task: str | None = None
    """The name of the task or the end of it, `shop.send_mail` or `send_mail`; `*` stands for anything."""
    queue: str | None = None
    since: float | None = None
    """Put in at this time or later,"""
    until: float | None = None
    """and before this one; in seconds since 1970 UTC."""


EVERY_JOB = Selection()


class NoteKind(StrEnum):
    """What is noted of a job besides its attempts and its present status.

    `BEGUN` and `RELEASED`: an attempt that was given back as if it had not been. `ASKED_TO_STOP` and
    `CANCELLED`: what `cancel` did. `RENEWED`: it was let begin anew.

    Example:
        >>> str(NoteKind.RENEWED)
        'RENEWED'
    """

    BEGUN = "BEGUN"
    RELEASED = "RELEASED"
    ASKED_TO_STOP = "ASKED_TO_STOP"
    CANCELLED = "CANCELLED"
    RENEWED = "RENEWED"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened to a job, at a time in seconds since 1970 UTC."""

    at: float
    kind: NoteKind
    attempt: int
    """How many attempts had been begun by then."""
    worker: int | None


@dataclass(frozen=True, slots=True)
class KnownTask:
    """A task that the workers have registered, with the options that its jobs have by default."""

    name: str
    options: Options


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue, and how many jobs are in it."""

    name: str
    paused: bool
    """Whether none of its jobs begins."""
    ready: int
    """How many wait for a worker,"""
    later: int
    """or for their time or for an earlier run of their schedule."""
    running: int
    oldest: float | None
    """Since when the one waits for a worker that has waited the longest, in seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What an administrator wants of the running system."""

    settings: Mapping[str, Any]
    """What was set with the tool, by name."""
    restarts: int
    """How often new workers were asked for."""
    paused: bool
    """Whether no job begins, and no schedule is due."""
