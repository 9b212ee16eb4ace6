"""Time zones by name, and which one is the machine's."""

from __future__ import annotations

import io
import os
import struct
from datetime import timezone, tzinfo
from typing import Any

from autocron.errors import nearest

# `zoneinfo` is imported by the functions that need it: most processes never do.


def zone_named(name: str | None) -> tzinfo | None:
    """Return the time zone of a stored name; None, which stands for the machine's, for None.

    That is what `datetime.fromtimestamp()` and `datetime.replace(tzinfo=...)` take None for as well.
    What `zone_of_machine` returns is such a name, too.

    Raises:
        ValueError: there is no such zone; has the end of a sentence that begins with its name.

    Example:
        >>> zone_named("Europe/Berlin")
        zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    if name is None:
        return None
    found = _find(name) or _zone_of_rule(name)
    if found is None:
        raise ValueError(_no_such_zone(name))
    return found


def zone_name(value: Any) -> str:
    """Return the name of a time zone that was given by its name, or as a `ZoneInfo`.

    Raises:
        ValueError: it is none; has the end of a sentence that begins with its name.

    Example:
        >>> zone_name("Europe/Berlin"), zone_name(timezone.utc)
        ('Europe/Berlin', 'UTC')
    """
    name = getattr(value, "key", "UTC" if value is timezone.utc else value)
    if not isinstance(name, str):
        raise ValueError("must be the name of a time zone, such as 'Europe/Berlin', or a ZoneInfo")
    if _find(name) is None:
        raise ValueError(_no_such_zone(name))
    return name


def zone_of_machine(localtime: str = "/etc/localtime") -> str | None:
    """Return the name of the machine's time zone, as this process sees it; None if it has no name.

    It is said by the variable TZ, which may hold a name, a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`, or
    the path of a file (tzset(3)), or by where the link /etc/localtime leads (localtime(5) of systemd).
    """
    text = os.environ.get("TZ")
    if text is None:
        return _name_of_file(localtime)
    name = text.removeprefix(":")
    if os.path.isabs(name):
        return _name_of_file(name)
    if not name:
        return "UTC"
    return name if _find(name) or _zone_of_rule(name) else None


def _find(name: str) -> tzinfo | None:
    """Return the zone of that name, if the data of zones have it."""
    if name == "UTC":
        return timezone.utc  # without the data of all the others
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    # OSError: a folder of zones, such as "Europe"; ValueError: a path that leads elsewhere.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _zone_of_rule(text: str) -> tzinfo | None:
    """Return the zone of a rule as TZ may hold it; None if it is none.

    To users it is not offered as the name of a zone: UTC-3 is three hours *ahead* of UTC there.
    """
    from zoneinfo import ZoneInfo

    if not text or not text.isprintable():
        return None
    # The file of a zone (RFC 9636) without changes, with which the rule at its end is all that counts.
    head = b"TZif2" + bytes(15) + struct.pack(">6L", 0, 0, 0, 0, 1, 2)
    block = head + struct.pack(">lBB", 0, 0, 0) + b"-\0"
    try:
        rule = text.encode("ascii")
        return ZoneInfo.from_file(io.BytesIO(block + block + b"\n" + rule + b"\n"), key=text)
    except ValueError:
        return None


def _name_of_file(path: str) -> str | None:
    """Return the name of the zone whose file is at a path, or where the link there leads."""
    from zoneinfo import TZPATH

    target = os.path.realpath(path)
    for folder in TZPATH:
        start = os.path.join(os.path.realpath(folder), "")
        if target.startswith(start) and _find(name := target.removeprefix(start)):
            return name
    return None


def _no_such_zone(name: str) -> str:
    from zoneinfo import available_timezones

    known = {known.lower(): known for known in available_timezones()}
    if not known:
        return "cannot be found, since there is no time zone data here: install tzdata"
    meant = known.get(name.lower()) or nearest(name, known.values())
    hint = f" (did you mean {meant}?)" if meant else ", such as Europe/Berlin"
    return f"must be the name of a time zone{hint}"
