"""A list as Django's own templates of the admin show it, of rows that no query set has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR
from django.core.paginator import Paginator
from django.http import HttpRequest, QueryDict
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

PER_PAGE = 100


@dataclass(frozen=True)
class Choice:
    """What can be chosen in a filter, and how many rows that gives, if it costs little to know."""

    value: str
    label: str
    count: int | None = None

    @property
    def display(self) -> str:
        """What it is called."""
        return self.label if self.count is None else f"{self.label} ({self.count})"


class Filter:
    """One of the filters beside a list.

    Args:
        title: what it is by.
        parameter: that of the page's address.
        known: what can be chosen. What is chosen already is added if it is none of these.
        query: the parameters of the page's address.
        excludes: the parameter of what cannot be chosen at the same time.
    """

    template = "admin/filter.html"

    def __init__(
        self,
        title: str,
        parameter: str,
        known: Sequence[Choice],
        query: QueryDict,
        excludes: str | None = None,
    ) -> None:
        self.title, self.parameter = title, parameter
        self._chosen = query.get(parameter) or None
        self._known = list(known)
        self._excludes = excludes
        if self._chosen and self._chosen not in {choice.value for choice in known}:
            self._known.append(Choice(self._chosen, self._chosen))

    def choices(self, listing: Listing) -> Iterator[dict[str, Any]]:
        """Give what the template shows: first that it does not matter."""
        yield self._choice(listing, None, _("All"))
        for choice in self._known:
            yield self._choice(listing, choice.value, choice.display)

    def _choice(self, listing: Listing, value: str | None, display: str) -> dict[str, Any]:
        changes = {self.parameter: value}
        if self._excludes and value is not None:
            changes[self._excludes] = None
        return {
            "selected": value == self._chosen,
            "query_string": listing.get_query_string(changes),
            "display": display,
        }


class Listing:
    """What the templates of the admin ask of its own `ChangeList`, and nothing else of that.

    Args:
        request: says which page.
        opts: of the model.
        rows: all rows; only those of the page are taken from it.
        filters: what stands beside.
        searches: the parameters that a search keeps; None if there is no search.
        help_text: what can be searched for.
        has_actions: whether this user can do something to the rows.
    """

    formset = date_hierarchy = None
    is_popup = add_facets = is_facets_optional = show_all = can_show_all = False
    show_full_result_count = True
    full_result_count = 0

    def __init__(
        self,
        request: HttpRequest,
        opts: Any,
        rows: Sequence[Any],
        *,
        filters: Sequence[Filter] = (),
        searches: Sequence[str] | None = None,
        help_text: str = "",
        has_actions: bool = False,
    ) -> None:
        self._query = request.GET
        self.opts, self.filter_specs = opts, filters
        self.paginator = Paginator(rows, PER_PAGE)
        page = self.paginator.get_page(request.GET.get(PAGE_VAR))
        self.page_num = page.number
        self.result_list = list(page.object_list)
        self.result_count = self.full_result_count = self.paginator.count
        self.multi_page = self.paginator.num_pages > 1
        self.search_fields = searches
        self.search_help_text = help_text
        self.query = request.GET.get(SEARCH_VAR, "")
        self.params = {name: value for name in searches or () if (value := request.GET.get(name))}
        self.show_admin_actions = has_actions and bool(self.result_list)

    @property
    def has_filters(self) -> bool:
        """Whether there is something beside the list."""
        return bool(self.filter_specs)

    @cached_property
    def has_active_filters(self) -> bool:
        """Whether something is chosen there."""
        return any(self._query.get(spec.parameter) for spec in self.filter_specs)

    @property
    def clear_all_filters_qs(self) -> str:
        """The address without what is chosen."""
        return self.get_query_string({spec.parameter: None for spec in self.filter_specs})

    def get_query_string(self, changes: Mapping[str, Any]) -> str:
        """Return the address of the page with other parameters; None leaves one out. It is the first page again."""
        query = self._query.copy()
        query.pop(PAGE_VAR, None)
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return f"?{query.urlencode()}"
