"""What `config.include` brings: an app's settings, and what its workers need to know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from weakref import finalize, ref

from pyramid.config import Configurator
from pyramid.interfaces import IRequestExtensions
from pyramid.path import DottedNameResolver
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.scripting import prepare
from pyramid.settings import aslist
from pyramid.threadlocal import get_current_registry, get_current_request

from autocron.app import add_finder, connect, current_client, in_worker
from autocron.client import Client
from autocron.integration import Integration, read_settings
from autocron.model import ClaimedJob
from pyramid_autocron.configuring import add_autocron_task, add_cron_job, show_tasks
from pyramid_autocron.requests import Background
from pyramid_autocron.serving import start_when_serving
from pyramid_autocron.source import APP, PREFIX, Source
from pyramid_autocron.transactions import abort_what_is_left, call_after_commit

EXTENSION = "autocron"
TASKS = f"{PREFIX}tasks"
_LAST = 1000  # among the actions: all settings and request methods are known


def includeme(config: Configurator) -> None:
    """Give an app its workers, with settings from its own: `config.include("pyramid_autocron")`.

    The settings are those of `autocron.Settings`, after `autocron.`; they are read when the configuration is
    committed. A relative `autocron.database` starts at the folder of the ini file, or else at the current directory.
    `autocron.tasks` lists modules that are to be imported for their tasks, and `autocron.app` tells the workers where
    the app is, should they not find it by themselves.

    The workers start in the process that serves, and in no other. Each job has a request of its own, as
    `pyramid.scripting.prepare` makes it. What the app knows of its jobs is in `request.autocron`. With pyramid_tm
    a call is stored when the transaction of its request commits.

    Args:
        config: is given the directives `add_autocron_task` and `add_cron_job`.

    Raises:
        ConfigurationExecutionError: names everything that is wrong with the settings, or why the database cannot be
            used.

    Example:
        ```python
        def main(global_config, **settings):
            with Configurator(settings=settings) as config:
                config.include("pyramid_autocron")
                config.scan()
            return config.make_wsgi_app()
        ```
    """
    source = Source.of(config)
    config.add_directive("add_autocron_task", add_autocron_task)
    config.add_directive("add_cron_job", add_cron_job)
    config.add_request_method(_background_of, EXTENSION, reify=True)
    start_when_serving(config, _client_of)

    def connect_app() -> None:
        registry = config.registry
        integration = PyramidIntegration(source, _settings_of(registry, source), registry)
        registry[EXTENSION] = client = connect(integration, prefix=PREFIX)
        if not in_worker():
            finalize(registry, client.stop).atexit = False  # an app that is gone has no connections
        show_tasks(registry)

    config.action(EXTENSION, connect_app, order=_LAST)
    for module in aslist((config.get_settings() or {}).get(TASKS, ())):
        DottedNameResolver(config.root_package).resolve(module)
    add_finder(_current_client)


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
        registry = self._source.load(lambda registry: registry.get(EXTENSION) is client)
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


def _settings_of(registry: Registry, source: Source) -> dict[str, Any]:
    given = read_settings(registry.settings or {}, PREFIX, source.folder, apart={APP, TASKS})
    extensions = registry.queryUtility(IRequestExtensions)
    if extensions is not None and "tm" in extensions.descriptors:
        given.setdefault("enqueue_on_commit", True)
    return given


def _client_of(registry: Registry) -> Client | None:
    return cast("Client | None", registry.get(EXTENSION))


def _background_of(request: Request) -> Background:
    return Background(request.registry[EXTENSION])


def _current_client() -> Client | None:
    return _client_of(get_current_registry())
