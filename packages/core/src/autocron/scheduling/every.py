"""Intervals: due every so many seconds, counted from a fixed moment so that nothing drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import tzinfo

from autocron.clock import HUNDRED_YEARS
from autocron.errors import InvalidSchedule


@dataclass(frozen=True)
class EveryRule:
    """Due each `seconds` seconds, counted from the anchor.

    Example:
        >>> EveryRule(60).next_after(1000.0, anchor=10.0)
        1030.0
    """

    seconds: int

    def __str__(self) -> str:
        return f"every {self.seconds}"

    @property
    def is_fixed(self) -> bool:
        """False: an interval is not for certain times of a day."""
        return False

    @property
    def spacing(self) -> float:
        """How many seconds lie between two due times."""
        return float(self.seconds)

    def next_after(self, now: float, *, anchor: float = 0.0, zone: tzinfo | None = None) -> float:
        """Return the first due time after `now`.

        Args:
            now: in seconds since 1970 UTC, as is what is returned.
            anchor: the moment from which intervals are counted, in both directions.
            zone: of no use here; an interval has the same length everywhere.
        """
        count = math.floor((now - anchor) / self.seconds) + 1
        due = anchor + count * self.seconds
        return due if due > now else due + self.seconds  # in case that fractions were rounded


def every_from(
    weeks: float = 0, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
) -> EveryRule:
    """Return the rule of an interval that is the sum of the arguments.

    Raises:
        InvalidSchedule: the sum is no whole number of seconds, or out of range.

    Example:
        >>> str(every_from(minutes=1, seconds=30))
        'every 90'
    """
    parts = {"weeks": weeks, "days": days, "hours": hours, "minutes": minutes, "seconds": seconds}
    for name, value in parts.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= HUNDRED_YEARS:
            reason = "must be a number from 0, and make up 100 years at most"
            raise InvalidSchedule(field=name, value=value, reason=reason)
    # Rounded, since days=0.1 is meant to be 8640 seconds, and is a little less or more in binary.
    total = round((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds, 6)
    given = ", ".join(f"{name}={value}" for name, value in parts.items() if value) or "seconds=0"
    if not 1 <= total <= HUNDRED_YEARS or total != int(total):
        reason = "must be a whole number of seconds, from 1 second to 100 years"
        if total != int(total):
            reason = f"there are no intervals with fractions of a second: it {reason}"
        raise InvalidSchedule(field="every", value=given, reason=reason)
    return EveryRule(int(total))


def parse_every(text: str) -> EveryRule:
    """Return the rule of an interval that was written as its number of seconds."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(HUNDRED_YEARS))):
        raise InvalidSchedule(field="every", value=text, reason="must be a number of seconds")
    return every_from(seconds=int(text))
