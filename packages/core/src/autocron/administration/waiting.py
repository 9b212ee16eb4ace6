"""Why a job waits: all that keeps it from being run, as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from autocron.administration.overview import WorkerView, workers
from autocron.model import Job, JobStatus
from autocron.model_admin import Selection
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.settings import Settings
from autocron.stores.protocol import AdminStore

_MOST_NAMED = 5
_MOST_RUNS = 1000
_UNENDED = (JobStatus.WAITING, JobStatus.RUNNING)


def why_it_waits(
    job: Job, store: AdminStore, folder: RuntimeFolder, settings: Settings, now: float
) -> list[str]:
    """Return what keeps a job from being run; nothing if it does not wait.

    Args:
        job: as it was found.
        store: where it is.
        folder: of the run-time files, which tell who is alive.
        settings: those in force.
        now: in seconds since 1970 UTC.
    """
    if job.status is not JobStatus.WAITING:
        return []
    reasons = [*_own_reasons(job, store, now), *_common_reasons(job, store, settings)]
    alive = [worker for worker in workers(store, folder) if worker.alive]
    if not alive and not reasons:
        reasons.append(_why_nobody_works(folder))
    if not reasons:
        reasons += _turn(job, store, alive)
    return reasons


def _own_reasons(job: Job, store: AdminStore, now: float) -> Iterator[str]:
    if job.run_at is not None and job.run_at > now:
        after = f", after attempt {job.attempt} has failed" if job.attempt else ""
        yield f"it is not due before {job.run_at - now:.0f} s from now{after}"
    elif job.schedule is not None:
        yield from (
            f"another run of its schedule has not ended (job {run.id})"
            for run in islice(_runs_before(job, store), _MOST_NAMED)
        )


def _runs_before(job: Job, store: AdminStore) -> Iterator[Job]:
    """Give the runs for whose end a run of a schedule waits, if they must not overlap."""
    stored = store.schedule(str(job.schedule))
    if stored is None or stored.schedule.overlap == "allow":
        return
    for run in store.latest(_MOST_RUNS, Selection(statuses=_UNENDED, task=job.task)):
        is_before = run.status is JobStatus.RUNNING or run.enqueued_at < job.enqueued_at
        if run.schedule == job.schedule and run.id != job.id and is_before:
            yield run


def _common_reasons(job: Job, store: AdminStore, settings: Settings) -> Iterator[str]:
    if not settings.enabled:
        yield "autocron is disabled: see the verb `enable`"
    if store.wishes().paused:
        yield "all is paused: see the verb `resume`, with --all"
    if any(queue.paused for queue in store.queues() if queue.name == job.queue):
        yield f"its queue is paused: see the verb `resume`, with --queue {job.queue}"


def _why_nobody_works(folder: RuntimeFolder) -> str:
    if not is_held(folder.apps_lock):
        return "no process of the application is there, and so no worker"
    if folder.load_error.exists():
        return "no worker is there, since the application cannot be imported: see the verb `doctor`"
    return "no worker is there (yet)"


def _turn(job: Job, store: AdminStore, alive: list[WorkerView]) -> Iterator[str]:
    """Give what is run instead, and what is to be run before."""
    busy = [worker for worker in alive if worker.job is not None]
    if busy and len(busy) == len(alive):
        named = [f"{each.job.task} (job {each.job.id})" for each in busy[:_MOST_NAMED] if each.job]
        more = len(busy) - len(named)
        others = f", and {more} more" if more else ""
        yield f"all workers are busy, with {', '.join(named)}{others}"
    ahead = store.ahead_of(job.id)
    if ahead:
        yield f"{ahead} other{'s' if ahead > 1 else ''} will be taken before"
    elif not busy:
        yield "it is about to be taken; if it stays so, see the verb `doctor`"
