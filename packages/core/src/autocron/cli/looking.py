"""The verbs that look: at processes, jobs, tasks and settings."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import MISSING, asdict, fields
from itertools import chain
from typing import Any

from autocron.administration.database import Opened
from autocron.administration.history import history
from autocron.administration.overview import MINUTES, Overview, WorkerView, overview
from autocron.administration.waiting import why_it_waits
from autocron.cli.output import Facts, JobId, Moment, Part, Report, Span, Table, Text
from autocron.cli.selecting import selection_of
from autocron.clock import system_clock
from autocron.model import Attempt, Job, JobStatus, Progress
from autocron.model_admin import QueueState
from autocron.policy import policy_to_text
from autocron.settings import Settings, Source

_NAMES = {"run_at": "due", "scheduled_for": "scheduled for", "cancel_requested": "asked to stop"}
_TIMES = ("enqueued_at", "run_at", "started_at", "finished_at", "scheduled_for")


# status ---------------------------------------------------------------------------------------


def show_status(database: Opened, _arguments: Namespace) -> Report:
    """Show who runs and what there is to do: processes, workers with their jobs, queues, rates."""
    now = system_clock()
    seen = overview(database.store, database.folder, now)
    settings = database.settings()
    facts = {
        "database": str(database.path),
        "application": _state(alive=seen.application),
        "supervisor": _state(alive=seen.supervisor),
        "workers": f"{len(seen.workers_alive)} of {_wanted(settings, seen)}",
        "web processes": ", ".join(map(str, seen.web_processes)) or None,
        "oldest waiting": Span(_oldest(seen, now)),
    }
    if seen.supervisor_pid is not None:
        facts["supervisor"] = f"running (pid {seen.supervisor_pid})"
    heads = ["worker", "pid", "state", "memory", "started", "job"]
    workers = Table(heads, [_worker_row(worker, now) for worker in seen.workers], "No workers.")
    parts = [
        *_notes(seen, enabled=settings.enabled),
        Facts(facts),
        workers,
        _queues(seen.queues, now),
    ]
    return Report(_status_data(database, seen, enabled=settings.enabled), [*parts, _counts(seen)])


def _status_data(database: Opened, seen: Overview, *, enabled: bool) -> dict[str, Any]:
    return {
        "database": str(database.path),
        "application": _state(alive=seen.application),
        "web_processes": seen.web_processes,
        "supervisor": _state(alive=seen.supervisor),
        "supervisor_pid": seen.supervisor_pid,
        "enabled": enabled,
        "paused": seen.paused,
        "workers": [
            asdict(worker.info)
            | {
                "alive": worker.alive,
                "memory": worker.memory,
                "job": worker.job and asdict(worker.job),
            }
            for worker in seen.workers
        ],
        "queues": [asdict(queue) for queue in seen.queues],
        "jobs": {str(status): count for status, count in seen.jobs.items()},
        "ended": {
            f"{minutes} min": {str(status): count for status, count in counts.items()}
            for minutes, counts in seen.ended.items()
        },
    }


def _notes(seen: Overview, *, enabled: bool) -> list[Part]:
    notes: list[Part] = []
    if not enabled:
        notes.append(
            Text("autocron is disabled: delayed functions run in their callers, and no job begins.")
        )
    if seen.paused:
        notes.append(
            Text("All is paused: no job begins, and no schedule is due. `resume --all` goes on.")
        )
    return notes


def _wanted(settings: Settings, seen: Overview) -> str:
    if not settings.enabled:
        return "0, since autocron is disabled"
    return "0, since all is paused" if seen.paused else str(settings.workers)


def _oldest(seen: Overview, now: float) -> float | None:
    return max((now - queue.oldest for queue in seen.queues if queue.oldest), default=None)


def _worker_row(worker: WorkerView, now: float) -> list[Any]:
    memory = None if worker.memory is None else f"{worker.memory:.0f} MB"
    state, started = _state(alive=worker.alive), Moment(worker.info.started_at)
    return [worker.info.number, worker.info.pid, state, memory, started, _doing(worker.job, now)]


def _doing(job: Job | None, now: float) -> str | None:
    if job is None:
        return None
    since = "" if job.started_at is None else f", {Span(now - job.started_at).text(short=True)}"
    progress = "" if job.progress is None else f", {in_words(job.progress)}"
    return f"{job.task}{since}{progress}"


def in_words(progress: Progress) -> str:
    """Return how far a job has come.

    Example:
        >>> in_words(Progress(2, 8, "rows", 0.0)), in_words(Progress(2.5, None, "", 0.0))
        ('25 % (2 of 8) rows', '2.5')
    """
    done = f"{progress.done:g}"
    if progress.fraction is not None:
        done = f"{progress.fraction:.0%} ({done} of {progress.total:g})".replace("%", " %", 1)
    return f"{done} {progress.text}".rstrip()


def _queues(queues: list[QueueState], now: float) -> Table:
    rows = [
        [
            queue.name,
            "paused" if queue.paused else "active",
            queue.ready,
            queue.later,
            queue.running,
            Span(queue.oldest and now - queue.oldest),
        ]
        for queue in queues
    ]
    heads = ["queue", "state", "ready", "later", "running", "oldest"]
    return Table(heads, rows, "No queues yet.")


def _counts(seen: Overview) -> Table:
    heads = ["jobs", "now", *(f"last {minutes} min" for minutes in MINUTES)]
    rows = [
        [status, count, *(seen.ended[minutes].get(status) for minutes in MINUTES)]
        for status, count in seen.jobs.items()
    ]
    return Table(heads, rows)


# jobs -----------------------------------------------------------------------------------------


def list_jobs(database: Opened, arguments: Namespace) -> Report:
    """Show jobs, newest first: all of them, or those of some status, task, queue or time."""
    selection = selection_of(arguments)
    skip, now = (arguments.page - 1) * arguments.limit, system_clock()
    found = database.store.latest(arguments.limit, selection, skip)
    rows = [
        [
            JobId(job.id),
            job.status,
            job.task,
            job.attempt,
            Moment(job.enqueued_at),
            _remark(job, now),
        ]
        for job in found
    ]
    heads = ["id", "status", "task", "attempt", "enqueued", "remark"]
    parts: list[Part] = [Table(heads, rows, "No such jobs." if skip == 0 else "No more jobs.")]
    if skip or len(found) == arguments.limit:
        parts.append(_pages(arguments, database.store.count(selection)))
    return Report([asdict(job) for job in found], parts)


def _pages(arguments: Namespace, count: int) -> Text:
    pages = -(-count // arguments.limit)
    return Text(f"Page {arguments.page} of {pages} ({count} jobs); --page N shows another.")


def _remark(job: Job, now: float) -> str:
    if job.status is JobStatus.WAITING and job.run_at is not None and job.run_at > now:
        return f"not before {Moment(job.run_at).text(short=True)}"
    if job.status is JobStatus.RUNNING and job.progress is not None:
        return in_words(job.progress)
    return job.error or ""


# job ------------------------------------------------------------------------------------------


def show_job(database: Opened, arguments: Namespace) -> Report:
    """Show all that is known of one job: why it waits, attempts, result, and what has happened."""
    store = database.store
    job = database.job(arguments.id)
    attempts, notes = store.attempts(job.id), store.notes(job.id)
    changes = history(job, attempts, notes)
    waits = why_it_waits(job, store, database.folder, database.settings(), system_clock())
    data = asdict(job) | {
        "attempts": [asdict(attempt) for attempt in attempts],
        "waits": waits,
        "history": [asdict(change) for change in changes],
    }
    rows = [[Moment(change.at), change.status, change.what] for change in changes]
    parts = [
        Facts(_facts(job)),
        *([Text("\n".join(f"It waits: {reason}." for reason in waits))] if waits else []),
        Table(["time", "status", "what happened"], rows),
        *_attempts(attempts),
        *_traceback(job, attempts),
    ]
    return Report(data, parts)


def _facts(job: Job) -> dict[str, Any]:
    values = asdict(job) | {name: Moment(getattr(job, name)) for name in _TIMES}
    values |= {"policy": policy_to_text(job.policy), "crashes": job.crashes or None}
    values["progress"] = job.progress and in_words(job.progress)
    values["cancel_requested"] = job.cancel_requested or None
    del values["traceback"]
    return {
        _NAMES.get(name, name.removesuffix("_at")): value
        for name, value in values.items()
        if value is not None and value != Moment(None)
    }


def _attempts(attempts: list[Attempt]) -> list[Part]:
    heads = ["attempt", "outcome", "ended", "took", "worker", "error"]
    rows = [
        [
            one.number,
            one.outcome,
            Moment(one.ended_at),
            Span(one.ended_at - one.started_at),
            one.worker,
            one.error,
        ]
        for one in attempts
    ]
    return [Table(heads, rows)] if rows else []


def _traceback(job: Job, attempts: list[Attempt]) -> list[Part]:
    """Return the tracebacks of all attempts, each of them once; and the job's own, if it is another."""
    numbers: dict[str, list[str]] = {}
    for attempt in attempts:
        if attempt.traceback:
            numbers.setdefault(attempt.traceback, []).append(str(attempt.number))
    if job.traceback:
        numbers.setdefault(job.traceback, [])
    if len(numbers) == 1:
        return [Text(next(iter(numbers)))]
    return list(
        chain.from_iterable(
            ([Text(f"Attempt {', '.join(found)}:")] if found else []) + [Text(trace)]
            for trace, found in numbers.items()
        )
    )


# tasks and settings ---------------------------------------------------------------------------


def list_tasks(database: Opened, _arguments: Namespace) -> Report:
    """Show the tasks that the workers have registered, and how many jobs there are of each."""
    counts = database.store.counts_of_tasks()
    known = {task.name: task.options for task in database.store.tasks()}
    rules = {stored.schedule.task: stored.schedule.rule for stored in database.store.schedules()}
    none = dict.fromkeys(JobStatus, 0)
    rows, data = [], []
    for name in sorted(known.keys() | counts.keys()):
        options, numbers = known.get(name), counts.get(name, none)
        data.append(
            {
                "task": name,
                "registered": options is not None,
                "options": options and asdict(options),
                "schedule": rules.get(name),
                "jobs": {str(status): count for status, count in numbers.items()},
            }
        )
        state = "registered" if options else "unknown"
        queue = options.queue if options else None
        shown = ", ".join(f"{count} {status}" for status, count in numbers.items() if count)
        rows.append([name, state, queue, rules.get(name), shown or None])
    heads = ["task", "state", "queue", "schedule", "jobs"]
    empty = "No tasks: they are known when a worker has imported the application."
    return Report(data, [Table(heads, rows, empty)])


def show_settings(database: Opened, _arguments: Namespace) -> Report:
    """Show the settings: value, default, and where the value comes from."""
    changed, configured = database.store.settings(), database.configured
    values = {}
    for name, default in _defaults().items():
        value, source = default, Source.DEFAULT
        if configured is not None and configured.sources[name] is Source.APP:
            value, source = getattr(configured.settings, name), Source.APP
        if name in changed:
            value, source = changed[name], Source.ADMIN
        values[name] = {"value": value, "default": default, "source": str(source)}
    for name in changed.keys() - values.keys():  # that a newer version has set
        values[name] = {"value": changed[name], "default": None, "source": str(Source.ADMIN)}
    rows = [[name, row["value"], row["default"], row["source"]] for name, row in values.items()]
    parts: list[Part] = [Table(["setting", "value", "default", "from"], rows)]
    if configured is None:
        words = "What the application configures is known when it has been started."
        parts.append(Text(words))
    return Report(values, parts)


def _defaults() -> dict[str, Any]:
    return {field.name: field.default for field in fields(Settings) if field.default is not MISSING}


def _state(*, alive: bool) -> str:
    return "running" if alive else "not running"
