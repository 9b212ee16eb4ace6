"""When something is due: pure functions of time, which know neither clock nor store."""

from __future__ import annotations

from autocron.errors import InvalidSchedule
from autocron.scheduling.cron import CronRule, parse_cron
from autocron.scheduling.every import EveryRule, parse_every

__all__ = ["CronRule", "EveryRule", "Rule", "parse_rule"]

Rule = CronRule | EveryRule
"""What a schedule follows. `str(rule)` is its stored form, and `next_after` gives its times."""


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
