"""The plugin, which connects an app."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import bottle

from autocron.app import add_finder, connect, disconnect, in_worker
from autocron.client import Client
from autocron.integration import (
    being_imported,
    caller_outside,
    is_from_server,
    is_served,
    read_settings,
    when_imported,
)
from bottle_autocron.integration import BottleIntegration
from bottle_autocron.serving import watch_servers

PREFIX = "autocron."


class AutocronPlugin:
    """Gives an app its workers, with settings from `app.config`.

    The settings are those of `autocron.Settings`, after `autocron.`; they are read when the app begins to serve, or
    when the first task is called. A relative `autocron.database` starts at the current directory.

    The workers start in the process that serves, and in no other.

    Args:
        name: what `skip=` and `app.uninstall()` call the plugin.

    Example:
        ```python
        app = Bottle()
        app.install(AutocronPlugin())
        app.config.load_config("app.ini")
        ```
    """

    api = 2

    def __init__(self, name: str = "autocron") -> None:
        self.name = name
        self._guard = threading.RLock()
        self._app: bottle.Bottle | None = None
        self._modules: set[str] = set()
        self._client: Client | None = None

    def setup(self, app: bottle.Bottle) -> None:
        """Get to know the app; Bottle calls this when the plugin is installed.

        Raises:
            PluginError: the app has such a plugin already, or another of that name; or this one has another app.
        """
        for other in app.plugins:
            if isinstance(other, AutocronPlugin) or getattr(other, "name", None) == self.name:
                named = getattr(other, "name", type(other).__name__)
                raise bottle.PluginError(
                    f"the app has the plugin {named!r} already: install one AutocronPlugin, with a name of its own"
                )
        if self._app is not None:
            raise bottle.PluginError(
                "the plugin has an app already: make an AutocronPlugin for each"
            )
        self._app = app
        self._modules = {caller_outside(bottle), *being_imported()}
        _installed[self] = None
        add_finder(_current_client)
        app.add_hook("before_request", self._start_with_request)
        if is_served():
            when_imported(self.start)
        else:
            watch_servers(_start_all)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Have calls that a route makes go to the database of this app; Bottle calls this for each route."""

        @wraps(callback)
        def call(*args: Any, **kwargs: Any) -> Any:
            token = _current.set(self)
            try:
                return callback(*args, **kwargs)
            finally:
                _current.reset(token)

        return call

    def close(self) -> None:
        """Let go of the database and of the workers; Bottle calls this when the plugin is uninstalled. Twice does no harm."""
        with self._guard:
            client, app, self._client, self._app = self._client, self._app, None, None
        if app is not None:
            _installed.pop(self)
            app.remove_hook("before_request", self._start_with_request)
        if client is not None:
            disconnect(client)

    def start(self) -> None:
        """See to it that there are workers. The plugin does so itself when the app begins to serve.

        Raises:
            SettingsError: names everything that is wrong with the settings.
            StoreError: the database cannot be used; says why and what to do.
        """
        client = self.client()
        if client is not None:
            client.start()

    def client(self) -> Client | None:
        """Return what calls go to, with the settings as they are when it is needed first; None without an app."""
        with self._guard:
            if self._client is None and self._app is not None:
                given = read_settings(self._app.config, PREFIX, Path.cwd())
                integration = BottleIntegration.of_process(self._modules, given)
                self._client = connect(integration, prefix=PREFIX, owner=self)
            return self._client

    def _start_with_request(self) -> None:
        if self._client is None and is_from_server(bottle.request.environ):
            self.start()


_installed: WeakKeyDictionary[AutocronPlugin, None] = WeakKeyDictionary()
_current: ContextVar[AutocronPlugin | None] = ContextVar("bottle_autocron", default=None)


def _start_all() -> None:
    for plugin in list(_installed):
        plugin.start()


def _current_client() -> Client | None:
    """Return the client of the app that serves a request here, or else of the first app, once that is complete."""
    if in_worker():
        return None
    plugin = _current.get()
    if plugin is None and not being_imported():
        plugin = next(iter(_installed), None)
    return None if plugin is None else plugin.client()
