"""Time zones by name, and which one is the machine's."""

from __future__ import annotations

import os
from datetime import timezone, tzinfo
from typing import Any

from autocron.errors import nearest

# `zoneinfo` is imported by the functions that need it: most processes never do.


def zone_named(name: str | None) -> tzinfo | None:
    """Return the time zone of that name; None, which stands for the machine's, for None.

    That is what `datetime.fromtimestamp()` and `datetime.replace(tzinfo=...)` take None for as well.

    Raises:
        ValueError: there is no such zone; has the end of a sentence that begins with its name.

    Example:
        >>> zone_named("Europe/Berlin")
        zoneinfo.ZoneInfo(key='Europe/Berlin')
    """
    if name is None:
        return None
    if name == "UTC":
        return timezone.utc  # without the data of all the others
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    # OSError: a folder of zones, such as "Europe"; ValueError: a path that leads elsewhere.
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(_no_such_zone(name)) from None


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
    zone_named(name)
    return name


def zone_of_machine(localtime: str = "/etc/localtime") -> str | None:
    """Return the name of the machine's time zone, as this process sees it; None if it has no name.

    It is named by the variable TZ, which may hold something else (tzset(3)), or by where the link
    /etc/localtime leads (localtime(5) of systemd).
    """
    from zoneinfo import TZPATH

    name = os.environ.get("TZ")
    if name is None:
        target = os.path.realpath(localtime)
        folders = (os.path.join(os.path.realpath(folder), "") for folder in TZPATH)
        name = next((target.removeprefix(each) for each in folders if target.startswith(each)), "")
    try:
        return zone_name(name.removeprefix(":"))
    except ValueError:
        return None


def _no_such_zone(name: str) -> str:
    from zoneinfo import available_timezones

    known = {known.lower(): known for known in available_timezones()}
    if not known:
        return "cannot be found, since there is no time zone data here: install tzdata"
    meant = known.get(name.lower()) or nearest(name, known.values())
    hint = f" (did you mean {meant}?)" if meant else ", such as Europe/Berlin"
    return f"must be the name of a time zone{hint}"
