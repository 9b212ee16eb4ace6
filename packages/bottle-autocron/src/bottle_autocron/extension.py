"""The plugin, which connects an app."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import bottle

from autocron.app import add_finder, connect, disconnect
from autocron.client import Client
from autocron.errors import SettingsError, shown
from autocron.integration import (
    FirstRequest,
    being_imported,
    caller_outside,
    is_served,
    read_settings,
    when_imported,
)
from bottle_autocron.integration import BottleIntegration
from bottle_autocron.plugins import current_client, installed, present, start_all
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
        self._first_request = FirstRequest(self.start)
        self._modules = {caller_outside(bottle), *being_imported()}
        installed[self] = None
        add_finder(current_client)
        app.add_hook("before_request", self._see_request)
        if is_served():
            when_imported(self.start)
        else:
            watch_servers(start_all)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Have calls that a route makes go to the database of this app; Bottle calls this for each route."""

        @wraps(callback)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._see_request()  # which a mounted app gets here only
            token = present.set(self)
            try:
                return callback(*args, **kwargs)
            finally:
                present.reset(token)

        return call

    def close(self) -> None:
        """Let go of the database and of the workers; Bottle calls this when the plugin is uninstalled. Twice does no harm."""
        with self._guard:
            client, app, self._client, self._app = self._client, self._app, None, None
        if app is not None:
            installed.pop(self)
            app.remove_hook("before_request", self._see_request)
            app.remove_hook("config", self._refuse_late)
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
                self._app.add_hook("config", self._refuse_late)
            return self._client

    def _see_request(self) -> None:
        self._first_request.see(bottle.request.environ)

    def _refuse_late(self, config: Mapping[str, Any], key: str, value: Any) -> None:
        if key.startswith(PREFIX) and config.get(key) != value:
            reason = (
                "comes too late: set it before a task is called, and before a server has the app"
            )
            raise SettingsError([f"{key}={shown(value)}: {reason}"])
