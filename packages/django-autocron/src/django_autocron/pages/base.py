"""What the three pages have in common: the database that is looked into, permissions, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from autocron.administration.database import Opened, opened
from autocron.errors import AutocronError, DatabaseUnusable
from django_autocron.configuration import loaded_settings, runs_tests
from django_autocron.extension import project
from django_autocron.models import Job
from django_autocron.pages.listing import Listing
from django_autocron.pages.shown import clean

SELECTED = "_selected_action"
"""What the admin calls the rows that were ticked,"""
ACROSS = "select_across"
"""and that the rows of all pages are meant."""

_STYLES: dict[str, Sequence[str]] = {"all": ["django_autocron/admin.css"]}
_TICKING = ["admin/js/actions.js"]

Page = Callable[[Opened], HttpResponse]


@contextmanager
def opened_database() -> Iterator[Opened]:
    """Open the database of the project; in its tests, that which they use instead.

    Raises:
        SettingsError: it is not known which one that is.
        StoreError: it cannot be used.
    """
    loaded = project.client().configured if runs_tests() else loaded_settings()
    with opened(loaded.settings.database, loaded) as database:
        yield database


class StoreAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # no parameters at run time
    """Pages about what autocron keeps, in the manner of the admin, and with its permissions.

    The views are its own, since there is no query set; what a site's `AdminSite` does around
    views holds for them as for others.
    """

    list_template: str
    detail_template: str

    # What a subclass says ---------------------------------------------------------------------

    def list_page(
        self, request: HttpRequest, database: Opened, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Answer a request for the list."""
        raise NotImplementedError

    def detail_page(
        self, request: HttpRequest, database: Opened, key: str, more: Mapping[str, Any]
    ) -> HttpResponse:
        """Answer a request for one of them."""
        raise NotImplementedError

    def find(self, database: Opened, key: str) -> models.Model | None:
        """Return what stands for one of them, if it is there."""
        raise NotImplementedError

    # What the admin asks ----------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is made here."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or do something to what was ticked there."""
        return self.with_database(
            request, lambda database: self.list_page(request, database, extra_context or {})
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one of them, or do something to it."""
        key = unquote(object_id)
        return self.with_database(
            request, lambda database: self.detail_page(request, database, key, extra_context or {})
        )

    def delete_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        """Refuse: only of jobs are some to be deleted."""
        raise PermissionDenied

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> models.Model | None:
        """Return what stands for one of them in the admin's own log."""
        try:
            with opened_database() as database:
                return self.find(database, object_id)
        except AutocronError:
            return None

    # What subclasses use ----------------------------------------------------------------------

    def with_database(self, request: HttpRequest, page: Page) -> HttpResponse:
        """Return a page for those who may see it; or what is wrong with the database, and what to do."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name  # for reverse()
        try:
            with opened_database() as database:
                return page(database)
        except AutocronError as error:
            return self._trouble(request, error)

    def _trouble(self, request: HttpRequest, error: AutocronError) -> HttpResponse:
        context = {
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "problem": clean(error),
            "may_be_missing": isinstance(error, DatabaseUnusable),
        }
        template = "django_autocron/trouble.html"
        return TemplateResponse(request, template, self._context(request) | context)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "is_popup": False,
            "subtitle": None,
            "media": forms.Media(css=_STYLES),
            "preserved_filters": "",
            "has_add_permission": False,
            "has_view_permission": True,
            "may_see_jobs": self._may_see_jobs(request),
        }

    def _may_see_jobs(self, request: HttpRequest) -> bool:
        """Whether the page of a job can be linked to."""
        try:
            jobs = self.admin_site.get_model_admin(Job)
        except NotRegistered:  # a site need not have all of the pages
            return False
        return jobs.has_view_or_change_permission(request)

    def show_list(
        self,
        request: HttpRequest,
        listing: Listing,
        choices: Sequence[tuple[str, Any]],
        context: Mapping[str, Any],
    ) -> HttpResponse:
        """Return a list as a page.

        Args:
            request: for it.
            listing: what is in it.
            choices: the names of what this user can do to rows, and the words for that.
            context: what the template uses besides.
        """
        form = ActionForm(auto_id=False)
        form.fields["action"].choices = [("", "---------"), *choices]  # type: ignore[attr-defined]
        count = len(listing.result_list)
        ours = {
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "module_name": str(self.opts.verbose_name_plural),
            "cl": listing,
            "media": forms.Media(css=_STYLES, js=_TICKING if listing.show_admin_actions else []),
            "action_form": form if listing.show_admin_actions else None,
            "actions_on_top": True,  # or else the admin's template has a style of its own within
            "actions_on_bottom": False,
            "actions_selection_counter": True,
            "selection_note": _("0 of %(cnt)s selected") % {"cnt": count},
            "selection_note_all": _("All %(total_count)s selected")
            % {"total_count": listing.result_count},
        }
        return TemplateResponse(
            request, self.list_template, {**self._context(request), **ours, **context}
        )

    def show_one(
        self, request: HttpRequest, original: models.Model, context: Mapping[str, Any]
    ) -> HttpResponse:
        """Return one of them as a page."""
        ours = {"original": original, "title": str(original)}
        return TemplateResponse(
            request, self.detail_template, {**self._context(request), **ours, **context}
        )

    def is_gone(self, request: HttpRequest, key: str) -> HttpResponse:
        """Say that there is none (any more), and show the list."""
        text = _("There is no %(name)s “%(key)s” (any more).")
        words = {"name": self.opts.verbose_name, "key": clean(key)}
        self.message_user(request, text % words, messages.WARNING)
        return HttpResponseRedirect(self.list_address())

    def list_address(self) -> str:
        """Return the address of the list."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return reverse(name, current_app=self.admin_site.name)

    def nothing_chosen(self, request: HttpRequest, *, action: str) -> HttpResponse:
        """Say what is missing, and show the list again."""
        text = _(
            "Items must be selected in order to perform actions on them. No items have been changed."
        )
        text = text if action else _("No action selected.")
        self.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(request.get_full_path())

    def note(
        self,
        request: HttpRequest,
        changed: Iterable[models.Model],
        words: str,
        *,
        deleted: bool = False,
    ) -> None:
        """Note in the admin's own log who has done something."""
        LogEntry.objects.log_actions(
            user_id=request.user.pk,
            queryset=list(changed),
            action_flag=DELETION if deleted else CHANGE,
            change_message=words,
        )
