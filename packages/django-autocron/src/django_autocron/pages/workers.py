"""Workers in Django's admin: who is alive, and what they are doing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from autocron.administration.database import Opened
from autocron.administration.overview import Overview, overview
from autocron.clock import system_clock
from django_autocron.models import Worker
from django_autocron.pages.base import StoreAdmin
from django_autocron.pages.listing import Listing


class WorkerAdmin(StoreAdmin):
    """The page about workers."""

    list_template = "django_autocron/workers.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are started and ended by their supervisor."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are started and ended by their supervisor."""
        return False

    def find(self, database: Opened, key: str) -> Worker | None:
        """Return nothing: there is nothing that anybody could do to one."""
        return None

    def list_page(
        self, request: HttpRequest, database: Opened, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show the processes, and what each is doing."""
        now = system_clock()
        seen = overview(database.store, database.folder, now)
        settings = database.settings()
        context = {
            "seen": seen,
            "web_processes": _web_processes(seen),
            "wanted": 0 if seen.paused or not settings.enabled else settings.workers,
            "is_disabled": not settings.enabled,
            "is_paused": seen.paused,
            "now": now,
            "database": str(database.path),
        }
        return self.show_list(
            request, Listing(request, self.opts, seen.workers), [], {**context, **more}
        )

    def detail_page(
        self, request: HttpRequest, database: Opened, key: str, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show the list: it says all that is known."""
        return HttpResponseRedirect(self.list_address())


def _web_processes(seen: Overview) -> list[int]:
    """Return the ids of the web processes: it is one that asks, and asks for others only."""
    return sorted({*seen.web_processes, os.getpid()}) if seen.application else []
