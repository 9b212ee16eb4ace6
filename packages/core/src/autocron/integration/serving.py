"""Does this process serve? Only then are workers to be started.

What tells a server, in the order in which one can know it: the program that this process runs; what the framework
does before it serves; a request that comes in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from autocron.integration.modules import frame_being_imported

_SERVER_MODULES = (
    "daphne.cli",
    "gunicorn.arbiter",
    "hypercorn.__main__",
    "mod_wsgi",
    "uwsgi",
    "waitress.runner",
)
"""Modules that a process only has if a server program runs in it, which was told of the application."""

_SERVER_PROGRAMS = ("granian", "hypercorn", "uvicorn")
"""Server programs whose modules an application might import as well."""


def is_served() -> bool:
    """Whether this process runs a server program that was told of the application.

    No management command, script or test does.
    """
    program = Path(sys.argv[0] if sys.argv else "")
    name = program.parent.name if program.name == "__main__.py" else program.name
    return name in _SERVER_PROGRAMS or any(module in sys.modules for module in _SERVER_MODULES)


class FirstRequest:
    """Starts the workers with the first request that a server passes on, where nothing else tells that one serves.

    A server is known by `SERVER_SOFTWARE`, which PEP 3333 leaves to servers: all of them give it, and no test client.

    Args:
        start: sees to it that there are workers; if it fails, the next request tries again.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        self._start: Callable[[], None] | None = start

    def see(self, environ: Mapping[str, Any]) -> None:
        """Look at a request, as WSGI has it."""
        start = self._start
        if start is not None and "SERVER_SOFTWARE" in environ:
            start()
            self._start = None


def when_imported(callback: Callable[[], None]) -> None:
    """Call `callback` when the import ends that is going on here, if it succeeds; at once if there is none.

    For what has to wait for the end of a module that a server imports: there is no hook, neither of servers nor of
    Python, and a thread that waits must not be, since servers fork. What `callback` raises, the import raises. Nothing
    is called where a server imports by other means than Python's own.
    """
    frame = frame_being_imported()
    spec = None if frame is None else frame.f_globals.get("__spec__")
    if spec is None:
        callback()
        return
    if type(spec) is ModuleSpec:
        spec.__class__ = _SpecOfImport
    if isinstance(spec, _SpecOfImport):
        spec.when_imported.append(callback)


class _SpecOfImport(ModuleSpec):
    """The spec of a module that is being imported; its import says so at its end that it is not any longer."""

    @property
    def when_imported(self) -> list[Callable[[], None]]:
        """What is to be called."""
        return self.__dict__.setdefault("_when_imported", [])  # type: ignore[no-any-return]

    @property
    def _initializing(self) -> bool:
        return bool(self.__dict__.get("_initializing", False))

    @_initializing.setter
    def _initializing(self, value: bool) -> None:
        self.__dict__["_initializing"] = value
        if not value:
            callbacks = self.__dict__.pop("_when_imported", [])
            self.__class__ = ModuleSpec  # type: ignore[assignment]
            if self.name in sys.modules:  # otherwise it has failed
                for callback in callbacks:
                    callback()
