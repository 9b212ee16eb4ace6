"""What the core needs to know of a Flask app."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask

from autocron.app import current_client
from autocron.client import Client
from autocron.integration import SourceIntegration
from autocron.model import ClaimedJob
from flask_autocron.serving import serves
from flask_autocron.source import Source

clients: WeakKeyDictionary[Flask, Client] = WeakKeyDictionary()
"""What the calls of each app go to."""


class FlaskIntegration(SourceIntegration[Source, Flask]):
    """What the core needs to know of a Flask app."""

    source_type = Source

    def load(self) -> None:
        """Build the app anew, in a worker."""
        client = current_client()
        for loaded in self.source.apps():
            for app in (loaded, *clients):
                if app is not None and clients.get(app) is client:
                    self.keep(app)
                    return

    def job_context(self, job: ClaimedJob) -> AbstractContextManager[Any]:
        """Return an application context, for one job."""
        return self.app.app_context()

    def should_start(self) -> bool:
        """Whether it is known already that this process serves."""
        return serves()
