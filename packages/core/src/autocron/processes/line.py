"""The line between the supervisor and each of its workers, and what they say on it."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass

from autocron.processes.limits import Interruption

# What the supervisor says to a worker, and a worker to its supervisor, on the line between them.
CHECK_CODE = b"c"
FINISH = b"f"
END = b"e"
READY = b"r"
LEAVING = b"l"
LOAD_ERROR = re.compile(rb"t(\d+)\.")


def load_error(code: int) -> bytes:
    """Return what a worker says that cannot import the app; the number stands for the traceback."""
    return b"t%d." % code


LOAD_FAILED = 78
"""The status of a worker that could not import the app: EX_CONFIG of sysexits.h(3head)."""


@dataclass
class Member:
    """A worker as its supervisor sees it: its process, and the line to it."""

    number: int
    pid: int
    line: socket.socket | None
    is_finishing: bool = False
    ending_since: float | None = None
    killed: bool = False
    """Whether it was killed since it did not end in time,"""
    killed_for: Interruption | None = None
    """or since what it ran did not."""
    status: int | None = None
    """How it has ended, if it has; then its process id may be another's."""

    def send(self, command: bytes) -> None:
        """Say something to it."""
        if self.line is not None:
            with suppress(OSError):  # it has ended, which `reap` will see
                self.line.send(command)

    def finish(self) -> None:
        """Have it end after the job that it is running."""
        self.send(FINISH)
        self.is_finishing = True

    def receive(self) -> bytes:
        """Return what it has said since the last look; never waits."""
        if self.line is None:
            return b""
        try:
            said = self.line.recv(100)
        except BlockingIOError:
            return b""
        except OSError:  # it has ended in the midst of what we had said
            said = b""
        if not said:  # it has ended, and there is nothing to wait for on the line
            self.hang_up()
        return said

    @property
    def is_active(self) -> bool:
        """Whether it is to take more jobs."""
        return not self.is_finishing and self.ending_since is None

    def hang_up(self) -> None:
        """Close the line; to a worker that is the sign to end."""
        if self.line is not None:
            self.line.close()
            self.line = None
