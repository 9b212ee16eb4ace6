"""What the core needs to know of a Flask app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakKeyDictionary, ref

from flask import Flask

from autocron.app import current_client
from autocron.client import Client
from autocron.integration import Integration
from autocron.model import ClaimedJob
from flask_autocron.serving import serves
from flask_autocron.source import Source

clients: WeakKeyDictionary[Flask, Client] = WeakKeyDictionary()
"""What the calls of each app go to."""


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
            for app in (loaded, *clients):
                if app is not None and clients.get(app) is client:
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
