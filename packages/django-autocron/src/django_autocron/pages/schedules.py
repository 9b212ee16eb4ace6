"""Schedules in Django's admin: when they are due, paused, resumed, and run besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from autocron.administration import actions
from autocron.administration.coming import coming_runs
from autocron.administration.database import Opened
from autocron.clock import system_clock
from autocron.errors import AutocronError, InvalidSchedule
from autocron.model import StoredSchedule, Tick, TickOutcome
from autocron.scheduling.timetable import Timetable
from django_autocron.models import Schedule
from django_autocron.pages import shown
from django_autocron.pages.base import SELECTED, StoreAdmin
from django_autocron.pages.listing import Listing
from django_autocron.pages.shown import clean

PAUSE, RESUME, RUN_NOW = "pause", "resume", "run_now"

_LIST_ACTIONS = {
    PAUSE: gettext_lazy("Pause selected schedules"),
    RESUME: gettext_lazy("Resume selected schedules"),
    RUN_NOW: gettext_lazy("Run selected schedules now"),
}
_WORDS = {PAUSE: "Paused.", RESUME: "Resumed.", RUN_NOW: "Run now."}
_COMING = 5
_LATEST = 20


@dataclass(frozen=True)
class LocalTick:
    """What came of a due time, with that in the zone of its schedule."""

    tick: Tick
    due: datetime | float


@dataclass(frozen=True)
class View:
    """A schedule, as it is shown."""

    stored: StoredSchedule
    coming: list[datetime]
    ticks: list[LocalTick]

    @classmethod
    def of(cls, stored: StoredSchedule, database: Opened, coming: int, ticks: int) -> View:
        """Look at a schedule.

        Args:
            stored: as it was found.
            database: where.
            coming: how many of the next due times are wanted.
            ticks: and of the latest.
        """
        found = database.store.ticks(stored.schedule.name, ticks)
        return cls(
            stored,
            _coming(stored, coming),
            [LocalTick(tick, _local(stored, tick.due)) for tick in found],
        )

    @property
    def zone(self) -> str | None:
        """The zone that its rule means; None if it means none."""
        schedule = self.stored.schedule
        return (schedule.timezone or _("of the machine")) if schedule.is_local else None

    @property
    def next(self) -> datetime | None:
        """When it is due next."""
        return next(iter(self.coming), None)

    @property
    def latest(self) -> LocalTick | None:
        """What came of its latest due time."""
        return next(iter(self.ticks), None)


def _coming(stored: StoredSchedule, count: int) -> list[datetime]:
    try:
        return list(islice(coming_runs(stored, system_clock()), count))
    except (InvalidSchedule, OverflowError, ValueError, OSError):  # somebody else wrote it
        return []


def _local(stored: StoredSchedule, seconds: float) -> datetime | float:
    try:
        return Timetable.of(stored.schedule).local(seconds)
    except (InvalidSchedule, OverflowError, ValueError, OSError):  # somebody else wrote it
        return seconds


class ScheduleAdmin(StoreAdmin):
    """The pages about schedules."""

    list_template = "django_autocron/schedules.html"
    detail_template = "django_autocron/schedule.html"

    def find(self, database: Opened, key: str) -> Schedule | None:
        """Return what stands for a schedule in the admin's own log."""
        return None if database.store.schedule(key) is None else Schedule(name=clean(key))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only the code of the project says which schedules there are."""
        return False

    def list_page(
        self, request: HttpRequest, database: Opened, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show the schedules, or do something to those that were ticked."""
        may_change = self.has_change_permission(request)
        if request.method == "POST":
            action, names = request.POST.get("action", ""), request.POST.getlist(SELECTED)
            if not action or not names:
                return self.nothing_chosen(request, action=action)
            self._act(request, database, action, names)
            return HttpResponseRedirect(request.get_full_path())
        choices = list(_LIST_ACTIONS.items()) if may_change else []
        rows = [View.of(stored, database, 1, 1) for stored in database.store.schedules()]
        listing = Listing(request, self.opts, rows, has_actions=may_change)
        return self.show_list(request, listing, choices, {**_notes(database), **more})

    def detail_page(
        self, request: HttpRequest, database: Opened, key: str, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show a schedule with its coming and its latest due times, or do something to it."""
        stored = database.store.schedule(key)
        if stored is None:
            return self.is_gone(request, key)
        if request.method == "POST":
            self._act(request, database, request.POST.get("action", ""), [key])
            return HttpResponseRedirect(request.get_full_path())
        may_change = self.has_change_permission(request) and not stored.retired
        context = {
            "title": clean(key),
            "view": View.of(stored, database, _COMING, _LATEST),
            "buttons": {RESUME if stored.paused else PAUSE, RUN_NOW} if may_change else set(),
            **_notes(database),
        }
        return self.show_one(request, Schedule(name=clean(key)), {**context, **more})

    def _act(
        self, request: HttpRequest, database: Opened, action: str, names: Sequence[str]
    ) -> None:
        """Do something to schedules; say what has come of it, and note who did it."""
        if action not in _WORDS or not self.has_change_permission(request):
            raise PermissionDenied
        for name in names:
            try:
                text = _do(database, action, name)
            except AutocronError as error:  # such as that the code does not have it any more
                self.message_user(request, clean(error), messages.ERROR)
                continue
            self.message_user(request, text, messages.SUCCESS)
            self.note(request, [Schedule(name=clean(name))], _WORDS[action])


def _do(database: Opened, action: str, name: str) -> str:
    """Do something to a schedule; return what has come of it, in words.

    The admin makes the first letter of a message a capital, so that no name may stand there.
    """
    match action:
        case "pause":
            actions.pause_schedule(database, name)
            return _("The schedule %(name)s is paused.") % {"name": clean(name)}
        case "resume":
            due = shown.moment(actions.resume_schedule(database, name))
            words = {"name": clean(name), "due": due and shown.time_in_words(due)}
            return _("The schedule %(name)s goes on, and is due next on %(due)s.") % words
        case _:
            return _told(database, actions.run_schedule_now(database, name))


def _told(database: Opened, tick: Tick) -> str:
    words = {"name": clean(tick.schedule), "job": tick.job, "reason": tick.reason}
    if tick.outcome is not TickOutcome.FIRED:
        return _("Nothing was put in for %(name)s: %(reason)s.") % words
    if database.store.wishes().paused:
        return _("Job %(job)s was put in, and waits: all is paused.") % words
    if not database.settings().enabled:
        return _("Job %(job)s was put in, and waits: autocron is disabled.") % words
    if tick.reason:
        return _("Job %(job)s waits for its turn: %(reason)s.") % words
    return _("Job %(job)s was put in.") % words


def _notes(database: Opened) -> dict[str, bool]:
    return {
        "is_disabled": not database.settings().enabled,
        "is_paused": database.store.wishes().paused,
    }
