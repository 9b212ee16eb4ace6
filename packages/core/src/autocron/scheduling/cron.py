"""Cron expressions: five fields that say at which minutes something is due.

Fields, their order and the meaning of `*`, `,`, `-` and `/` are those of crontab(5). As there, when
day of month and day of week are both restricted a day needs to match only one of them, and a
field that begins with `*` counts as unrestricted.

What happens when the clock on the wall is changed is as in Debian's cron(8): what has neither its
minutes nor its hours begin with `*` is run right after an hour that is skipped, and only the first
time in one that is repeated. All else goes by what the clock shows.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from autocron.errors import InvalidSchedule, nearest
from autocron.scheduling.wall import first_moment, next_change, wall_time

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LONGEST_EXPRESSION = 1000
_LONGEST_LIST = 100
_LONGEST_MONTHS = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1))
_SEARCH_YEARS = 40  # 29 February on a given weekday comes back after 28 years, or 40 over 2100


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Field("day of week", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


LIST_NAMES = ("minutes", "hours", "days", "months", "days_of_week")
"""What the lists of numbers or names are called that can stand for an expression."""

_MINUTE = timedelta(minutes=1)
_FROM_MONDAY = _Field("day of week", 0, 6, {name: (n - 1) % 7 for n, name in enumerate(_WEEKDAYS)})


@dataclass(frozen=True)
class CronRule:
    """The minutes that a cron expression stands for, in local time.

    Example:
        >>> rule = parse_cron("*/15 9-17 * * mon-fri")
        >>> rule.next_time(datetime(2026, 11, 20, 17, 45))
        datetime.datetime(2026, 11, 23, 9, 0)
    """

    expression: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    is_fixed: bool
    """Whether it is for certain times of a day: neither its minutes nor its hours begin with `*`."""

    spacing: ClassVar[float] = 60.0
    """How many seconds lie between two due times at least."""

    def __str__(self) -> str:
        return f"cron {self.expression}"

    def next_after(self, now: float, *, anchor: float = 0.0, zone: tzinfo | None = None) -> float:
        """Return the first due time after `now`.

        Args:
            now: in seconds since 1970 UTC, as is what is returned.
            anchor: of no use here; other rules count from it.
            zone: where the expression is local time; None for the machine's.
        """
        whole = math.floor(now)  # as all due times are
        return self._next_fixed(whole, zone) if self.is_fixed else self._next_by_clock(whole, zone)

    def _next_fixed(self, now: float, zone: tzinfo | None) -> float:
        wall = wall_time(now, zone)
        while True:
            wall = self.next_time(wall)
            due = first_moment(wall, zone)
            if due > now:  # a time that is repeated was due when it came first
                return due

    def _next_by_clock(self, now: float, zone: tzinfo | None) -> float:
        """Follow the clock from one change to the next, until it shows a matching minute."""
        wall = wall_time(now, zone)
        start = wall.replace(second=0) + _MINUTE
        found = self.first_from(start)
        while True:
            due = now + (found - wall).total_seconds()
            change = next_change(now, due, zone)
            if change is None:
                return due
            now, wall = change, wall_time(change, zone)
            minute = wall.replace(second=0)
            if minute < wall:
                minute += _MINUTE
            # It is known that nothing matches from the first start to what was found.
            if not start <= minute <= found:
                start, found = minute, self.first_from(minute)

    def next_time(self, moment: datetime) -> datetime:
        """Return the first matching minute after the minute of `moment`.

        Raises:
            InvalidSchedule: there is none, as for 31 February.
        """
        return self.first_from(moment.replace(second=0, microsecond=0) + _MINUTE)

    def first_from(self, start: datetime) -> datetime:
        """Return the first matching minute that is not before `start`, a whole minute.

        Raises:
            InvalidSchedule: there is none.
        """
        for day in self._days_from(start.date()):
            is_first = day == start.date()
            found = self._time_of_day(start.hour, start.minute) if is_first else self._time_of_day()
            if found is not None:
                return datetime(day.year, day.month, day.day, *found)
        raise InvalidSchedule(
            field="cron expression", value=self.expression, reason="no day ever matches it"
        )

    def _time_of_day(self, hour: int = 0, minute: int = 0) -> tuple[int, int] | None:
        """Return the first hour and minute of a matching day, from these on; None if that is over."""
        place = bisect_left(self.hours, hour)
        if self.hours[place : place + 1] == (hour,):
            later = bisect_left(self.minutes, minute)
            if later < len(self.minutes):
                return hour, self.minutes[later]
            place += 1
        return (self.hours[place], self.minutes[0]) if place < len(self.hours) else None

    def _days_from(self, day: date) -> Iterator[date]:
        last_year = min(day.year + _SEARCH_YEARS, date.max.year - 1)
        while day.year <= last_year:
            if day.month not in self.months:
                day = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
                continue
            if self._matches(day):
                yield day
            day += timedelta(days=1)

    def _matches(self, day: date) -> bool:
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


def parse_cron(expression: str) -> CronRule:
    """Return the rule of a cron expression or of a nickname such as `@daily`.

    Raises:
        InvalidSchedule: names the field, its value and the range that is allowed.

    Example:
        >>> parse_cron("0 25 * * *")
        Traceback (most recent call last):
        autocron.errors.InvalidSchedule: hour '25': must be from 0 to 23
    """
    _check_text(expression)
    text = expression.strip()
    if text.startswith("@") and text.lower() not in _NICKNAMES:
        meant = nearest(text.lower(), _NICKNAMES)
        hint = f" (did you mean {meant}?)" if meant else ""
        reason = f"there is no such nickname{hint}: known are {', '.join(_NICKNAMES)}"
        raise InvalidSchedule(field="cron expression", value=expression, reason=reason)
    parts = _NICKNAMES.get(text.lower(), text).split()
    if len(parts) != len(_FIELDS):
        reason = (
            f"has {len(parts)}, and needs five fields (minute hour day-of-month month day-of-week), "
            f"or is one of {', '.join(_NICKNAMES)}"
        )
        raise InvalidSchedule(field="cron expression", value=expression, reason=reason)
    minutes, hours, days, months, weekdays = map(_parse_field, _FIELDS, parts)
    rule = CronRule(
        expression=" ".join(text.split()),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
        is_fixed=not parts[0].startswith("*") and not parts[1].startswith("*"),
    )
    _check_days(rule, day=parts[2], month=parts[3])
    return rule


def _check_days(rule: CronRule, day: str, month: str) -> None:
    """Refuse a date that never comes."""
    longest = max(_LONGEST_MONTHS[month] for month in rule.months)
    if not rule.either_day and min(rule.days) > longest:
        reason = f"must be from 1 to {longest} in month {month}, so it would never be due"
        raise InvalidSchedule(field="day of month", value=day, reason=reason)
    rule.next_time(datetime(2024, 1, 1))


def _check_text(expression: str) -> None:
    if not isinstance(expression, str):
        reason = "must be a string, or use minutes=, hours=, days=, months=, days_of_week="
        raise InvalidSchedule(field="cron expression", value=expression, reason=reason)
    if len(expression) > _LONGEST_EXPRESSION:
        reason = f"has {len(expression)} characters, and at most {_LONGEST_EXPRESSION} are allowed"
        raise InvalidSchedule(field="cron expression", value=expression[:20] + "...", reason=reason)


def _parse_field(field: _Field, text: str) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _parse_part(field, part))


def _parse_part(field: _Field, part: str) -> Iterable[int]:
    span, slash, step_text = part.partition("/")
    step = _parse_step(field, step_text, part) if slash else 1
    if span == "*":
        high = 6 if field.name == "day of week" else field.high
        return range(field.low, high + 1, step)
    first, dash, last = span.partition("-")
    low = _parse_number(field, first, part)
    if not dash:
        if slash:
            reason = "a step needs * or a range before it, as in */5 or 10-30/5"
            raise InvalidSchedule(field=field.name, value=part, reason=reason)
        return (low,)
    high = _parse_number(field, last, part)
    if high < low and last.lower() == "sun":
        high = 7  # the week of crontab(5) begins with 0 and ends with 7, and both are Sunday
    if high < low:
        reason = (
            f"the range ends before it begins: its ends must be from {field.low} to {field.high}"
        )
        raise InvalidSchedule(field=field.name, value=part, reason=reason)
    return range(low, high + 1, step)


def _parse_step(field: _Field, text: str, part: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= field.high):
        reason = f"a step must be from 1 to {field.high}"
        raise InvalidSchedule(field=field.name, value=part, reason=reason)
    return int(text)


def _parse_number(field: _Field, text: str, part: str) -> int:
    if text.lower() in field.names:
        return field.names[text.lower()]
    if not (text.isascii() and text.isdigit() and field.low <= int(text) <= field.high):
        names = f", or a name such as {next(iter(field.names))}" if field.names else ""
        reason = f"must be from {field.low} to {field.high}{names}"
        raise InvalidSchedule(field=field.name, value=part, reason=reason)
    return int(text)


def cron_from_lists(
    minutes: Iterable[int] | None = None,
    hours: Iterable[int] | None = None,
    days: Iterable[int] | None = None,
    months: Iterable[int | str] | None = None,
    days_of_week: Iterable[int | str] | None = None,
) -> CronRule:
    """Return the rule of lists of numbers or names; None stands for all. Monday is 0.

    Raises:
        InvalidSchedule: names the list, its value and the range that is allowed.

    Example:
        >>> cron_from_lists(minutes=[30], hours=[7], days_of_week=[0, 1]).expression
        '30 7 * * 1,2'
    """
    weekdays = _weekdays_from_monday(days_of_week)
    lists = (minutes, hours, days, months, weekdays)
    fields = [field._replace(name=name) for field, name in zip(_FIELDS, LIST_NAMES, strict=True)]
    return parse_cron(" ".join(map(_expression_of, fields, lists)))


def weekdays_from_monday(text: str) -> str:
    """Return a weekday field whose numbers count from Monday = 0 as one of a cron expression.

    Raises:
        InvalidSchedule: names its value and the range that is allowed.

    Example:
        >>> weekdays_from_monday("0-4"), weekdays_from_monday("5,sun"), weekdays_from_monday("*")
        ('1,2,3,4,5', '6,0', '*')
    """
    if text == "*":
        return text
    return ",".join(str((number + 1) % 7) for number in sorted(_parse_field(_FROM_MONDAY, text)))


def _expression_of(field: _Field, values: Iterable[int | str] | None) -> str:
    if values is None:
        return "*"
    texts = [_text_of(value) for value in _as_list(values)]
    if not texts:
        reason = "the list is empty; leave it out to mean all"
        raise InvalidSchedule(field=field.name, value=texts, reason=reason)
    if len(texts) > _LONGEST_LIST:
        reason = (
            f"must be from {field.low} to {field.high}, and not more than {_LONGEST_LIST} values"
        )
        raise InvalidSchedule(field=field.name, value=[*texts[:3], "..."], reason=reason)
    # In one order, since a set has another one in each process, and that is no other rule.
    numbers = {_parse_number(field, text, text): text.lower() for text in texts}
    return ",".join(text for _, text in sorted(numbers.items()))


def _text_of(value: Any) -> str:
    # An IntEnum such as `calendar.Month` is an int, and True is none.
    return str(int(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def _weekdays_from_monday(values: Iterable[int | str] | None) -> list[int | str] | None:
    if values is None:
        return None
    return [_weekday_from_monday(value) for value in _as_list(values)]


def _as_list(values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        return [values]
    return list(islice(values, _LONGEST_LIST + 1))


def _weekday_from_monday(value: int | str) -> int | str:
    if isinstance(value, str) and value.lower() in _WEEKDAYS:
        return value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 6:
        reason = "must be from 0 (Monday) to 6 (Sunday), or a name such as mon"
        raise InvalidSchedule(field="days_of_week", value=value, reason=reason)
    return (int(value) + 1) % 7
