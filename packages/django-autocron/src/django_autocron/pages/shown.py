"""How stored values are shown. Others may have written them: nothing that they hold is to break a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pprint import pformat

from django.conf import settings
from django.utils import formats
from django.utils.duration import duration_string
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from autocron import codec
from autocron.errors import UnreadableValue
from autocron.model import Job, Progress
from autocron.registry import find_task

LONGEST = 600
"""How many characters of a value are seen before all of it is asked for."""

_WIDTH = 90
_MOST_SECONDS = 86_400.0 * 36_500  # others may have written more than a timedelta can hold


@dataclass(frozen=True)
class Value:
    """A value as text, and what it is called."""

    name: str
    text: str
    is_readable: bool = True
    """Whether it could be read; or else the text is what is stored."""

    @property
    def start(self) -> str:
        """What is seen at first."""
        return self.text if self.is_short else f"{self.text[:LONGEST]} …"

    @property
    def is_short(self) -> bool:
        """Whether that is all."""
        return len(self.text) <= LONGEST


def clean(text: object) -> str:
    """Return a text that can be sent: JSON may hold halves of characters, which UTF-8 cannot write."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def moment(seconds: float | None) -> datetime | None:
    """Return a stored time as the project shows its times; None if there is none that a calendar has."""
    if seconds is None:
        return None
    try:
        if settings.USE_TZ:
            return localtime(datetime.fromtimestamp(seconds, timezone.utc))
        return datetime.fromtimestamp(seconds)  # noqa: DTZ006  # what Django takes for local then
    except (OverflowError, ValueError, OSError):
        return None


def time_in_words(when: datetime) -> str:
    """Return date and time in the form of the language, but with seconds, which its own form lacks."""
    return f"{formats.date_format(when, 'DATE_FORMAT')}, {when:%H:%M:%S}"


def span(seconds: float) -> str:
    """Return a length of time.

    Example:
        >>> span(0.25), span(2.5), span(75)
        ('250 ms', '2.5 s', '00:01:15')
    """
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return duration_string(timedelta(seconds=int(min(seconds, _MOST_SECONDS))))


def progress_in_words(progress: Progress) -> str:
    """Return how far a job has come."""
    if progress.fraction is None:
        return clean(f"{progress.done:g} {progress.text}").rstrip()
    percent = _("%(percent).0f %% (%(done)g of %(total)g)") % {
        "percent": progress.fraction * 100,
        "done": progress.done,
        "total": progress.total,
    }
    return f"{percent} {clean(progress.text)}".rstrip()


def arguments_of(job: Job) -> list[Value]:
    """Return the arguments of a job with their names, as far as this process knows the task."""
    try:
        args, kwargs = codec.decode_arguments(job.arguments)
        names = iter(
            getattr(find_task(job.task), "parameters", ())
        )  # or the task is not known here
        named = [(next(names, str(number)), value) for number, value in enumerate(args, 1)]
        return [Value(clean(name), _text(value)) for name, value in [*named, *kwargs.items()]]
    except (UnreadableValue, RecursionError, ValueError):
        return [Value(_("as stored"), clean(job.arguments), is_readable=False)]


def result_of(job: Job) -> Value | None:
    """Return what the task returned, if it did."""
    if job.result is None:
        return None
    try:
        return Value(_("result"), _text(codec.decode(job.result)))
    except (UnreadableValue, RecursionError, ValueError):
        return Value(_("as stored"), clean(job.result), is_readable=False)


def _text(value: object) -> str:
    return clean(pformat(value, width=_WIDTH, sort_dicts=False))
