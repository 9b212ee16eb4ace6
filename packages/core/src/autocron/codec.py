"""Arguments and results as JSON text, with the types that JSON lacks restored as they were.

A value of such a type is written as an object with the key `$` that names the type and `v` that
holds its content. Nothing is ever executed or imported on reading: an unknown name is an error.
"""

from __future__ import annotations

import binascii
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from importlib import import_module
from typing import Any

from autocron.errors import UnreadableValue, UnsupportedValue

_TAG = "$"
_PLAIN = frozenset({str, int, bool, type(None)})


class _Unsupported(Exception):
    """Carries the type that was met and why it cannot be written."""

    def __init__(self, kind: type, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason


# Writing ------------------------------------------------------------------------------------


def _pack(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_pack(item) for item in value]
    if kind is dict:
        return _pack_dict(value)
    packer = _PACKERS.get(kind, _pack_text)
    return packer(value)


def _pack_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if _TAG not in value and all(type(key) is str for key in value):
        return {key: _pack(item) for key, item in value.items()}
    return _tagged("dict", [[_pack(key), _pack(item)] for key, item in value.items()])


def _tagged(name: str, content: Any, **more: Any) -> dict[str, Any]:
    return {_TAG: name, "v": content, **more}


def _pack_text(value: Any) -> Any:
    kind = type(value)
    for name, module in _TEXTUAL.items():
        # A value of the type can only exist if its module has been imported.
        if getattr(sys.modules.get(module), name, None) is kind:
            return _tagged(name, str(value))
    raise _Unsupported(kind, "it is of no type that autocron knows how to restore")


def _pack_float(value: float) -> Any:
    # RFC 8259 has no text for these three, and strict readers refuse Python's own.
    return value if math.isfinite(value) else _tagged("float", repr(value))


def _pack_datetime(value: datetime) -> Any:
    text = value.replace(tzinfo=None).isoformat()
    return _tagged("datetime", text, zone=_pack_zone(value.tzinfo), fold=value.fold)


def _pack_time(value: time) -> Any:
    text = value.replace(tzinfo=None).isoformat()
    return _tagged("time", text, zone=_pack_zone(value.tzinfo), fold=value.fold)


def _pack_zone(zone: tzinfo | None) -> str | float | None:
    if zone is None:
        return None
    if type(zone) is timezone:
        return zone.utcoffset(None).total_seconds()
    # Not imported unless the application has it: the import takes milliseconds.
    zoneinfo = sys.modules.get("zoneinfo")
    if zoneinfo is not None and isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return str(zone.key)
    raise _Unsupported(type(zone), "its time zone is neither a zoneinfo nor a fixed offset")


def _pack_timedelta(value: timedelta) -> Any:
    return _tagged("timedelta", [value.days, value.seconds, value.microseconds])


# Strings that templates return: they are not escaped again by a task that puts them into another one.
_MARKUP = {"Markup": "markupsafe", "SafeString": "django.utils.safestring"}

# Types whose text says all, and their modules, which are imported only where they are needed.
_TEXTUAL = {
    "Decimal": "decimal",
    "UUID": "uuid",
    "PosixPath": "pathlib",
    "WindowsPath": "pathlib",
    "PurePosixPath": "pathlib",
    "PureWindowsPath": "pathlib",
    **_MARKUP,
}

_PACKERS: dict[type, Callable[[Any], Any]] = {
    float: _pack_float,
    tuple: lambda value: _tagged("tuple", [_pack(item) for item in value]),
    set: lambda value: _tagged("set", [_pack(item) for item in value]),
    frozenset: lambda value: _tagged("frozenset", [_pack(item) for item in value]),
    bytes: lambda value: _tagged(
        "bytes", binascii.b2a_base64(value, newline=False).decode("ascii")
    ),
    datetime: _pack_datetime,
    date: lambda value: _tagged("date", value.isoformat()),
    time: _pack_time,
    timedelta: _pack_timedelta,
}

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode(value: Any, where: str = "the value") -> str:
    """Return `value` as JSON text; `where` names it in the error.

    Raises:
        UnsupportedValue: it holds something that could not be restored as it was.

    Example:
        >>> decode(encode({"when": date(2026, 11, 22), "who": ("a", "b")}))
        {'when': datetime.date(2026, 11, 22), 'who': ('a', 'b')}
    """
    if value is None:  # what most tasks return
        return "null"
    try:
        return _encode(_pack(value))
    except _Unsupported as error:
        kind = f"{error.kind.__module__}.{error.kind.__qualname__}".removeprefix("builtins.")
        raise UnsupportedValue(where=where, type=kind, reason=error.reason) from None
    except RecursionError:
        raise UnsupportedValue(
            where=where, type=type(value).__name__, reason="nested too deeply, or in a circle"
        ) from None
    except ValueError as error:  # an integer beyond sys.get_int_max_str_digits()
        raise UnsupportedValue(where=where, type=type(value).__name__, reason=str(error)) from None


def _are_plain(values: Iterable[Any]) -> bool:
    return all(type(value) in _PLAIN for value in values)


def encode_arguments(names: Sequence[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Return the arguments of a call as JSON text.

    Args:
        names: the task's positional parameters in their order, to name the one that is refused.
        args: positional arguments.
        kwargs: keyword arguments.

    Raises:
        UnsupportedValue: an argument cannot be stored; its name is in the message.

    Example:
        >>> encode_arguments(["to"], ("a@example.org",), {"copies": 2})
        '[["a@example.org"],{"copies":2}]'
    """
    try:
        if _are_plain(args) and _are_plain(kwargs.values()) and _TAG not in kwargs:  # most calls
            return _encode((args, kwargs))
        return encode([list(args), kwargs])
    except (UnsupportedValue, ValueError):
        for index, value in enumerate(args):
            encode(value, f"argument {names[index] if index < len(names) else index + 1}")
        for name, value in kwargs.items():
            encode(value, f"argument {name}")
        raise


# Reading ------------------------------------------------------------------------------------


def _zone(zone: str | float | None) -> tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        from zoneinfo import ZoneInfo

        return ZoneInfo(zone)
    return timezone(timedelta(seconds=zone))


def _unpack_datetime(content: dict[str, Any]) -> datetime:
    moment = datetime.fromisoformat(content["v"])
    return moment.replace(tzinfo=_zone(content["zone"]), fold=content["fold"])


def _unpack_time(content: dict[str, Any]) -> time:
    moment = time.fromisoformat(content["v"])
    return moment.replace(tzinfo=_zone(content["zone"]), fold=content["fold"])


def _unpack_timedelta(content: dict[str, Any]) -> timedelta:
    days, seconds, microseconds = content["v"]
    return timedelta(days, seconds, microseconds)


_UNPACKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "dict": lambda content: dict(content["v"]),
    "float": lambda content: float(content["v"]),
    "tuple": lambda content: tuple(content["v"]),
    "set": lambda content: set(content["v"]),
    "frozenset": lambda content: frozenset(content["v"]),
    "bytes": lambda content: binascii.a2b_base64(content["v"]),
    "datetime": _unpack_datetime,
    "date": lambda content: date.fromisoformat(content["v"]),
    "time": _unpack_time,
    "timedelta": _unpack_timedelta,
}


def _unpack(content: dict[str, Any]) -> Any:
    if _TAG not in content:
        return content
    name = content[_TAG]
    if name in _TEXTUAL:
        try:
            return getattr(import_module(_TEXTUAL[name]), name)(content["v"])
        except ModuleNotFoundError:
            if name not in _MARKUP:
                raise
            return content["v"]  # where no template is, as in the tool, it is text like any other
    return _UNPACKERS[name](content)


_decode = json.JSONDecoder(object_hook=_unpack).decode


def decode(text: str) -> Any:
    """Return the value that `encode` wrote as `text`.

    Raises:
        UnreadableValue: the text was written by something else.

    Example:
        >>> decode('{"$":"tuple","v":[1,2]}')
        (1, 2)
    """
    try:
        return _decode(text)
    except Exception as error:  # others may have written anything, which is no fault of ours
        raise UnreadableValue(reason=f"{type(error).__name__}: {error}") from error


def decode_arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that `encode_arguments` wrote as `text`, positional and by keyword.

    Raises:
        UnreadableValue: the text was written by something else.

    Example:
        >>> decode_arguments('[["a@example.org"],{"copies":2}]')
        (['a@example.org'], {'copies': 2})
    """
    match decode(text):
        case [list(args), dict(kwargs)]:
            return args, kwargs
        case other:
            raise UnreadableValue(reason=f"{type(other).__name__} where arguments were expected")
