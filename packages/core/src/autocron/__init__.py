"""Background tasks for web applications, with nothing to operate.

Call `start()` where the application is made; put `@delay` on a slow function and `@cron` on a nightly one.
Worker processes start with the application, end with it, and keep everything in one SQLite file.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autocron.app import jobs, result, start, stop
    from autocron.current import CurrentJob, current_job, progress
    from autocron.decorators import cron, delay, every
    from autocron.errors import AutocronError, Cancel, JobStopped, Retry, TimeLimitExceeded
    from autocron.model import Attempt, AttemptOutcome, Job, JobStatus, Progress
    from autocron.policy import Exponential
    from autocron.results import Result
    from autocron.settings import Settings
    from autocron.tasks import ScheduledTask, Task

__version__ = "2.0.0"

__all__ = [
    "Attempt",
    "AttemptOutcome",
    "AutocronError",
    "Cancel",
    "CurrentJob",
    "Exponential",
    "Job",
    "JobStatus",
    "JobStopped",
    "Progress",
    "Result",
    "Retry",
    "ScheduledTask",
    "Settings",
    "Task",
    "TimeLimitExceeded",
    "cron",
    "current_job",
    "delay",
    "every",
    "jobs",
    "progress",
    "result",
    "start",
    "stop",
]

# Loaded when they are first used, so that supervisor and tool take only what they need.
_HOMES = {
    "app": ("jobs", "result", "start", "stop"),
    "current": ("CurrentJob", "current_job", "progress"),
    "decorators": ("cron", "delay", "every"),
    "errors": ("AutocronError", "Cancel", "JobStopped", "Retry", "TimeLimitExceeded"),
    "model": ("Attempt", "AttemptOutcome", "Job", "JobStatus", "Progress"),
    "policy": ("Exponential",),
    "results": ("Result",),
    "settings": ("Settings",),
    "tasks": ("ScheduledTask", "Task"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            import_module("autocron.app")  # it tells tasks where their jobs go
            value = getattr(import_module(f"autocron.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
