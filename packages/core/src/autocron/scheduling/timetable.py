"""The due times of a schedule: its rule, in its time zone, counted from where it began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo

from autocron.errors import InvalidSchedule
from autocron.model import Schedule
from autocron.scheduling import LESS_THAN_BETWEEN_TWO, Rule, last_due, parse_rule
from autocron.zones import zone_named

_END_OF_TIME = datetime(9900, 1, 1, tzinfo=timezone.utc).timestamp()


@dataclass(frozen=True)
class Timetable:
    """When a schedule is due.

    Example:
        >>> times = Timetable.of(Schedule("a.b", "a.b", "cron 30 7 * * *", timezone="Asia/Tokyo"))
        >>> times.in_words(times.next_after(0))
        '1970-01-02 07:30:00+09:00'
    """

    rule: Rule
    zone: tzinfo | None
    anchor: float

    @classmethod
    def of(cls, schedule: Schedule, anchor: float = 0.0) -> Timetable:
        """Return that of a schedule.

        Raises:
            InvalidSchedule: its rule or its time zone cannot be read.
        """
        try:
            zone = zone_named(schedule.timezone)
        except ValueError as error:
            value = schedule.timezone
            raise InvalidSchedule(field="timezone", value=value, reason=str(error)) from None
        return cls(parse_rule(schedule.rule), zone, anchor)

    def next_after(self, moment: float) -> float:
        """Return the first due time after a moment; all times are in seconds since 1970 UTC."""
        return self.rule.next_after(moment, anchor=self.anchor, zone=self.zone)

    def coming(self, first: float) -> Iterator[float]:
        """Give a due time, and those that come after it, as long as calendars have them."""
        while first < _END_OF_TIME:
            yield first
            first = self.next_after(first)

    def backwards(self, since: float, until: float) -> Iterator[float]:
        """Give the due times from `since` to `until`, latest first.

        `since` is one by its definition: the rule or the zone may have been another when it was planned.
        """
        due = last_due(self.next_after, since, until)
        while due is not None and due > since:
            yield due
            due = last_due(self.next_after, since, due - LESS_THAN_BETWEEN_TWO)
        yield since

    def local(self, moment: float) -> datetime:
        """Return a moment as the clock shows it where the schedule has its zone."""
        found = datetime.fromtimestamp(moment, self.zone)
        return found if self.zone else found.astimezone()

    def in_words(self, moment: float) -> str:
        """Return a moment as text, as the clock shows it where the schedule has its zone."""
        return self.local(moment).isoformat(" ", "seconds")
