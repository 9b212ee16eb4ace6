"""Jobs in Django's admin: found, looked at, tried again, cancelled and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from autocron.administration import actions
from autocron.administration.database import Opened
from autocron.administration.history import history
from autocron.administration.waiting import why_it_waits
from autocron.clock import system_clock
from autocron.model import Attempt, JobStatus
from autocron.model import Job as StoredJob
from django_autocron.models import Job
from django_autocron.pages import shown, telling
from django_autocron.pages.base import ACROSS, SELECTED, StoreAdmin
from django_autocron.pages.listing import Choice, Filter, Listing
from django_autocron.pages.searching import QUEUE, STATE, TASK, Found
from django_autocron.templatetags.autocron_admin import STATES

RETRY, CANCEL, FORCE, DELETE = "retry", "cancel", "force", "delete"

_LIST_ACTIONS = {
    RETRY: gettext_lazy("Retry selected jobs"),
    CANCEL: gettext_lazy("Cancel selected jobs"),
    DELETE: gettext_lazy("Delete selected jobs"),
}
_WORDS = {RETRY: "Retried.", CANCEL: "Cancelled.", FORCE: "Cancelled by force.", DELETE: ""}
_MOST_NAMED = 20
_MOST_ATTEMPTS = 50
"""How many attempts a page has, the latest: each may have a traceback, and there may be a thousand."""


class JobAdmin(StoreAdmin):
    """The pages about jobs."""

    list_template = "django_autocron/jobs.html"
    detail_template = "django_autocron/job.html"

    def find(self, database: Opened, key: str) -> Job | None:
        """Return what stands for a job in the admin's own log."""
        job = database.store.get(key)
        return None if job is None else _stand_in(job)

    # The list ---------------------------------------------------------------------------------

    def list_page(
        self, request: HttpRequest, database: Opened, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show jobs, newest first, or do something to those that were ticked."""
        found = Found(database.store, request.GET)
        if request.method == "POST":
            return self._act_on_list(request, database, found)
        choices = [
            (name, words) for name, words in _LIST_ACTIONS.items() if self._may(request, name)
        ]
        listing = Listing(
            request,
            self.opts,
            found,
            filters=_filters(request, database, found),
            searches=(STATE, QUEUE),
            help_text=_("A part of the name of the task, or the beginning or end of an id."),
            has_actions=bool(choices),
        )
        return self.show_list(request, listing, choices, {"now": system_clock(), **more})

    def _may(self, request: HttpRequest, action: str) -> bool:
        if action == DELETE:
            return self.has_delete_permission(request)
        return action in _WORDS and self.has_change_permission(request)

    def _act_on_list(self, request: HttpRequest, database: Opened, found: Found) -> HttpResponse:
        action, ids = request.POST.get("action", ""), request.POST.getlist(SELECTED)
        is_across = request.POST.get(ACROSS) == "1"
        if not action or not (ids or is_across):
            return self.nothing_chosen(request, action=action)
        if not self._may(request, action):
            raise PermissionDenied
        now = system_clock()
        if is_across:
            ids = found.ids(until=_until(request, now))
        if action == DELETE and "post" not in request.POST:
            return self._ask(request, database, ids, until=repr(now) if is_across else None)
        self._act(request, database, action, ids)
        return HttpResponseRedirect(request.get_full_path())

    def _act(self, request: HttpRequest, database: Opened, action: str, ids: Sequence[str]) -> None:
        """Do something to jobs; say what has come of it, and note who did it."""
        before = {job.id: job for job in filter(None, map(database.store.get, ids))}
        match action:
            case "retry":
                changed = actions.retry(database, ids)
                others = [_status(database, each) for each in _without(ids, changed)]
                text = telling.retried(changed, others)
            case "delete":
                count = actions.delete(database, ids)
                left = [each for each in ids if database.store.get(each) is not None]
                gone = [None] * (len(ids) - count - len(left))
                changed = _without(before, left)
                text = telling.deleted(count, [*(_status(database, each) for each in left), *gone])
            case _:
                ended = [each for each, job in before.items() if job.status.is_final]
                after = actions.cancel(database, ids, force=action == FORCE)
                changed = _without(before, ended)
                text = telling.cancelled(after, ended, force=action == FORCE)
        level = messages.SUCCESS if len(changed) == len(ids) else messages.WARNING
        self.message_user(request, text, level)
        noted = [_stand_in(before[each]) for each in changed if each in before]
        self.note(request, noted, _WORDS[action], deleted=action == DELETE)

    # One job ----------------------------------------------------------------------------------

    def detail_page(
        self, request: HttpRequest, database: Opened, key: str, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Show all that is known of a job, or do something to it."""
        job = database.store.get(key)
        if job is None:
            return self.is_gone(request, key)
        if request.method == "POST":
            action = request.POST.get("action", "")
            if action == DELETE or not self._may(request, action):
                raise PermissionDenied
            self._act(request, database, action, [job.id])
            return HttpResponseRedirect(request.get_full_path())
        attempts = database.store.attempts(job.id)
        now = system_clock()
        settings = database.settings()
        context = {
            "title": shown.clean(job.task),
            "subtitle": job.id,
            "job": job,
            "now": now,
            "arguments": shown.arguments_of(job),
            "result": shown.result_of(job),
            "waits": why_it_waits(job, database.store, database.folder, settings, now),
            "attempts": attempts[: -_MOST_ATTEMPTS - 1 : -1],
            "left_out": max(0, len(attempts) - _MOST_ATTEMPTS),
            "traceback": _own_traceback(job, attempts),
            "history": history(job, attempts, database.store.notes(job.id)),
            "buttons": self._buttons(request, job),
        }
        return self.show_one(request, _stand_in(job), {**context, **more})

    def _buttons(self, request: HttpRequest, job: StoredJob) -> set[str]:
        """Return what this user can do to a job that stands where it does."""
        fit = {
            JobStatus.WAITING: {CANCEL, DELETE},
            JobStatus.RUNNING: {FORCE} if job.cancel_requested else {CANCEL, FORCE},
            JobStatus.DONE: {DELETE},
        }.get(job.status, {RETRY, DELETE})
        return {action for action in fit if self._may(request, action)}

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """Delete a job, after having asked."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        key = unquote(object_id)

        def page(database: Opened) -> HttpResponse:
            if database.store.get(key) is None:
                return self.is_gone(request, key)
            if request.method != "POST":
                return self._ask(request, database, [key])
            self._act(request, database, DELETE, [key])
            is_left = database.store.get(key) is not None
            address = self._address(key) if is_left else self.list_address()
            return HttpResponseRedirect(address)

        return self.with_database(request, page)

    def _address(self, job_id: str) -> str:
        name = f"admin:{self.opts.app_label}_job_change"
        return reverse(name, args=[quote(job_id)], current_app=self.admin_site.name)

    def _ask(
        self, request: HttpRequest, database: Opened, ids: Sequence[str], until: str | None = None
    ) -> HttpResponse:
        """Ask whether jobs are to be deleted.

        Args:
            request: the one that would have them deleted.
            database: where they are.
            ids: theirs.
            until: if those of all pages are meant, the time after which others may have been put in: they are not.
        """
        named = list(filter(None, map(database.store.get, ids[:_MOST_NAMED])))
        context = {
            **self._context(request),
            "title": _("Are you sure?"),
            "named": named,
            "count": len(ids),
            "more": len(ids) - len(named),
            "ids": [] if until else ids,
            "until": until,
        }
        return TemplateResponse(request, "django_autocron/delete.html", context)


def _filters(request: HttpRequest, database: Opened, found: Found) -> list[Filter]:
    counts = found.counts
    states = [Choice(str(each), str(STATES[each]), counts.get(each, 0)) for each in JobStatus]
    tasks = [Choice(task.name, shown.clean(task.name)) for task in database.store.tasks()]
    queues = [Choice(name, shown.clean(name)) for name in database.store.queue_names()]
    return [
        Filter(_("state"), STATE, states, request.GET),
        Filter(_("queue"), QUEUE, queues, request.GET),
        Filter(_("task"), TASK, tasks, request.GET, excludes=SEARCH_VAR),
    ]


def _until(request: HttpRequest, now: float) -> float:
    """Return when it was asked whether all jobs of a selection are meant: none that came later is."""
    try:
        return min(now, float(request.POST.get("until", now)))
    except ValueError:
        return now


def _without(ids: Iterable[str], others: Iterable[str]) -> list[str]:
    left_out = set(others)  # there may be a million of either
    return [each for each in ids if each not in left_out]


def _status(database: Opened, job_id: str) -> JobStatus | None:
    job = database.store.get(job_id)
    return None if job is None else job.status


def _stand_in(job: StoredJob) -> Job:
    return Job(id=shown.clean(job.id), task=shown.clean(job.task))


def _own_traceback(job: StoredJob, attempts: Sequence[Attempt]) -> str | None:
    """Return that of the job, if it is of none of its attempts."""
    return None if job.traceback in {attempt.traceback for attempt in attempts} else job.traceback
