"""Does `run()` serve in this process? Only then are workers to be started.

Bottle tells nobody, and `run` may have been imported under its name already. But whatever server it is to run with is
an object with a method `run`, which is called when all is complete, and not in the reloader's parent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from bottle import ServerAdapter

_is_watching = False


def watch_servers(before: Callable[[], None]) -> None:
    """Have `before()` called just before one of Bottle's servers begins to serve, or one of the application's own."""
    global _is_watching
    if _is_watching:
        return
    _is_watching = True

    def watch(adapter: type[ServerAdapter]) -> None:
        adapter.run = _called_before(before, adapter.run)

    for adapter in set(_adapters(ServerAdapter)):
        watch(adapter)
    ServerAdapter.__init_subclass__ = classmethod(watch)  # those that are yet to be defined


def _called_before(before: Callable[[], None], run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def call_and_run(self: ServerAdapter, handler: Any) -> Any:
        before()
        return run(self, handler)

    return call_and_run


def _adapters(base: type[ServerAdapter]) -> Iterator[type[ServerAdapter]]:
    for adapter in base.__subclasses__():
        yield adapter
        yield from _adapters(adapter)
