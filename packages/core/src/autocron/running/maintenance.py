"""Tidying up: jobs of dead workers, and outcomes whose time to live is over."""

from __future__ import annotations

from collections.abc import Callable

from autocron import events
from autocron.clock import Clock
from autocron.model import JobStatus
from autocron.stores.protocol import Store

CRASH_LIMIT = 3
_PRUNE_AT_ONCE = 500


def reclaim(
    store: Store,
    worker: int,
    reason: str,
    now: float,
    notify: Callable[[], None],
    *,
    is_crash: bool = True,
) -> int:
    """Put back what a dead worker was running; return how many jobs that were.

    Args:
        store: where the jobs are.
        worker: the number of the worker, whose lock must be free or held by the caller.
        reason: what became of it, as the end of a sentence: "was killed by SIGKILL".
        now: the time.
        notify: called if somebody waits for a job that ends by this.
        is_crash: whether the job may be at fault; after three crashes it is not tried again.
    """
    crash_limit = CRASH_LIMIT if is_crash else None
    reclaimed = store.reclaim(worker, f"the worker {reason}", crash_limit, now)
    for job in reclaimed:
        lost = job.status is JobStatus.ERROR
        name = "job.crashed_too_often" if lost else "job.reclaimed"
        events.emit(name, id=job.id, task=job.task, reason=reason)
    if any(job.awaited and job.status.is_final for job in reclaimed):
        notify()
    return len(reclaimed)


def prune(store: Store, clock: Clock) -> int:
    """Delete all outcomes whose time is over, a few at a time; return how many."""
    deleted = 0
    while True:
        count = store.prune(clock, _PRUNE_AT_ONCE)
        deleted += count
        if count < _PRUNE_AT_ONCE:
            return deleted
