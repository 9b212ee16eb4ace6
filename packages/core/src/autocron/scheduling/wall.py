"""The time on the wall: from moments to local time and back, across changes of the clock.

Moments are seconds since 1970 UTC; a zone of None is the machine's. What `datetime` has to know about
repeated and skipped local times (its `fold`) is that of PEP 495.
"""

from __future__ import annotations

import math
from datetime import datetime, tzinfo

_STRIDE = 4 * 24 * 3600
_EPOCH = datetime(1970, 1, 1)


def wall_time(moment: float, zone: tzinfo | None) -> datetime:
    """Return what the clock on the wall shows at a moment, without a zone.

    Example:
        >>> from zoneinfo import ZoneInfo
        >>> wall_time(0, ZoneInfo("Asia/Tokyo"))
        datetime.datetime(1970, 1, 1, 9, 0)
    """
    return datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0)


def first_moment(wall: datetime, zone: tzinfo | None) -> float:
    """Return when the clock on the wall shows a time first; if it skips that, when it does so.

    Example:
        >>> from zoneinfo import ZoneInfo
        >>> berlin = ZoneInfo("Europe/Berlin")
        >>> wall_time(first_moment(datetime(2026, 3, 29, 2, 30), berlin), berlin)
        datetime.datetime(2026, 3, 29, 3, 0)
    """
    moment = wall.replace(tzinfo=zone, fold=0).timestamp()
    if wall_time(moment, zone) == wall:
        return moment
    # By the offset that was in force before it is too late, and by the one after it too early.
    early = wall.replace(tzinfo=zone, fold=1).timestamp()
    return next_change(early, moment, zone) or moment


def next_change(after: float, until: float, zone: tzinfo | None) -> float | None:
    """Return the first whole second after `after`, and not after `until`, at which another offset begins.

    No zone changes its offset and back again within five days, so a look every four days is enough.

    Example:
        >>> from zoneinfo import ZoneInfo
        >>> next_change(1774700000, 1774800000, ZoneInfo("Europe/Berlin"))
        1774746000.0
    """
    offset = _offset(after, zone)
    low, last = math.floor(after), math.floor(until)
    while low < last:
        high = min(low + _STRIDE, last)
        if _offset(high, zone) != offset:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            return float(high)
        low = high
    return None


def _offset(moment: float, zone: tzinfo | None) -> float:
    """Return by how many seconds the wall is ahead of UTC."""
    whole = math.floor(moment)
    return (wall_time(whole, zone) - _EPOCH).total_seconds() - whole
