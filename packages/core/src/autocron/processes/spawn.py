"""Starting the supervisor, and telling it and its workers what they need to know.

What they need lies in a file that is its owner's alone, never in a command line or environment, which
others can read. The newest web process has written it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import autocron
from autocron.processes.folder import read_private, write_private
from autocron.processes.output import output_of_app
from autocron.settings import Settings, load_settings, settings_of_worker

VERSION: str = autocron.__version__


@dataclass(frozen=True)
class AppCode:
    """How a worker gets at the application's code: what it shares with the web process."""

    integration: str
    """The integration's class, as `module:Class`."""
    data: dict[str, Any]
    """What the class needs to be made anew; plain JSON."""
    path: list[str] = field(default_factory=list)
    """`sys.path` of the web process."""
    argv: list[str] = field(default_factory=list)
    """Its `sys.argv`, which the code may read while it is imported."""
    folder: str = "."
    """Its current directory."""


@dataclass(frozen=True)
class Orders:
    """All that a supervisor or worker is told at its start."""

    settings: dict[str, Any]
    """What the application has configured, by name,"""
    code: AppCode
    admin: dict[str, Any] = field(default_factory=dict)
    """and what an administrator has set."""
    version: str = VERSION
    """Of the autocron that the web process runs."""
    number: int = 0
    generation: int | None = None
    load_error: int = 0
    """Stands for the traceback that was logged when the app could not be imported the last time."""
    descriptors: dict[str, int] = field(default_factory=dict)

    def asks_for_same(self, other: Orders) -> bool:
        """Whether workers with these orders would be the same as with the other ones.

        Arguments and current directory do not count: a script that imports the application has
        others, and should not have the workers replaced. Nor do settings that workers do not read.
        """
        return self._worker == other._worker

    @property
    def _worker(self) -> tuple[Any, ...]:
        code = self.code
        settings = settings_of_worker(settings_from(self))
        return settings, code.integration, code.data, code.path

    def to_json(self) -> bytes:
        """Return the orders as JSON."""
        return json.dumps(asdict(self), default=os.fspath).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Orders:
        """Return the orders that `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"code": AppCode(**values["code"])})


def write_orders(path: Path, orders: Orders) -> None:
    """Put orders where the supervisor finds them, in place of earlier ones.

    Raises:
        OSError: the disk is full, for example.
    """
    write_private(path, orders.to_json())


def version_of_orders(path: Path) -> tuple[int, int] | None:
    """Return what is another value whenever orders were written anew; None if there are none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def read_orders(path: Path, *, root_may: bool = False) -> Orders:
    """Return the orders that `write_orders` has written; `root_may` is for the tool.

    Raises:
        OSError: the file cannot be read.
        StoreError: somebody else has put it there.
        ValueError: it was written by something else, such as another version of autocron.
    """
    try:
        return Orders.from_json(read_private(path, root_may=root_may))
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path} cannot be understood: {error}") from error


def spawn(role: str, orders: Orders, lock: int) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that a terminal's Ctrl-C does not reach it.

    Args:
        role: what `ps` is to show; "supervisor".
        orders: say with which interpreter, for which database and in which folder.
        lock: the open file that holds its lock; all others are closed.
    """
    settings = settings_from(orders)
    output, errors = output_of_app()
    return subprocess.Popen(
        [interpreter(settings.python), _boot_file(), role, str(settings.database)],
        stdin=lock,
        stdout=output,
        stderr=errors,
        cwd=orders.code.folder,
        start_new_session=True,
    )


def _boot_file() -> str:
    return str(Path(autocron.__file__).with_name("boot.py"))


def interpreter(wanted: str | None) -> str:
    """Return the Python to run: what the settings say, or the one that runs the app.

    In a server that embeds Python `sys.executable` may be the server, which must not be started
    again in its place.
    """
    if wanted is not None:
        return wanted
    if "python" in Path(sys.executable or "").name.lower():
        return sys.executable
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [Path(sys.prefix, "bin", name) for name in (version, "python3", "python")]
    return str(next((path for path in candidates if path.exists()), "python3"))


def receive_lock() -> int:
    """Return, in a spawned process, the open file that holds its lock, and make it inherit no more."""
    # The host may have blocked or ignored signals; this process decides for itself.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    lock = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    return lock


def settings_from(orders: Orders) -> Settings:
    """Return the settings that a process was ordered to use.

    Raises:
        SettingsError: they are wrong, as those of another version.
    """
    return load_settings(orders.settings, orders.admin).settings
