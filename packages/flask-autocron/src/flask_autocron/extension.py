"""The extension, which connects an app."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from flask import Flask, current_app, has_app_context

from autocron.app import add_finder, connect
from autocron.client import Client
from autocron.integration import read_settings
from flask_autocron.integration import FlaskIntegration, clients
from flask_autocron.serving import start_when_serving
from flask_autocron.source import APP, PREFIX, Source

EXTENSION = "autocron"


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
        if app in clients:
            return
        source = Source.of(app)
        integration = FlaskIntegration(source, _settings_of(app), app)
        client = connect(integration, prefix=PREFIX, owner=app)
        app.extensions[EXTENSION] = clients[app] = client
        add_finder(_client_of_current_app)
        start_when_serving(app, client, source)


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
