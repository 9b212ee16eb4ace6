"""Whether a failed job is tried again, and how long it waits for that."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from autocron.policy import Backoff, Exponential, Policy


def _random() -> float:
    # The module `random` would be one more in a supervisor that is to be small.
    return int.from_bytes(os.urandom(4), "big") / 2**32


def pause_after(attempt: int, backoff: Backoff, chance: Callable[[], float] = _random) -> float:
    """Return the seconds between the end of a failed attempt and the next one.

    Args:
        attempt: the number of the attempt that has failed, since when it is counted for this; from 1.
        backoff: the pauses, or how they grow.
        chance: returns a number from 0 up to 1.

    Example:
        >>> [pause_after(attempt, Exponential(jitter=0)) for attempt in (1, 2, 3, 100)]
        [1.0, 2.0, 4.0, 300.0]
        >>> [pause_after(attempt, (10.0, 60.0)) for attempt in (1, 2, 3)]
        [10.0, 60.0, 60.0]
    """
    if not isinstance(backoff, Exponential):
        return backoff[min(attempt, len(backoff)) - 1]
    try:
        pause = min(backoff.first * backoff.factor ** (attempt - 1), backoff.longest)
    except OverflowError:
        pause = backoff.longest
    return pause * (1 - backoff.jitter * chance())


def is_retried_after(kinds: Iterable[str], policy: Policy) -> bool:
    """Return whether a policy has a job tried again after an exception.

    Args:
        kinds: the names of the exception's class and of all classes that it is derived from.
        policy: the job's.

    Example:
        >>> policy = Policy(retry_on=("builtins.OSError",), give_up_on=("builtins.TimeoutError",))
        >>> is_retried_after(["builtins.ConnectionError", "builtins.OSError"], policy)
        True
        >>> is_retried_after(["builtins.TimeoutError", "builtins.OSError"], policy)
        False
    """
    known = set(kinds)
    if not known.isdisjoint(policy.give_up_on):
        return False
    return policy.retry_on is None or not known.isdisjoint(policy.retry_on)
