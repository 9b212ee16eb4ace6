"""The transaction of a request, if the app has pyramid_tm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid import threadlocal
from pyramid.request import Request


def call_after_commit(request: Request, callback: Callable[[], None]) -> bool:
    """Have `callback` called after the commit of the transaction that is going on; return whether one is.

    One is in a request that pyramid_tm manages, and in those that are made within it, if they share its manager.
    Elsewhere only an explicit manager knows whether one was begun.
    """
    manager = getattr(request, "tm", None)
    if manager is None:
        return False
    if not (_is_managed(manager) or _has_begun(manager)):
        return False
    manager.get().addAfterCommitHook(_if_committed, args=(callback,))
    return True


def abort_what_is_left(request: Request) -> None:
    """Abort the transaction that a job has not ended, so that the next one does not get it."""
    manager = getattr(request, "tm", None)
    if manager is not None and (not manager.explicit or _has_begun(manager)):
        manager.abort()


def _is_managed(manager: Any) -> bool:
    """Whether it is the manager of one of the requests that are going on here, each within the one before."""
    going_on = [each["request"] for each in threadlocal.manager.stack]
    return any(
        request.environ.get("tm.active") and request.tm is manager
        for request in going_on
        if request is not None
    )


def _has_begun(manager: Any) -> bool:
    from transaction.interfaces import NoTransaction

    if not manager.explicit:
        return False
    try:
        manager.get()
    except NoTransaction:
        return False
    return True


def _if_committed(has_succeeded: bool, callback: Callable[[], None]) -> None:  # noqa: FBT001 - so it is called
    if has_succeeded:
        callback()
