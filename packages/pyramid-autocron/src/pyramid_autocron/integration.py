"""What the core needs to know of a Pyramid app."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from pyramid.registry import Registry
from pyramid.scripting import prepare
from pyramid.threadlocal import get_current_request

from autocron.app import current_client
from autocron.client import Client
from autocron.integration import SourceIntegration
from autocron.model import ClaimedJob
from pyramid_autocron.source import Source
from pyramid_autocron.transactions import abort_what_is_left, call_after_commit

EXTENSION = "autocron"


def client_of(registry: Registry) -> Client | None:
    """Return what the calls of an app go to, once that is configured."""
    return cast("Client | None", registry.get(EXTENSION))


class PyramidIntegration(SourceIntegration[Source, Registry]):
    """What the core needs to know of a Pyramid app, of which it has the registry."""

    source_type = Source

    def load(self) -> None:
        """Build the app anew, in a worker."""
        client = current_client()
        registry = self.source.load(lambda registry: client_of(registry) is client)
        self.keep(registry)

    @contextmanager
    def job_context(self, job: ClaimedJob) -> Iterator[None]:
        """Give a job a request, with its registry, and end what it has left open."""
        with prepare(registry=self.app) as environment:
            try:
                yield
            finally:
                abort_what_is_left(environment["request"])

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Have `callback` called when the transaction of the present request commits."""
        request = get_current_request()
        return request is not None and call_after_commit(request, callback)

    def should_start(self) -> bool:
        """Leave the start to the moment when the app is complete."""
        return False
