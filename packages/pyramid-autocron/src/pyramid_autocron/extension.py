"""What `config.include` brings: directives, and a connection for the app."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.interfaces import IRequestExtensions
from pyramid.path import DottedNameResolver
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.settings import aslist
from pyramid.threadlocal import get_current_registry

from autocron.app import add_finder, connect
from autocron.client import Client
from autocron.integration import read_settings
from pyramid_autocron.configuring import add_autocron_task, add_cron_job, show_tasks
from pyramid_autocron.integration import EXTENSION, PyramidIntegration, client_of
from pyramid_autocron.requests import Background
from pyramid_autocron.serving import start_when_serving
from pyramid_autocron.source import APP, PREFIX, Source

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
    start_when_serving(config)

    def connect_app() -> None:
        registry = config.registry
        integration = PyramidIntegration(source, _settings_of(registry, source), registry)
        registry[EXTENSION] = connect(integration, prefix=PREFIX, owner=registry)
        show_tasks(registry)

    config.action(EXTENSION, connect_app, order=_LAST)
    for module in aslist((config.get_settings() or {}).get(TASKS, ())):
        DottedNameResolver(config.root_package).resolve(module)
    add_finder(_current_client)


def _settings_of(registry: Registry, source: Source) -> dict[str, Any]:
    given = read_settings(registry.settings or {}, PREFIX, source.folder, apart={APP, TASKS})
    extensions = registry.queryUtility(IRequestExtensions)
    if extensions is not None and "tm" in extensions.descriptors:
        given.setdefault("enqueue_on_commit", True)
    return given


def _background_of(request: Request) -> Background:
    return Background(request.registry[EXTENSION])


def _current_client() -> Client | None:
    return client_of(get_current_registry())
