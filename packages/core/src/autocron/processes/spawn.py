"""Starting the supervisor, and telling it and its workers what they need to know.

What they need goes through a pipe, never through a command line or environment, which others can
read.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import autocron
from autocron.settings import Settings

_LENGTH_BYTES = 4


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
    code: AppCode
    number: int = 0
    descriptors: dict[str, int] = field(default_factory=dict)

    def asks_for_same(self, other: Orders) -> bool:
        """Whether workers with these orders would be the same as with the other ones.

        Arguments and current directory do not count: a script that imports the application has
        others, and should not have the workers replaced.
        """
        ours, theirs = self.code, other.code
        return (self.settings, ours.integration, ours.data, ours.path) == (
            other.settings,
            theirs.integration,
            theirs.data,
            theirs.path,
        )

    def to_json(self) -> bytes:
        """Return the orders as JSON."""
        return json.dumps(asdict(self), default=os.fspath).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Orders:
        """Return the orders that `to_json` wrote."""
        values = json.loads(text)
        return cls(**values | {"code": AppCode(**values["code"])})


def spawn(role: str, orders: Orders, inherit: Iterable[int]) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that a terminal's Ctrl-C does not reach it.

    Args:
        role: what `ps` is to show; "supervisor".
        orders: written to its standard input, which stays open in the returned object.
        inherit: the descriptors that it inherits; all others are closed.
    """
    settings = orders.settings
    process = subprocess.Popen(
        [interpreter(settings["python"]), _boot_file(), role, str(settings["database"])],
        stdin=subprocess.PIPE,
        pass_fds=tuple(inherit),
        cwd=orders.code.folder,
        start_new_session=True,
        bufsize=0,
    )
    assert process.stdin is not None
    text = orders.to_json()
    try:
        process.stdin.write(len(text).to_bytes(_LENGTH_BYTES, "big") + text)
    except BrokenPipeError:
        pass  # it has ended already, which whoever waits for it will see
    return process


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


def receive_orders() -> tuple[Orders, int]:
    """Return, in a spawned process, its orders and the descriptor of the pipe they came through."""
    # The host may have blocked or ignored signals; this process decides for itself.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    control = os.dup(0)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    length = int.from_bytes(_read(control, _LENGTH_BYTES), "big")
    return Orders.from_json(_read(control, length)), control


def _read(descriptor: int, length: int) -> bytes:
    text = b""
    while len(text) < length:
        piece = os.read(descriptor, length - len(text))
        if not piece:
            raise SystemExit("the process that started this one has ended")
        text += piece
    return text


def settings_from(orders: Orders) -> Settings:
    """Return the settings that a process was ordered to use."""
    values = orders.settings
    return Settings(**values | {"database": Path(values["database"])})
