"""Directives for tasks and schedules that are configured instead of decorated, and what introspection shows of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationError
from pyramid.registry import Introspectable, Registry

from autocron import Task, cron, delay
from autocron.registry import known_tasks, name_of

CATEGORY = "autocron tasks"


def add_autocron_task(config: Configurator, function: Any, **options: Any) -> None:
    """Make a function a task, as `@autocron.delay` does: `config.add_autocron_task(function, retries=3)`.

    Calls are made with `request.autocron.enqueue(function, ...)`.

    Args:
        config: the configurator.
        function: a function at the top of its module, or its dotted name.
        options: what `autocron.delay` takes.

    Raises:
        ConfigurationError: it is a task already.
        ConfigurationConflictError: it is added twice.
        InvalidTask: a worker could not find the function.

    Example:
        ```python
        config.add_autocron_task("shop.mail.send", retries=3)
        ```
    """
    _add(config, "autocron task", function, delay(**options), options)


def add_cron_job(
    config: Configurator, function: Any, expression: str | None = None, **options: Any
) -> None:
    """Run a function on a schedule, as `@autocron.cron` does: `config.add_cron_job(report, "0 7 * * *")`.

    Args:
        config: the configurator.
        function: a function without arguments at the top of its module, or its dotted name.
        expression: a crontab expression; without it, lists may be among the options.
        options: what `autocron.cron` takes.

    Raises:
        ConfigurationError: it is a task already.
        ConfigurationConflictError: it is added twice.
        ConfigurationExecutionError: (when all is committed) it takes arguments.
        InvalidTask: a worker could not find the function.
        InvalidSchedule: names what is wrong with the schedule.

    Example:
        ```python
        config.add_cron_job("shop.reports.daily", "30 7 * * mon-fri", timezone="Europe/Berlin")
        ```
    """
    decorator = cron(expression, **options)
    _add(config, "autocron cron job", function, decorator, {"expression": expression, **options})


def _add(
    config: Configurator,
    kind: str,
    function: Any,
    decorate: Callable[[Any], Any],
    options: dict[str, Any],
) -> None:
    plain = config.maybe_dotted(function)
    if isinstance(plain, Task):
        raise ConfigurationError(f"{plain.name} is a task already: either decorate it, or add it")
    name = name_of(plain)
    shown = config.introspectable(CATEGORY, name, name, kind)
    shown.update(options, function=plain)
    # One discriminator for both kinds: a function is either called or on a schedule.
    config.action((CATEGORY, name), decorate, args=(plain,), introspectables=(shown,))


def show_tasks(registry: Registry) -> None:
    """Have introspection show what is decorated, too."""
    for task in known_tasks():
        if registry.introspector.get(CATEGORY, task.name) is None:
            shown = Introspectable(CATEGORY, task.name, task.name, "decorated task")
            shown.update(asdict(task.options))
            registry.introspector.add(shown)
