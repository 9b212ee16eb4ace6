"""Jobs as the results of Django's Tasks framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timezone
from typing import Any

from django.conf import settings

from autocron import codec
from autocron.model import Attempt, AttemptOutcome, Job, JobStatus
from django_autocron.framework import AnyResult, AnyTask, TaskError, TaskResult, TaskResultStatus

_STATUS = {
    JobStatus.WAITING: TaskResultStatus.READY,
    JobStatus.RUNNING: TaskResultStatus.RUNNING,
    JobStatus.DONE: TaskResultStatus.SUCCESSFUL,
    JobStatus.ERROR: TaskResultStatus.FAILED,
    JobStatus.CANCELLED: TaskResultStatus.FAILED,
}

_FAILED = "autocron.errors.JobFailed"
_WITHOUT_EXCEPTION = {AttemptOutcome.CANCELLED: "autocron.errors.JobCancelled"}
"""What stands for the end of an attempt that no exception has ended, such as that of its worker."""


def new_result(
    job_id: str, task: AnyTask, backend: str, args: Sequence[Any], kwargs: dict[str, Any]
) -> AnyResult:
    """Return the result of a job that has not begun, and of which it is not known yet when it was stored."""
    return TaskResult(
        task=task,
        id=job_id,
        status=TaskResultStatus.READY,  # type: ignore[arg-type]  # the stubs have no values
        enqueued_at=None,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=list(args),
        kwargs=kwargs,
        backend=backend,
        errors=[],
        worker_ids=[],
    )


def result_of(job: Job, attempts: Sequence[Attempt], declared: AnyTask, backend: str) -> AnyResult:
    """Return a stored job as a result.

    Args:
        job: as it stands now.
        attempts: those that did not succeed, the first one first.
        declared: its task, as the code has it.
        backend: the alias of the backend that is asked.
    """
    args, kwargs = codec.decode_arguments(job.arguments)
    result = new_result(job.id, _task_of(job, declared, backend), backend, args, kwargs)
    first = attempts[0].started_at if attempts else job.started_at
    latest = job.started_at or (attempts[-1].started_at if attempts else None)
    change(
        result,
        status=_STATUS[job.status],
        enqueued_at=moment(job.enqueued_at),
        started_at=moment(first),
        last_attempted_at=moment(latest),
        finished_at=moment(job.finished_at),
        errors=[_error(attempt) for attempt in attempts],
        worker_ids=[str(worker) for worker in _workers(job, attempts)],
        _return_value=None if job.result is None else codec.decode(job.result),
    )
    return result


def change(result: AnyResult, **values: Any) -> None:
    """Let a result, whose fields nobody else is to set, have other values."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def moment(seconds: float | None) -> datetime | None:
    """Return a time as the project has its times: aware in UTC, or naive in local time."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc if settings.USE_TZ else None)


def _task_of(job: Job, declared: AnyTask, backend: str) -> AnyTask:
    """Return the task as it was called; not checked again, since the settings may have changed since then."""
    task = object.__new__(type(declared))
    called = {
        "priority": job.priority,
        "queue_name": job.queue,
        "run_after": moment(job.run_at),
        "backend": backend,
    }
    for field in fields(declared):
        value = called.get(field.name, getattr(declared, field.name))
        object.__setattr__(task, field.name, value)
    return task


def _error(attempt: Attempt) -> TaskError:
    path = attempt.exception or _WITHOUT_EXCEPTION.get(attempt.outcome, _FAILED)
    return TaskError(exception_class_path=path, traceback=attempt.traceback or attempt.error)


def _workers(job: Job, attempts: Sequence[Attempt]) -> list[int | None]:
    """Return the worker of each attempt that has begun."""
    workers = [attempt.worker for attempt in attempts]
    known = {attempt.number for attempt in attempts}
    if job.started_at is not None and job.attempt not in known:
        workers.append(job.worker)
    return workers
