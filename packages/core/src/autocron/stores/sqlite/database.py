"""Connections to one SQLite file: opened, reused, retried and closed. Knows no table.

The only module that imports `sqlite3`. Nothing here is process-wide: no adapters are registered,
since the application may have its own.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from autocron.errors import DatabaseUnusable, StoreBusy, StoreError, UnsupportedPlatform
from autocron.stores.protocol import Turn

Connection: TypeAlias = sqlite3.Connection
Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")

_OLDEST_SQLITE = (3, 37, 0)  # the first with STRICT tables
_FIRST_PAUSE = 20e-6
_LONGEST_PAUSE = 5e-3
_IDLE_CONNECTIONS = 8

# At what size the log is written back into the database, by whoever commits then. It takes some
# milliseconds, so not too often; and all readers look through the log, so not too seldom.
_LOG_BYTES = 8 * 1024 * 1024

# SQLite's connections must not be used after a fork, nor even closed: they are kept here for ever.
_inherited: list[Any] = []

NO_JOBS = "holds no jobs: name the file that the application gives to autocron.start()"

_IS_DIRECTORY = "is a directory: name a file in it"

_sync_file = getattr(os, "fdatasync", os.fsync)


class Database:
    """One SQLite file, used by any number of threads and processes.

    Each operation takes a connection that no other thread uses and gives it back after; threads
    come and go with each request on some servers, and connections should not. SQLite's own busy
    handler is not used: it sleeps for up to 100 ms at a time, while others slip in.

    Args:
        path: the file.
        busy_timeout: for how many seconds to wait for locks of other programs.
        turn: entered around each write.
    """

    def __init__(self, path: Path, *, busy_timeout: float, turn: Turn) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            found = sqlite3.sqlite_version
            reason = f"it needs SQLite 3.37 or newer, and this Python has SQLite {found}"
            raise UnsupportedPlatform(reason=reason)
        # The write-ahead log lies beside the file that a link leads to, and not beside the link.
        self.path = path.resolve()
        self._busy_timeout = busy_timeout
        self._turn = turn
        self._pid = os.getpid()
        self._idle: list[Connection] = []
        self._log: int | None = None
        self._log_guard = threading.Lock()

    def look(self, sql: str) -> list[Row]:
        """Return the rows of a query on a database that may be another program's: nothing is changed."""
        try:
            # Neither made when missing, nor configured.
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True)) as connection:
                return connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error

    # Reading and writing ----------------------------------------------------------------------

    def query(self, sql: str, parameters: Any = ()) -> list[Row]:
        """Return the rows of a query."""
        return self._use(_fetch, sql, parameters)

    def execute(self, sql: str, parameters: Any = ()) -> list[Row]:
        """Run one statement as a transaction of its own; return its rows."""
        with self._turn:
            return self._use(_fetch, sql, parameters)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that holds the write lock from its beginning."""
        with self._turn:
            outcome: T = self._use(_in_transaction, work)
            return outcome

    def sync(self) -> None:
        """Return when all commits up to now are on the disk.

        Connections are `synchronous=NORMAL`: a commit is in the write-ahead log but not forced to
        the disk. `FULL` is "an additional sync operation of the WAL file after each transaction"
        (https://www.sqlite.org/pragma.html#pragma_synchronous): it is done here, when the
        write lock is free again, so that other writers and workers need not wait for the disk.
        """
        with self._log_guard:
            log = self._open_log()
        try:
            _sync_file(log)
        except OSError as error:
            raise StoreError(
                path=self.path, reason=f"cannot be forced to the disk: {error}"
            ) from error

    def reserve_log(self) -> None:
        """Make the log's file as long as it will become, if the file system can do that quickly.

        To force a commit to the disk that has made the file longer takes half as long again, since
        the file's new length has to get there, too. SQLite overwrites the log from its beginning
        once it has been written back, and does not care what lies behind its last commit.
        """
        with self._log_guard:
            log = self._open_log()
            is_long = os.fstat(log).st_size >= _LOG_BYTES
        if is_long or not hasattr(os, "posix_fallocate"):
            return

        def extend(_connection: Connection) -> None:  # nobody else writes to it meanwhile
            with suppress(OSError):  # too little room: then it grows as it is needed
                os.posix_fallocate(log, 0, _LOG_BYTES)

        self.transaction(extend)
        self.sync()

    def close(self) -> None:
        """Close idle connections; the next operation opens one again."""
        self._forget_inherited()
        while self._idle:
            self._idle.pop().close()
        if self._log is not None:
            os.close(self._log)
            self._log = None

    def __del__(self) -> None:
        # Who was waiting when it was closed may have used it once more, and nobody closes it again.
        if getattr(self, "_pid", None) == os.getpid():
            self.close()

    # Connections ------------------------------------------------------------------------------

    def _use(self, work: Callable[..., T], *arguments: Any) -> T:
        connection = self._take()
        try:
            try:
                outcome = work(connection, *arguments)
            except sqlite3.Error as error:
                outcome = self._retry(error, connection, work, *arguments)
        except BaseException:
            connection.close()  # whatever state it is in
            raise
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()
        return outcome

    def _take(self) -> Connection:
        if self._pid != os.getpid():
            self._forget_inherited()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _forget_inherited(self) -> None:
        if self._pid == os.getpid():
            return
        _inherited.append(self._idle)
        self._idle, self._log, self._pid = [], None, os.getpid()
        self._log_guard = threading.Lock()

    def _open(self) -> Connection:
        self._make_file()
        try:
            connection = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._error(error) from error
        try:
            _configure(connection)
        except sqlite3.Error as error:
            try:
                self._retry(error, connection, _configure)
            except BaseException:
                connection.close()
                raise
        return connection

    def _make_file(self) -> None:
        # Made here, since SQLite would make it readable for others; its companions take over its
        # mode. A file that exists is never opened outside SQLite: closing it would drop our locks.
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, 0o600)
        except FileExistsError:
            if self.path.is_dir():
                raise DatabaseUnusable(path=self.path, reason=_IS_DIRECTORY) from None
        except OSError as error:
            reason = (
                f"cannot be made ({error.strerror}): name a file in a folder that you may write to"
            )
            raise DatabaseUnusable(path=self.path, reason=reason) from error
        else:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            os.close(descriptor)

    def _open_log(self) -> int:
        # A log that has been deleted belongs to a database that has been replaced.
        if self._log is not None and os.fstat(self._log).st_nlink == 0:
            os.close(self._log)
            self._log = None
        if self._log is None:
            try:
                self._log = os.open(f"{self.path}-wal", os.O_RDWR | os.O_CLOEXEC)
            except OSError as error:
                reason = f"its write-ahead log cannot be opened ({error.strerror})"
                raise StoreError(path=self.path, reason=reason) from error
        return self._log

    # Waiting and failing ----------------------------------------------------------------------

    def _retry(
        self, error: sqlite3.Error, connection: Connection, work: Callable[..., T], *arguments: Any
    ) -> T:
        """Do what has failed, again and again while another program has the database locked."""
        pause, deadline = _FIRST_PAUSE, time.monotonic() + self._busy_timeout
        while _is_busy(error):
            if time.monotonic() > deadline:
                raise StoreBusy(path=self.path, seconds=self._busy_timeout) from error
            time.sleep(pause)
            pause = min(pause * 1.2, _LONGEST_PAUSE)
            try:
                return work(connection, *arguments)
            except sqlite3.Error as next_error:
                error = next_error
        raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> StoreError:
        text = str(error)
        if self.path.is_dir():
            return DatabaseUnusable(path=self.path, reason=_IS_DIRECTORY)
        if "no such table: autocron_" in text:
            return DatabaseUnusable(path=self.path, reason=NO_JOBS)
        if "not a database" in text:
            reason = "is not an SQLite database: name another file"
            return DatabaseUnusable(path=self.path, reason=reason)
        if "readonly" in text or "unable to open" in text:
            reason = f"cannot be written ({text}): check owner and mode of the file and its folder"
            return DatabaseUnusable(path=self.path, reason=reason)
        return StoreError(path=self.path, reason=f"SQLite says: {text}")


def _configure(connection: Connection) -> None:
    # Only a new database takes the page size. Each commit writes whole pages to the log, and most of a
    # job's fit into a small one: ending and claiming takes a third less time than with 4096.
    connection.execute("PRAGMA page_size=1024")
    # A new database changes into WAL mode; one that has it already only reports it.
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"unable to open it in WAL mode (it stays in {mode} mode)")
    connection.execute("PRAGMA synchronous=NORMAL")
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // page_size}")


def _fetch(connection: Connection, sql: str, parameters: Any) -> list[Row]:
    return connection.execute(sql, parameters).fetchall()


def _in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # it may be rolled back already; the first error counts
            connection.execute("ROLLBACK")
        raise
    return outcome


def _is_busy(error: sqlite3.Error) -> bool:
    # sqlite_errorcode exists only from Python 3.11 on.
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
