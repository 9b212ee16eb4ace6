"""How times, states and texts look in the pages of the admin."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django import template
from django.contrib.admin.utils import quote
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, pgettext_lazy

from django_autocron.pages import shown

register = template.Library()

STATES = {
    "WAITING": pgettext_lazy("state", "waiting"),
    "RUNNING": pgettext_lazy("state", "running"),
    "DONE": pgettext_lazy("state", "done"),
    "ERROR": pgettext_lazy("state", "error"),
    "CANCELLED": pgettext_lazy("state", "cancelled"),
    "active": pgettext_lazy("state", "active"),
    "paused": pgettext_lazy("state", "paused"),
    "retired": pgettext_lazy("state", "retired"),
    "unusable": pgettext_lazy("state", "unusable"),
    "not loaded": pgettext_lazy("state", "not loaded"),
    "alive": pgettext_lazy("state", "alive"),
    "gone": pgettext_lazy("state", "gone"),
    "FIRED": pgettext_lazy("state", "fired"),
    "SKIPPED": pgettext_lazy("state", "skipped"),
    "MISSED": pgettext_lazy("state", "missed"),
    "FAILED": pgettext_lazy("state", "failed"),
    "TIMED_OUT": pgettext_lazy("state", "timed out"),
    "CRASHED": pgettext_lazy("state", "crashed"),
    "INTERRUPTED": pgettext_lazy("state", "interrupted"),
    "RETRY": pgettext_lazy("state", "asked for a retry"),
}


@register.filter
def state(value: object) -> SafeString:
    """Show a state, of whatever it is one."""
    name = str(value)
    kind = name.lower().replace(" ", "-").replace("_", "-")
    return format_html(
        '<span class="autocron-state autocron-{}">{}</span>', kind, STATES.get(name, name)
    )


@register.filter
def when(value: float | datetime | None) -> SafeString | str:
    """Show a stored time in the time zone of the project, or one that has a zone of its own in that."""
    if value is None:
        return "-"
    found = value if isinstance(value, datetime) else shown.moment(value)
    if found is None:
        return str(value)  # somebody else wrote it
    text = shown.time_in_words(found)
    return format_html('<time datetime="{}">{}</time>', found.isoformat(), text)


@register.filter
def briefly(seconds: float | None) -> SafeString | str:
    """Show a stored time where there is little room: one of today without its date, which is seen when pointed at."""
    found = shown.moment(seconds)
    if found is None or found.date() != datetime.now(found.tzinfo).date():
        return when(seconds)
    full, time = shown.time_in_words(found), f"{found:%H:%M:%S}"
    return format_html('<time datetime="{}" title="{}">{}</time>', found.isoformat(), full, time)


@register.filter
def since(end: float, begin: float) -> str:
    """Show how long it was from one time to another."""
    return shown.span(end - begin)


@register.filter
def progress(value: object) -> str:
    """Show how far a job has come."""
    return shown.progress_in_words(value)  # type: ignore[arg-type]  # a template has no types


@register.filter
def clean(text: object) -> str:
    """Show a text that others have written."""
    return shown.clean(text)


@register.filter
def dotted(name: object) -> SafeString:
    """Show a name that may be broken after each dot, where there is little room."""
    parts = shown.clean(name).split(".")
    return format_html_join(mark_safe(".<wbr>"), "{}", ((part,) for part in parts))


@register.filter
def megabytes(value: float | None) -> str:
    """Show how much memory is used."""
    return "-" if value is None else gettext("%(number).0f MB") % {"number": value}


@register.filter
def quoted(key: object) -> str:
    """Return an id or a name as the addresses of the admin have it."""
    return str(quote(shown.clean(key)))


@register.filter
def as_query(value: object, name: str) -> str:
    """Return the parameter of an address."""
    return "?" + urlencode({name: shown.clean(value)})
