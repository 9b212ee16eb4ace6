"""The write-ahead log as a file: kept open, so that it can be forced to the disk."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from autocron.errors import StoreError
from autocron.stores.sqlite.file import Identity, identity

_sync_file = getattr(os, "fdatasync", os.fsync)


class LogFile:
    """The log beside a database, for as long as it is that which connections write to.

    To open and close it drops no lock: SQLite has those on other files.

    Args:
        path: the log.
        database: its database, for messages.
    """

    def __init__(self, path: Path, database: Path) -> None:
        self._path = path
        self._database = database
        self._descriptor: int | None = None
        self._guard = threading.Lock()

    def open(self, in_use: Identity | None) -> int | None:
        """Return the log's descriptor, or None if there is no log of that name any more.

        Args:
            in_use: which one a connection writes to, if that is known.
        """
        with self._guard:
            if self._descriptor is not None and os.fstat(self._descriptor).st_nlink:
                return self._descriptor
            self._close()
            flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            try:
                self._descriptor = os.open(self._path, flags)
            except FileNotFoundError:
                return None
            except OSError as error:
                reason = f"its write-ahead log cannot be opened ({error.strerror})"
                raise StoreError(path=self._database, reason=reason) from error
            if in_use not in (None, identity(os.fstat(self._descriptor))):
                self._close()
            return self._descriptor

    def sync(self, descriptor: int) -> None:
        """Return when all that was written to it is on the disk."""
        try:
            _sync_file(descriptor)
        except OSError as error:
            reason = f"cannot be forced to the disk ({error.strerror}): see whether that is full or broken"
            raise StoreError(path=self._database, reason=reason) from error

    def close_other(self, in_use: Identity) -> None:
        """Close it if it is another than that which a connection writes to."""
        with self._guard:
            if self._descriptor is not None and identity(os.fstat(self._descriptor)) != in_use:
                self._close()

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        with self._guard:
            self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def forget(self) -> None:
        """Forget, in a forked child, what is the parent's."""
        self._descriptor, self._guard = None, threading.Lock()
