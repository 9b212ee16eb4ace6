"""What the core needs to know of a Pyramid app."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from weakref import ref

from pyramid.registry import Registry
from pyramid.scripting import prepare
from pyramid.threadlocal import get_current_request

from autocron.app import current_client
from autocron.client import Client
from autocron.integration import Integration
from autocron.model import ClaimedJob
from pyramid_autocron.source import Source
from pyramid_autocron.transactions import abort_what_is_left, call_after_commit

EXTENSION = "autocron"


def client_of(registry: Registry) -> Client | None:
    """Return what the calls of an app go to, once that is configured."""
    return cast("Client | None", registry.get(EXTENSION))


class PyramidIntegration(Integration):
    """What the core needs to know of a Pyramid app.

    Args:
        source: where a worker finds the app.
        settings: what the app has configured; not needed in a worker.
        registry: that of the app; a worker finds it when it has loaded the app. It is not kept by this.
    """

    def __init__(
        self,
        source: Source,
        settings: Mapping[str, Any] | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._source = source
        self._settings = settings or {}
        self._registry: Callable[[], Registry | None] = ref(registry) if registry else lambda: None

    def settings(self) -> Mapping[str, Any]:
        """Return what the app has configured."""
        return self._settings

    def describe(self) -> dict[str, Any]:
        """Return where a worker finds the app."""
        return self._source.describe()

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> PyramidIntegration:
        """Return, in a worker, what `describe` has described in the web process."""
        return cls(Source(**description))

    def load(self) -> None:
        """Build the app anew, in a worker."""
        client = current_client()
        registry = self._source.load(lambda registry: client_of(registry) is client)
        self._registry = lambda: registry

    @contextmanager
    def job_context(self, job: ClaimedJob) -> Iterator[None]:
        """Give a job a request, with its registry, and end what it has left open."""
        with prepare(registry=self._registry()) as environment:
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
