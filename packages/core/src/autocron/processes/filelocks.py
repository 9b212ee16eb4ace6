"""Which locks there are on files, and which process has taken each: the kernel lists them for everybody."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TO_THE_END = "EOF"


@dataclass(frozen=True)
class FileLock:
    """A lock that a process has taken."""

    kind: str
    """`POSIX` is that of fcntl(2), which SQLite takes, `FLOCK` that of flock(2), which we take."""
    is_exclusive: bool
    pid: int
    """Who has taken it; it may be another by now who holds it, if the open file was handed on."""
    device: tuple[int, int]
    inode: int
    first: int
    last: int | None
    """The last byte; None for the end of the file, wherever that is."""

    def covers(self, byte: int) -> bool:
        """Whether a byte is locked by it."""
        return self.first <= byte and (self.last is None or byte <= self.last)


def all_locks() -> list[FileLock]:
    """Return all locks; none where nobody can tell."""
    try:
        return parse_locks(Path("/proc/locks").read_text())
    except FileNotFoundError:  # this is no Linux
        return []


def parse_locks(text: str) -> list[FileLock]:
    """Return the locks of a text as proc_locks(5) describes it, without those that are waited for.

    Example:
        >>> parse_locks("1: POSIX  ADVISORY  WRITE 512 08:01:131 120 120")[0].covers(120)
        True
    """
    found = []
    for line in text.splitlines():
        fields = line.split()
        # With "->" before the kind it is waited for; "<none>" has no file any more.
        if len(fields) != 8 or fields[5].count(":") != 2:
            continue
        _, kind, _, mode, pid, place, first, last = fields
        major, minor, inode = place.split(":")
        found.append(
            FileLock(
                kind,
                mode == "WRITE",
                int(pid),
                (int(major, 16), int(minor, 16)),
                int(inode),
                int(first),
                None if last == _TO_THE_END else int(last),
            )
        )
    return found


def locks_on(
    paths: Iterable[Path], locks: Iterable[FileLock], *, on_any_device: bool = False
) -> list[FileLock]:
    """Return those of the locks that are on one of the files; `on_any_device`, only the inodes must agree."""
    known = set()
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.stat()
            known.add((os.major(status.st_dev), os.minor(status.st_dev), status.st_ino))
    inodes = {inode for _, _, inode in known}
    if on_any_device:
        return [lock for lock in locks if lock.inode in inodes]
    return [lock for lock in locks if (*lock.device, lock.inode) in known]
