"""The plugins of this process, and which of them a call belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from autocron.app import in_worker
from autocron.client import Client
from autocron.integration import being_imported

if TYPE_CHECKING:
    from bottle_autocron.extension import AutocronPlugin

installed: WeakKeyDictionary[AutocronPlugin, None] = WeakKeyDictionary()
"""All of them, the first first."""

present: ContextVar[AutocronPlugin | None] = ContextVar("bottle_autocron", default=None)
"""That of the route which is being called."""


def start_all() -> None:
    """See to it that all apps have their workers."""
    for plugin in list(installed):
        plugin.start()


def current_client() -> Client | None:
    """Return the client of the app that serves a request here, or else of the first app, once that is complete."""
    if in_worker():
        return None
    plugin = present.get()
    if plugin is None and not being_imported():
        plugin = next(iter(installed), None)
    return None if plugin is None else plugin.client()
