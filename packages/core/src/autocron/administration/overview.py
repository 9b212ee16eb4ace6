"""Who runs, and what there is to do: one look at processes and jobs."""

from __future__ import annotations

from dataclasses import dataclass

from autocron.model import Job, JobStatus, WorkerInfo
from autocron.model_admin import QueueState, Selection
from autocron.processes.folder import RuntimeFolder
from autocron.processes.holders import holders
from autocron.processes.locks import is_held
from autocron.processes.memory import megabytes_of
from autocron.stores.protocol import AdminStore

MINUTES = (1, 5, 15)
"""Over which last minutes it is counted what has ended."""

RUNNING = Selection(statuses=(JobStatus.RUNNING,))
_MOST_WORKERS = 1000


@dataclass(frozen=True)
class WorkerView:
    """A worker, and what it is doing."""

    info: WorkerInfo
    alive: bool
    """Whether it holds its lock, which the kernel knows."""
    memory: float | None
    """In megabytes; None if that cannot be known."""
    job: Job | None


@dataclass(frozen=True)
class Overview:
    """Processes and jobs at one moment."""

    application: bool
    """Whether a process of the application is there,"""
    web_processes: list[int]
    """and their ids, as far as this user may know them."""
    supervisor: bool
    supervisor_pid: int | None
    paused: bool
    """Whether all is paused."""
    workers: list[WorkerView]
    jobs: dict[JobStatus, int]
    queues: list[QueueState]
    ended: dict[int, dict[JobStatus, int]]
    """How many jobs have ended in the last minutes, for each of `MINUTES`."""

    @property
    def workers_alive(self) -> list[WorkerView]:
        """The workers that are there."""
        return [worker for worker in self.workers if worker.alive]


def overview(store: AdminStore, folder: RuntimeFolder, now: float) -> Overview:
    """Return who runs and what there is to do."""
    supervisors = sorted(holders(folder.supervisor_lock))
    return Overview(
        application=is_held(folder.apps_lock),
        web_processes=sorted(holders(folder.apps_lock)),
        supervisor=is_held(folder.supervisor_lock),
        supervisor_pid=supervisors[0] if supervisors else None,
        paused=store.wishes().paused,
        workers=workers(store, folder),
        jobs=store.counts(),
        queues=store.queues(),
        ended={minutes: store.ended_since(now - 60 * minutes) for minutes in MINUTES},
    )


def workers(store: AdminStore, folder: RuntimeFolder) -> list[WorkerView]:
    """Return the workers, by number, and what each is doing."""
    running = {job.worker: job for job in store.latest(_MOST_WORKERS, RUNNING)}
    views = []
    for info in store.workers():
        alive = is_held(folder.worker_lock(info.number))
        memory = megabytes_of(info.pid) if alive else None
        views.append(WorkerView(info, alive, memory, running.get(info.number)))
    return views
