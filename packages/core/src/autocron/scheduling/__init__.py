"""When something is due: pure functions of time, which know neither clock nor store."""

from __future__ import annotations

import math
from collections.abc import Callable

from autocron.errors import InvalidSchedule
from autocron.scheduling.cron import CronRule, parse_cron
from autocron.scheduling.every import EveryRule, parse_every

__all__ = ["CronRule", "EveryRule", "Rule", "last_due", "parse_rule"]

Rule = CronRule | EveryRule
"""What a schedule follows. `str(rule)` is its stored form, and `next_after` gives its times."""

LESS_THAN_BETWEEN_TWO = 0.5  # seconds; no two due times are less than a second apart


def parse_rule(text: str) -> Rule:
    """Return the rule whose stored form is `text`.

    Raises:
        InvalidSchedule: `text` is no such form.

    Example:
        >>> str(parse_rule("cron 30 7 * * mon-fri")), str(parse_rule("every 60"))
        ('cron 30 7 * * mon-fri', 'every 60')
    """
    kind, _, rest = text.partition(" ")
    if kind == "every":
        return parse_every(rest)
    if kind == "cron":
        return parse_cron(rest)
    raise InvalidSchedule(field="rule", value=text, reason="must begin with cron or every")


def last_due(next_after: Callable[[float], float], since: float, until: float) -> float | None:
    """Return the last due time from `since` to `until`, both included; None if there is none.

    However many there are, it takes a few dozen steps. Due times are whole seconds.

    Args:
        next_after: returns the first due time after a moment.
        since: in seconds since 1970 UTC, as is all else.
        until: not before `since`.

    Example:
        >>> last_due(lambda moment: EveryRule(60).next_after(moment), since=60, until=100_000)
        99960.0
    """
    low, high = math.ceil(since) - LESS_THAN_BETWEEN_TWO, until
    if next_after(low) > until:
        return None
    while high - low > LESS_THAN_BETWEEN_TWO:
        middle = (low + high) / 2
        low, high = (middle, high) if next_after(middle) <= until else (low, middle)
    return next_after(low)
