"""Other processes: what the kernel tells everybody about them, and who has a file open."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_LONGEST_COMMAND = 60


@dataclass(frozen=True)
class ProcessInfo:
    """A process, as proc_pid_status(5) shows it."""

    pid: int
    name: str
    """Of its program, at most 15 characters of it."""
    state: str
    """A letter: `T` is stopped by a signal, `t` by a debugger, `Z` a zombie."""
    parent: int
    user: int
    """As whom it acts."""
    threads: int

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still until somebody lets it go on."""
        return self.state in ("T", "t")

    def __str__(self) -> str:
        return f"{self.pid} ({self.name})"


def look_at(pid: int) -> ProcessInfo | None:
    """Return what is known about a process; None if there is none, or this is no Linux."""
    try:
        text = (_PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return None
    return parse_status(pid, text)


def parse_status(pid: int, text: str) -> ProcessInfo:
    r"""Return what a text says about a process.

    Example:
        >>> text = "Name:\tuwsgi\nState:\tS (sleeping)\nPPid:\t7\nUid:\t0\t33\t0\t0\nThreads:\t1\n"
        >>> parse_status(8, text)
        ProcessInfo(pid=8, name='uwsgi', state='S', parent=7, user=33, threads=1)
    """
    fields = {
        name: value.strip()
        for name, _, value in (line.partition(":") for line in text.splitlines())
    }
    return ProcessInfo(
        pid,
        fields["Name"],
        fields["State"][0],
        int(fields["PPid"]),
        int(fields["Uid"].split()[1]),  # real, effective, saved, of the file system
        int(fields["Threads"]),
    )


def program_of(pid: int) -> str | None:
    """Return the file that a process runs; None if this user may not know."""
    with suppress(OSError):
        return os.readlink(_PROC / str(pid) / "exe")
    return None


def command_of(pid: int) -> str:
    """Return the command line of a process, or the beginning of a long one; nothing if it has none."""
    with suppress(OSError):
        words = (_PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        text = " ".join(word.decode(errors="replace") for word in words)
        return text if len(text) <= _LONGEST_COMMAND else f"{text[:_LONGEST_COMMAND]}..."
    return ""


def processes_with_open(paths: Iterable[Path]) -> set[int]:
    """Return the ids of the other processes that have one of the files open, as far as this user may know."""
    wanted = set()
    for path in paths:
        with suppress(FileNotFoundError):
            wanted.add(identity(path.stat()))
    return {pid for pid in others() if any(file in wanted for _, file in open_files(pid))}


def others() -> Iterator[int]:
    """Give the ids of the other processes."""
    with suppress(FileNotFoundError):  # this is no Linux
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                yield int(entry.name)


def open_files(pid: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give the descriptors of a process, each with the identity of its file, as far as this user may know."""
    with suppress(OSError):  # it is another user's, or has just ended
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                yield entry.name, identity(entry.stat())


def identity(status: os.stat_result) -> tuple[int, int]:
    """Return what only one file has."""
    return status.st_dev, status.st_ino
