"""When a schedule is due next, as its clock shows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from autocron.model import StoredSchedule
from autocron.scheduling.timetable import Timetable


def coming_runs(stored: StoredSchedule, now: float) -> Iterator[datetime]:
    """Give the coming due times of a schedule, in its zone; none if it is not due at any time.

    Args:
        stored: as it was found.
        now: in seconds since 1970 UTC.

    Raises:
        InvalidSchedule: its rule or its time zone cannot be read.
    """
    if stored.due is None or stored.problem or not stored.confirmed:
        return
    times = Timetable.of(stored.schedule, stored.anchor)
    # What is over will be seen to when the application is started.
    first = stored.due if stored.due > now else times.next_after(now)
    yield from map(times.local, times.coming(first))
