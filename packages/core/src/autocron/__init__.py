"""Background tasks for web applications, with nothing to operate.

Call `start()` where the application is made; put `@delay` on a slow function and `@cron` on a nightly one.
Worker processes start with the application, end with it, and keep everything in one SQLite file.
"""

from __future__ import annotations

from autocron.app import jobs, result, start, stop
from autocron.decorators import cron, delay, every
from autocron.errors import AutocronError
from autocron.model import Job, JobStatus
from autocron.results import Result
from autocron.settings import Settings
from autocron.tasks import Task

__version__ = "2.0.0"

__all__ = [
    "AutocronError",
    "Job",
    "JobStatus",
    "Result",
    "Settings",
    "Task",
    "cron",
    "delay",
    "every",
    "jobs",
    "result",
    "start",
    "stop",
]
