"""How long a failed job waits for its next attempt."""

from __future__ import annotations

LONGEST_PAUSE = 300.0


def pause_after(attempt: int) -> float:
    """Return the seconds between the end of a failed attempt, numbered from 1, and the next one.

    It doubles from one second up to five minutes, so that a service that is down gets time.

    Example:
        >>> [pause_after(attempt) for attempt in (1, 2, 3, 100)]
        [1.0, 2.0, 4.0, 300.0]
    """
    return min(2.0 ** min(attempt - 1, 30), LONGEST_PAUSE)
