"""The file below the connections: whether it may be used, made if it is missing, and still the same one.

SQLite notices none of this. It goes on writing to a file that has been deleted, and to a log that has been,
and it takes the log of one database for that of another which has been put in its place
(https://www.sqlite.org/howtocorrupt.html).
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from autocron import events
from autocron.errors import DatabaseUnusable
from autocron.private import check_folder, check_owner, kind_of, located
from autocron.stores.sqlite import faults

Identity: TypeAlias = tuple[int, int]
"""What tells a file from any other: its inode, and the device that this is on."""

_PATIENCE = 5.0
_LOOK_AGAIN = 0.01
_MODE = 0o600
_EFFECTIVE = os.access in os.supports_effective_ids


class Traces(NamedTuple):
    """Which files a connection has open."""

    file: Identity
    log: Identity
    shm: Identity


def identity(status: os.stat_result) -> Identity:
    """Return what tells a file from all others that are there at the same time."""
    return status.st_ino, status.st_dev


class DatabaseFile:
    """A database file, with the log and the index of the log that SQLite keeps beside it.

    Args:
        path: the file.
        creates: whether it may be made if it is missing.
        root_may: whether root may use the file of another user.
    """

    def __init__(self, path: Path, *, creates: bool, root_may: bool) -> None:
        self.path = located(path)
        self.log = Path(f"{self.path}-wal")
        self.index = Path(f"{self.path}-shm")
        self._creates = creates
        self._root_may = root_may
        self._traces: Traces | None = None
        self._anchors: list[int] = []
        self._name = str(self.path)
        self._seen = (0, 0)
        self._was_emptied = False

    @property
    def was_used(self) -> bool:
        """Whether this process, or one that it was forked from, has used a file of this name."""
        return self._traces is not None

    def make_ready(self) -> Identity:
        """See to it that there is a file which may be used; return which it is.

        Raises:
            DatabaseUnusable: it may not be used; says why and what to do.
            StoreError: it is gone, and may not be made anew.
        """
        check_folder(self.path)
        status = self._status(self.path)
        if status is None:
            if self.was_used or not self._creates:
                raise faults.gone(self.path)
            self._make()
            status = self._status(self.path)
            if status is None:
                raise faults.gone(self.path)
        self._check(status)
        if self._traces is not None and self._traces.file != identity(status):
            self._set_old_log_aside()
        if not self._root_may and not os.access(self.path, os.W_OK, effective_ids=_EFFECTIVE):
            raise faults.read_only(self.path)
        if status.st_size == 0 and not self._may_be_empty(identity(status)) and self._is_empty():
            self._was_emptied = True
            raise faults.emptied(self.path)
        return identity(status)

    def is_untouched(self) -> bool:
        """Whether nothing has happened to the file since `found` was asked, as far as it tells itself.

        This is asked before each use, and a descriptor is looked at in half the time of a name. A file that
        was deleted or overwritten has fewer names, and one that was moved or emptied has changed. Where a
        file system does not note that of a move, `found` sees it.
        """
        try:
            status = os.fstat(self._anchors[0])
        except (OSError, IndexError):
            return False
        return (status.st_ctime_ns, status.st_nlink) == self._seen

    def found(self) -> Identity | None:
        """Return which file has our name now; None if there is none, or it has been emptied."""
        try:
            status = os.stat(self._name)
        except OSError:
            return None  # when it is opened, the error says more
        if not status.st_size:
            return None
        self._seen = status.st_ctime_ns, status.st_nlink
        return identity(status)

    def is_other(self, found: Identity) -> bool:
        """Whether a file is another than that which this process has used before, or has other content."""
        return self._traces is not None and (self._traces.file != found or self._was_emptied)

    def is_same(self, traces: Traces) -> bool:
        """Whether the file that a connection has open still has our name."""
        return self._has(self.path, traces.file)

    def traces(self) -> Traces:
        """Return which files have these names now.

        Raises:
            StoreError: one of them is missing.
        """
        found = [self._status(path) for path in (self.path, self.log, self.index)]
        if found[0] is None:
            raise faults.gone(self.path)
        known = [identity(status) for status in found if status is not None]
        if len(known) < len(found):
            raise faults.lost_log(self.path)
        return Traces(*known)

    def remember(self, traces: Traces) -> None:
        """Keep in mind which files are used; as long as they are held, no other can have their inodes."""
        self._was_emptied = False
        if traces == self._traces and self._anchors:
            return
        self._seen = (0, 0)
        self.forget_anchors()
        self._traces = traces
        if hasattr(os, "O_PATH"):  # to close such a descriptor drops no lock of the process
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                for path in (self.path, self.log, self.index):
                    self._anchors.append(os.open(path, flags))
            except OSError:
                self.forget_anchors()

    def forget_anchors(self, *, close: bool = True) -> None:
        """Hold the files no longer, though not all is forgotten about them."""
        while self._anchors:
            anchor = self._anchors.pop()
            if close:
                os.close(anchor)

    def lacks_log_or_index(self) -> bool:
        """Whether there is one without the other: then somebody has deleted one, or is just at it."""
        return (self._status(self.log) is None) != (self._status(self.index) is None)

    # Looking --------------------------------------------------------------------------------

    def _status(self, path: Path) -> os.stat_result | None:
        try:
            return os.lstat(path)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            return None  # what makes it says so better
        except OSError as error:
            raise faults.unreachable(self.path, error) from error

    def _check(self, status: os.stat_result) -> None:
        path = self.path
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(path)
            reason = (
                f"is a symbolic link, which may be led elsewhere: name the file itself, {target}"
            )
            raise DatabaseUnusable(path=path, reason=reason)
        if stat.S_ISDIR(status.st_mode):
            raise DatabaseUnusable(path=path, reason=faults.IS_DIRECTORY)
        if not stat.S_ISREG(status.st_mode):
            reason = f"is {kind_of(status)}: name a regular file"
            raise DatabaseUnusable(path=path, reason=reason)
        check_owner(path, status, root_may=self._root_may)
        for companion in (self.log, self.index):
            found = self._status(companion)
            if found is not None and not stat.S_ISREG(found.st_mode):
                raise faults.log_is_link(companion)
            if found is not None and found.st_uid != status.st_uid:
                check_owner(companion, found)

    def _is_empty(self) -> bool:
        """Whether it still is: another process may just have made it a database, whose log comes after its content."""
        status = self._status(self.path)
        return status is None or status.st_size == 0

    def _may_be_empty(self, found: Identity) -> bool:
        """Whether an empty file is a new one: then it has no log, and nobody has used it."""
        was_ours = self._traces is not None and self._traces.file == found
        return not was_ours and not any(map(self._status, (self.log, self.index)))

    # Making ---------------------------------------------------------------------------------

    def _make(self) -> None:
        """Make the file. SQLite would make it readable for others; its companions take over its mode."""
        try:
            with _locked(self.path.parent):
                if os.path.lexists(self.path):
                    return  # another process was faster
                # What a database that is gone has left behind must not be taken for ours.
                self._set_aside(self.log)
                self.index.unlink(missing_ok=True)
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
                descriptor = os.open(self.path, flags, _MODE)
                os.fchmod(descriptor, _MODE)  # whatever the umask
                os.close(descriptor)
        except OSError as error:
            reason = (
                f"cannot be made ({error.strerror}): name a file in a folder that you may write to"
            )
            raise DatabaseUnusable(path=self.path, reason=reason) from error

    def _set_old_log_aside(self) -> None:
        """Take the log of the file that was there before out of the way of the one that is there now."""
        if self._traces is None or not self._anchors:
            return  # then inodes may have been given to other files
        try:
            with _locked(self.path.parent):
                if self._has(self.log, self._traces.log):
                    self._set_aside(self.log)
                if self._has(self.index, self._traces.shm):
                    self.index.unlink()
        except OSError as error:
            reason = f"the log of the file before is in the way and cannot be moved ({error.strerror}): remove it"
            raise DatabaseUnusable(path=self.log, reason=reason) from error

    def _has(self, path: Path, known: Identity) -> bool:
        status = self._status(path)
        return status is not None and identity(status) == known

    def _set_aside(self, log: Path) -> None:
        """Rename a log: together with its own database, it may have jobs that are nowhere else."""
        status = self._status(log)
        if status is None:
            return
        kept = log.with_name(f"{log.name}.old-{status.st_ino}")
        os.rename(log, kept)
        events.emit("store.log_set_aside", database=self.path, kept=kept)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes of ours from putting files in the place of others meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(descriptor)
