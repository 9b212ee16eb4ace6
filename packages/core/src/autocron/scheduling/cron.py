"""Cron expressions: five fields that say at which minutes something is due.

Fields, their order and the meaning of `*`, `,`, `-` and `/` are those of crontab(5). As there, when
day of month and day of week are both restricted a day needs to match only one of them, and a
field that begins with `*` counts as unrestricted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from autocron.errors import InvalidSchedule

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

    def __str__(self) -> str:
        return f"cron {self.expression}"

    def next_after(self, now: float, anchor: float) -> float:
        """Return the first due time after `now`, both in seconds since 1970 UTC."""
        moment = datetime.fromtimestamp(now).replace(second=0, microsecond=0)
        due = now
        # Local time jumps back when a repeated hour begins: go on until it is really later.
        while due <= now:
            moment = self.next_time(moment)
            due = moment.timestamp()
        return due

    def next_time(self, moment: datetime) -> datetime:
        """Return the first matching minute after the minute of `moment`.

        Raises:
            InvalidSchedule: there is none, as for 31 February.
        """
        start = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._days_from(start.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute)
                    if found >= start:
                        return found
        raise InvalidSchedule(
            field="cron expression", value=self.expression, reason="no day ever matches it"
        )

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
    parts = _NICKNAMES.get(text.lower(), text).split()
    if len(parts) != len(_FIELDS):
        raise InvalidSchedule(
            field="cron expression",
            value=expression,
            reason="needs five fields (minute hour day-of-month month day-of-week) or one of "
            + ", ".join(_NICKNAMES),
        )
    minutes, hours, days, months, weekdays = map(_parse_field, _FIELDS, parts)
    rule = CronRule(
        expression=" ".join(text.split()),
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(number % 7 for number in weekdays),
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )
    rule.next_time(datetime(2024, 1, 1))
    return rule


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
    if high < low:
        reason = "the range ends before it begins"
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
    return parse_cron(" ".join(map(_expression_of, _FIELDS, lists)))


def _expression_of(field: _Field, values: Iterable[int | str] | None) -> str:
    if values is None:
        return "*"
    texts = [str(value) for value in _as_list(values)]
    if not texts:
        reason = "the list is empty; leave it out to mean all"
        raise InvalidSchedule(field=field.name, value=texts, reason=reason)
    for text in texts:
        _parse_number(field, text, text)
    return ",".join(texts)


def _weekdays_from_monday(values: Iterable[int | str] | None) -> list[int | str] | None:
    if values is None:
        return None
    return [_weekday_from_monday(value) for value in _as_list(values)]


def _as_list(values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        return [values]
    return list(values)


def _weekday_from_monday(value: int | str) -> int | str:
    if isinstance(value, str) and value.lower() in _WEEKDAYS:
        return value
    if type(value) is not int or not 0 <= value <= 6:
        reason = "must be from 0 (Monday) to 6 (Sunday), or a name such as mon"
        raise InvalidSchedule(field="day of week", value=value, reason=reason)
    return (value + 1) % 7
