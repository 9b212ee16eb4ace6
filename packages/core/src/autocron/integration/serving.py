"""Does this process serve? Only then are workers to be started.

What tells a server, in the order in which one can know it: the program that this process runs; what the framework
does before it serves; a request that comes in.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from importlib import _bootstrap
from pathlib import Path
from types import FrameType
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


def is_from_server(environ: Mapping[str, Any]) -> bool:
    """Whether a request, as WSGI has it, comes from a server: those of test clients do not name one."""
    return "SERVER_SOFTWARE" in environ


def when_imported(callback: Callable[[], None]) -> None:
    """Call `callback` once the import has ended that is going on here, if it succeeds; at once if there is none.

    For what has to wait for the end of a module that a server imports. A thread waits for it, so that nothing is
    called where the server has no threads, or imports by other means than Python's own.
    """
    frame = frame_being_imported()
    if frame is None:
        callback()
        return
    name, importer = frame.f_globals["__name__"], threading.get_ident()

    def wait() -> None:
        # What `import` does in a thread for a module that another one imports; but that would import it once more
        # after a failure.
        _bootstrap._lock_unlock_module(name)  # type: ignore[attr-defined]  # noqa: SLF001
        module = sys.modules.get(name)
        is_ours = module is not None and module.__dict__ is frame.f_globals
        if is_ours and not _is_running(frame, importer):
            callback()

    threading.Thread(target=wait, name="autocron-import", daemon=True).start()


def _is_running(wanted: FrameType, thread: int) -> bool:
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented
    while frame is not None and frame is not wanted:
        frame = frame.f_back
    return frame is not None
