"""Tidying up: jobs of dead workers, and outcomes whose time to live is over."""

from __future__ import annotations

from collections.abc import Callable

from autocron.clock import Clock
from autocron.model import ClaimedJob, Outcome
from autocron.running.report import report
from autocron.stores.protocol import Store

_PRUNE_AT_ONCE = 500


def reclaim(
    store: Store,
    worker: int,
    judge: Callable[[ClaimedJob], Outcome],
    now: float,
    notify: Callable[[], None],
) -> int:
    """Let the jobs go on that a dead worker was running; return how many that were.

    Args:
        store: where the jobs are.
        worker: the number of the worker, whose lock must be free or held by the caller.
        judge: returns what becomes of a job; see `verdict`.
        now: the time.
        notify: called if somebody waits for a job that ends by this.
    """
    jobs = store.running(worker)
    for job in jobs:
        outcome = judge(job)
        settled = store.settle(job, outcome, now)
        report(job, outcome, settled, now)
        if settled.awaited:
            notify()
    return len(jobs)


def prune(store: Store, clock: Clock) -> int:
    """Delete all outcomes whose time is over, a few at a time; return how many."""
    deleted = 0
    while True:
        count = store.prune(clock, _PRUNE_AT_ONCE)
        deleted += count
        if count < _PRUNE_AT_ONCE:
            return deleted
