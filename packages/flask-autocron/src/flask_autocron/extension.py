"""The extension: an app's settings, and what its workers need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary, finalize, ref

from flask import Flask, current_app, has_app_context

from autocron.app import add_finder, connect, current_client, in_worker
from autocron.client import Client
from autocron.integration import Integration, read_settings
from autocron.model import ClaimedJob
from flask_autocron.serving import serves, start_when_serving
from flask_autocron.source import APP, PREFIX, Source

EXTENSION = "autocron"

_clients: WeakKeyDictionary[Flask, Client] = WeakKeyDictionary()


class Autocron:
    """Gives an app its workers, with settings from `app.config`.

    The settings are those of `autocron.Settings`, in capitals and after `AUTOCRON_`. A relative
    `AUTOCRON_DATABASE` lies in the app's instance folder. `AUTOCRON_APP` tells the workers where
    the app is, as `flask --app` does, should they not find it by themselves.

    The workers start in the process that serves, and in no other. Each job runs within an application
    context of its own. What the extension knows is in `app.extensions["autocron"]`.

    Args:
        app: the app; or none, and `init_app` is called later.

    Raises:
        SettingsError: names everything that is wrong with the settings.
        StoreError: the database cannot be used; says why and what to do.

    Example:
        ```python
        app = Flask(__name__)
        app.config["AUTOCRON_WORKERS"] = 2
        Autocron(app)
        ```
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Connect an app; to be called once its configuration is complete. Twice does no harm.

        Args:
            app: the app; one extension may serve several, each with a database of its own.

        Raises:
            SettingsError: names everything that is wrong with the settings.
            StoreError: the database cannot be used; says why and what to do.

        Example:
            ```python
            tasks = Autocron()

            def create_app():
                app = Flask(__name__)
                tasks.init_app(app)
                return app
            ```
        """
        if app in _clients:
            return
        source = Source.of(app)
        client = connect(FlaskIntegration(source, _settings_of(app), app), prefix=PREFIX)
        app.extensions[EXTENSION] = _clients[app] = client
        if not in_worker():
            finalize(app, client.stop).atexit = False  # an app that is gone has no connections
        add_finder(_client_of_current_app)
        start_when_serving(app, client, source)


class FlaskIntegration(Integration):
    """What the core needs to know of a Flask app.

    Args:
        source: where a worker finds the app.
        settings: what the app has configured; not needed in a worker.
        app: the app; a worker loads it. It is not kept by this.
    """

    def __init__(
        self,
        source: Source,
        settings: Mapping[str, Any] | None = None,
        app: Flask | None = None,
    ) -> None:
        self._source = source
        self._settings = settings or {}
        self._app: Callable[[], Flask | None] = (lambda: None) if app is None else ref(app)

    def settings(self) -> Mapping[str, Any]:
        """Return what the app has configured."""
        return self._settings

    def describe(self) -> dict[str, Any]:
        """Return where a worker finds the app."""
        return self._source.describe()

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> FlaskIntegration:
        """Return, in a worker, what `describe` has described in the web process."""
        return cls(Source(**description))

    def load(self) -> None:
        """Build the app anew, in a worker."""
        client = current_client()
        for loaded in self._source.apps():
            for app in (loaded, *_clients):
                if app is not None and _clients.get(app) is client:
                    self._found = app
                    self._app = ref(app)
                    return

    def job_context(self, job: ClaimedJob) -> AbstractContextManager[Any]:
        """Return an application context, for one job."""
        app = self._app()
        assert app is not None, "no job runs before the app is loaded, or after it is gone"
        return app.app_context()

    def should_start(self) -> bool:
        """Whether it is known already that this process serves."""
        return serves()


def _settings_of(app: Flask) -> dict[str, Any]:
    folder = Path(app.instance_path)
    given = read_settings(app.config, PREFIX, folder, apart={APP})
    if folder in given["database"].parents:
        with suppress(OSError):  # the store says it better
            given["database"].parent.mkdir(parents=True, exist_ok=True)
    return given


def _client_of_current_app() -> Client | None:
    if not has_app_context():
        return None
    return cast("Client | None", current_app.extensions.get(EXTENSION))
