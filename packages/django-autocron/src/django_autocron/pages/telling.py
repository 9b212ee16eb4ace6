"""What is said of jobs after something was done to them: how many there are of each, and why some were left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from autocron.model import JobStatus

_RUNNING = JobStatus.RUNNING


def retried(begun: Iterable[str], others: Iterable[JobStatus | None]) -> str:
    """Tell of jobs that begin anew.

    Args:
        begun: the ids of those that do.
        others: where the others stand; None for those that are gone.
    """
    count = len(list(begun))
    text = ngettext("%(count)d job waits to be run", "%(count)d jobs wait to be run", count) % {
        "count": count
    }
    return _joined([text] if count else [], others)


def cancelled(after: Mapping[str, JobStatus | None], ended: Iterable[str], *, force: bool) -> str:
    """Tell of jobs that are not to be run.

    Args:
        after: where each stands now.
        ended: those that had ended before.
        force: whether those that are running are stopped.
    """
    had_ended = set(ended)
    changed = Counter(status for job, status in after.items() if job not in had_ended)
    parts = []
    if count := changed.pop(JobStatus.CANCELLED, 0):
        text = ngettext("%(count)d job is cancelled", "%(count)d jobs are cancelled", count)
        parts.append(text % {"count": count})
    if count := changed.pop(_RUNNING, 0):
        stopped = ngettext(
            "%(count)d job is being stopped", "%(count)d jobs are being stopped", count
        )
        asked = ngettext(
            "%(count)d job is running, and was asked to stop",
            "%(count)d jobs are running, and were asked to stop",
            count,
        )
        parts.append((stopped if force else asked) % {"count": count})
    return _joined(parts, [*(after[job] for job in had_ended), *changed.elements()])


def deleted(count: int, left: Iterable[JobStatus | None]) -> str:
    """Tell of jobs that were deleted, and of those that were not."""
    text = ngettext("%(count)d job was deleted", "%(count)d jobs were deleted", count)
    return _joined([text % {"count": count}] if count else [], left)


def _joined(parts: list[str], left: Iterable[JobStatus | None]) -> str:
    for status, count in Counter(left).items():
        text = ngettext(
            "%(count)d was left alone: %(why)s", "%(count)d were left alone: %(why)s", count
        )
        parts.append(text % {"count": count, "why": _why(status, count)})
    return "; ".join(parts) + "." if parts else _("There are no such jobs.")


def _why(status: JobStatus | None, count: int) -> str:
    match status:
        case None:
            return ngettext("it is gone", "they are gone", count)
        case JobStatus.RUNNING:
            return ngettext("it is running", "they are running", count)
        case JobStatus.WAITING:
            return ngettext("it waits already", "they wait already", count)
        case JobStatus.CANCELLED:
            return ngettext("it was cancelled before", "they were cancelled before", count)
        case _:
            return ngettext("it has ended", "they have ended", count)
