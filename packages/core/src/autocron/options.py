"""From what a decorator or a call is given to the options of a job, checked where it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias, get_args

from autocron.clock import HUNDRED_YEARS
from autocron.errors import InvalidOption, InvalidSchedule, kinds_of
from autocron.model import CatchUp, Options, Overlap
from autocron.policy import Backoff, Exponential, OnCrash
from autocron.zones import zone_name

MAX_RETRIES = 1_000_000
MAX_PRIORITY = 1_000_000
MAX_QUEUE_LENGTH = 100

ExceptionTypes: TypeAlias = type[BaseException] | Sequence[type[BaseException]]
"""One class of exceptions, or several."""

_SECONDS = {"weeks": 604800.0, "days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def make_options(base: Options, given: dict[str, Any]) -> Options:
    """Return `base` with what was given changed; None stands for not given.

    Raises:
        InvalidOption: names the option, its value and what is allowed.

    Example:
        >>> options = make_options(Options(retries=3), {"minutes": 1, "retries": None, "timeout": 5})
        >>> options.delay, options.retries, options.policy.timeout
        (60.0, 3, 5.0)
    """
    options = {name: value for name, value in given.items() if value is not None}
    changes: dict[str, Any] = {}
    delay = {name: options.pop(name) for name in _SECONDS if name in options}
    schedule = options.pop("schedule", None)
    if delay and schedule is not None:
        reason = "a call has either a schedule or a delay"
        raise InvalidOption(option="schedule", value=schedule, reason=reason)
    if delay:
        changes |= {"delay": _total_seconds(delay), "run_at": None}
    if schedule is not None:
        changes |= {"delay": None, "run_at": _timestamp(schedule)}
    policy = {
        name: _POLICY_CHECKS[name](name, options.pop(name))
        for name in _POLICY_CHECKS.keys() & options
    }
    if policy:
        changes["policy"] = replace(base.policy, **policy)
    for name, value in options.items():
        changes[name] = _CHECKS[name](name, value)
    return replace(base, **changes)


def _total_seconds(parts: dict[str, Any]) -> float:
    total = sum(_seconds(name, value, _SECONDS[name]) for name, value in parts.items())
    if total > HUNDRED_YEARS:
        reason = "must be at most 100 years in all"
        raise InvalidOption(option="+".join(parts), value=parts, reason=reason)
    return total


def _seconds(name: str, value: Any, unit: float = 1.0) -> float:
    try:
        return _number(name, value, 0, HUNDRED_YEARS / unit) * unit
    except InvalidOption:
        reason = f"must be a number from 0 to {HUNDRED_YEARS / unit:.0f} (100 years)"
        raise InvalidOption(option=name, value=value, reason=reason) from None


def _timestamp(moment: Any) -> float:
    # A naive datetime is local time, by the rule of datetime.timestamp().
    if not isinstance(moment, datetime):
        reason = "must be a datetime"
        raise InvalidOption(option="schedule", value=moment, reason=reason)
    try:
        timestamp = moment.timestamp()
    except (OverflowError, ValueError, OSError):
        timestamp = 0.0 if moment.year < 1970 else math.inf
    except TypeError:
        reason = "has a time zone that does not say how far it is from UTC"
        raise InvalidOption(option="schedule", value=moment, reason=reason) from None
    now = datetime.now().timestamp()
    if not timestamp - now <= HUNDRED_YEARS:
        reason = "must not be more than 100 years from now"
        raise InvalidOption(option="schedule", value=moment, reason=reason)
    return timestamp


def _retries(name: str, value: Any) -> int:
    return _whole_number(name, value, 0, MAX_RETRIES)


def _priority(name: str, value: Any) -> int:
    return _whole_number(name, value, -MAX_PRIORITY, MAX_PRIORITY)


def _whole_number(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        reason = f"must be a whole number from {low} to {high}"
        raise InvalidOption(option=name, value=value, reason=reason)
    return value


def _switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOption(option=name, value=value, reason="must be True or False")
    return value


def _queue(name: str, value: Any) -> str:
    if type(value) is not str or not 0 < len(value) <= MAX_QUEUE_LENGTH or not value.isprintable():
        reason = f"must be a name of 1 to {MAX_QUEUE_LENGTH} printable characters"
        raise InvalidOption(option=name, value=value, reason=reason)
    return value


def _backoff(name: str, value: Any) -> Backoff:
    match value:
        case Exponential():
            return _exponential(value)
        case list() | tuple() if value:
            return tuple(_seconds(name, pause) for pause in value)
        case list() | tuple():
            reason = "must not be empty: give at least one number of seconds"
            raise InvalidOption(option=name, value=value, reason=reason)
        case _:
            return (_seconds(name, value),)


def _exponential(value: Exponential) -> Exponential:
    limits = {"first": HUNDRED_YEARS, "longest": HUNDRED_YEARS, "jitter": 1}
    for name, high in limits.items():
        _number(f"backoff.{name}", getattr(value, name), 0, high)
    _number("backoff.factor", value.factor, 1, 100)
    return value


def _timeout(name: str, value: Any) -> float:
    return _number(name, value, 0.001, HUNDRED_YEARS)


def _number(name: str, value: Any, low: float, high: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        reason = f"must be a number from {low:g} to {high:.0f}"
        raise InvalidOption(option=name, value=value, reason=reason)
    return float(value)


def _exceptions(name: str, value: Any) -> tuple[str, ...]:
    kinds = tuple(value) if isinstance(value, list | tuple | set | frozenset) else (value,)
    for kind in kinds:
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            reason = "must be an exception class, or a list or tuple of such classes"
            raise InvalidOption(option=name, value=value, reason=reason)
    if not kinds and name == "retry_on":
        reason = "must not be empty: to have no retries, leave out retries="
        raise InvalidOption(option=name, value=value, reason=reason)
    return tuple(kinds_of(kind)[0] for kind in kinds)


def _on_crash(name: str, value: Any) -> str:
    choices = get_args(OnCrash)
    if value not in choices:
        reason = "must be one of " + ", ".join(map(repr, choices))
        raise InvalidOption(option=name, value=value, reason=reason)
    return str(value)


def check_schedule_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given of a schedule's options, as the fields of a `Schedule`; None is not given.

    Raises:
        InvalidSchedule: names the option, its value and what is allowed.

    Example:
        >>> check_schedule_options({"overlap": "queue", "timezone": None})
        {'overlap': 'queue'}
    """
    options = {name: value for name, value in given.items() if value is not None}
    for name, value in options.items():
        try:
            options[name] = _SCHEDULE_CHECKS[name](value)
        except ValueError as error:
            raise InvalidSchedule(field=name, value=value, reason=str(error)) from None
    return options


def _grace(value: Any) -> float:
    try:
        return _seconds("grace", value)
    except InvalidOption:
        raise ValueError(f"must be a number of seconds from 0 to {HUNDRED_YEARS:.0f}") from None


def _one_of(*choices: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices or type(value) is not type(choices[0]):
            raise ValueError("must be one of " + ", ".join(map(repr, choices)))
        return value

    return check


_SCHEDULE_CHECKS: dict[str, Callable[[Any], Any]] = {
    "start_now": _one_of(True, False),
    "timezone": zone_name,
    "catch_up": _one_of(*get_args(CatchUp)),
    "grace": _grace,
    "overlap": _one_of(*get_args(Overlap)),
}

_POLICY_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "backoff": _backoff,
    "retry_on": _exceptions,
    "give_up_on": _exceptions,
    "timeout": _timeout,
    "on_crash": _on_crash,
}

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "retries": _retries,
    "priority": _priority,
    "queue": _queue,
    "ttl": _seconds,
    "enqueue_on_commit": _switch,
}
