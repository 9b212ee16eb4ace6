"""Connections to one SQLite file: opened, reused, retried and closed. Knows no table.

The only module that imports `sqlite3`. Nothing here is process-wide: no adapters are registered,
since the application may have its own.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from autocron.errors import StoreBusy, StoreError, UnsupportedPlatform
from autocron.stores.protocol import Turn
from autocron.stores.sqlite import faults
from autocron.stores.sqlite.file import DatabaseFile, Traces
from autocron.stores.sqlite.forks import ForkGate
from autocron.stores.sqlite.wal import LogFile

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

# A log of that length is only made where several times as much room is left: it must not be autocron
# that fills a disk.
_ROOM_FOR_LOG = 4 * _LOG_BYTES

# For how many seconds to rely on what the file itself tells, and not to look at the names of file and log.
_LOOK_AT_NAMES = 0.1

# For how long others may be just opening or closing the database, of which a rest is seen.
_PATIENCE_FOR_LOG = 2.0
_ATTEMPTS = 5

# SQLite's connections must not be used after a fork, nor even closed: they are kept here for ever.
_inherited: list[Any] = []

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
"""All of this process."""


class Database:
    """One SQLite file, used by any number of threads and processes.

    Each operation takes a connection that no other thread uses and gives it back after; threads
    come and go with each request on some servers, and connections should not. SQLite's own busy
    handler is not used: it sleeps for up to 100 ms at a time, while others slip in.

    Args:
        path: the file.
        busy_timeout: for how many seconds to wait for locks of other programs.
        turn: entered around each write.
        prepare: called with a connection to another file than before, which has been put in its place.
        creates: whether to make the file when it is missing.
        root_may: whether root may use the file of another user.
    """

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout: float,
        turn: Turn,
        prepare: Callable[[Path, Connection], None] = lambda _path, _connection: None,
        creates: bool = True,
        root_may: bool = False,
    ) -> None:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            found = sqlite3.sqlite_version
            reason = f"it needs SQLite 3.37 or newer, and this Python has SQLite {found}"
            raise UnsupportedPlatform(reason=reason)
        self._file = DatabaseFile(path, creates=creates, root_may=root_may)
        self.path = self._file.path
        self.busy_timeout = busy_timeout
        self._turn = turn
        self._prepare = prepare
        self._pid = os.getpid()
        self._idle: list[_Connection] = []
        self._traces: Traces | None = None
        self._look_again_at = 0.0
        self._log = LogFile(self._file.log, self.path)
        self._opening = threading.Lock()
        _databases.add(self)
        _fork_gate.hook()

    def look(self, sql: str) -> list[Row]:
        """Return the rows of a query on a database that may be another program's: nothing is changed."""
        self._file.make_ready()
        with closing(self._connect()) as connection:
            return self._persist(connection, _fetch, sql, ())

    # Reading and writing ----------------------------------------------------------------------

    def query(self, sql: str, parameters: Any = ()) -> list[Row]:
        """Return the rows of a query."""
        return self.use(_fetch, sql, parameters)

    def execute(self, sql: str, parameters: Any = ()) -> list[Row]:
        """Run one statement as a transaction of its own; return its rows."""
        with self._turn:
            return self.use(_fetch, sql, parameters)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that holds the write lock from its beginning."""
        with self._turn:
            outcome: T = self.use(in_transaction, work)
            return outcome

    def sync(self) -> None:
        """Return when all commits up to now are on the disk.

        Connections are `synchronous=NORMAL`: a commit is in the write-ahead log but not forced to
        the disk. `FULL` is "an additional sync operation of the WAL file after each transaction"
        (https://www.sqlite.org/pragma.html#pragma_synchronous): it is done here, when the
        write lock is free again, so that other writers and workers need not wait for the disk.
        """
        self._log.sync(self._open_log())

    def reserve_log(self) -> None:
        """Make the log's file as long as it will become, if the file system can do that quickly.

        To force a commit to the disk that has made the file longer takes half as long again, since
        the file's new length has to get there, too. SQLite overwrites the log from its beginning
        once it has been written back, and does not care what lies behind its last commit.
        """
        log = self._open_log()
        is_long = os.fstat(log).st_size >= _LOG_BYTES
        if is_long or not hasattr(os, "posix_fallocate"):
            return
        disk = os.fstatvfs(log)
        if disk.f_bavail * disk.f_frsize < _ROOM_FOR_LOG:
            return  # it grows as it is needed

        def extend(_connection: Connection) -> None:  # nobody else writes to it meanwhile
            with suppress(OSError):  # the file system cannot do it
                os.posix_fallocate(log, 0, _LOG_BYTES)

        self.transaction(extend)
        self.sync()

    def close(self) -> None:
        """Close idle connections; the next operation opens one again."""
        self._forget_inherited()
        self._let_go()
        self._file.forget_anchors()

    def __del__(self, is_over: Callable[[], bool] = sys.is_finalizing) -> None:
        # Who was waiting when it was closed may have used it once more, and nobody closes it again. At the end of
        # the process the modules may be gone that this needs, and the system closes all files.
        if not is_over() and getattr(self, "_pid", None) == os.getpid():
            self.close()

    # Connections ------------------------------------------------------------------------------

    def use(self, work: Callable[..., T], *arguments: Any) -> T:
        """Call `work` with a connection that no other thread uses."""
        with _fork_gate:
            return self._work(work, *arguments)

    def _work(self, work: Callable[..., T], *arguments: Any) -> T:
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

    def _take(self) -> _Connection:
        """Return a connection to the file that has our name now, and not to one that had it before."""
        if self._pid != os.getpid():
            self._forget_inherited()
        if time.monotonic() < self._look_again_at and self._file.is_untouched():
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._open()
            if connection.traces is self._traces:
                return connection
            self._idle.append(connection)
        return self._take_after_look()

    def _take_after_look(self) -> _Connection:
        found = self._file.found()
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            if connection.traces.file == found:
                self._look_at_log(connection)
                return connection
            # Closing it writes to no file: SQLite sees that its own has been moved.
            connection.close()
        return self._open()

    def _look_at_log(self, connection: _Connection) -> None:
        """See to it that log and index are those which the connection uses.

        As long as it is open, nobody deletes them who knows what they are.
        """
        try:
            if self._file.traces() == connection.traces:
                if connection.traces != self._traces:
                    self._traces = connection.traces
                connection.traces = self._traces  # the same object, which is the faster to compare
                self._look_again_at = time.monotonic() + _LOOK_AT_NAMES
                return
        except BaseException:  # it cannot be told whether they are: rather save them once too often
            self._save_log(connection)
            raise
        self._save_log(connection)
        raise faults.lost_log(self.path)

    def _save_log(self, connection: _Connection) -> None:
        """Write what is in a log that has no name any more into the database, and let go of it."""
        self._look_again_at = 0.0
        with closing(connection), suppress(sqlite3.Error):
            if self._file.is_same(connection.traces):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        # As long as one of this process holds the old log, nobody can begin a new one.
        for each in list(_databases):
            if each.path == self.path:
                each.close()

    def _let_go(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self._log.close()

    def _forget_inherited(self) -> None:
        if self._pid == os.getpid():
            return
        _inherited.append(self._idle)
        self._idle, self._opening, self._pid = [], threading.Lock(), os.getpid()
        self._log.forget()
        self._file.forget_anchors(close=False)

    def _open(self) -> _Connection:
        with self._opening:
            for _ in range(_ATTEMPTS):
                found = self._file.make_ready()
                self._begin_log_anew()
                connection = self._connect()
                try:
                    self._persist(connection, _configure)
                    traces = self._file.traces()
                    if traces.file == found:
                        if self._file.is_other(found):
                            self._persist(connection, partial(self._prepare, self.path))
                        connection.traces = traces
                        self._file.remember(traces)
                        self._log.close_other(traces.log)
                        return connection
                except BaseException:  # nobody else could close it
                    connection.close()
                    raise
                connection.close()  # it was replaced just now
        raise faults.gone(self.path)

    def _connect(self) -> _Connection:
        try:
            return sqlite3.connect(
                f"{self.path.as_uri()}?mode=rw",  # never made here
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
                uri=True,
            )
        except sqlite3.Error as error:
            raise self._error(error) from error

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Give a connection that nobody else has one beside; fails if somebody has."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            yield connection

    def remove(self, is_meant: Callable[[Connection], bool]) -> bool:
        """Delete the files if nobody has them open, and if it is meant; return whether that was done."""
        self.close()
        try:
            with self._alone() as connection:
                if is_meant(connection):
                    for path in (self.path, self._file.log, self._file.index):
                        path.unlink(missing_ok=True)
                    return True
        except sqlite3.Error as error:
            if _is_busy(error):
                raise StoreBusy(path=self.path, seconds=0) from error
            raise self._error(error) from error
        return False

    def _begin_log_anew(self) -> None:
        """Find out, when there is a log without its index or the reverse, whether anybody uses either.

        One process that has the old ones and one that makes new ones would destroy the database. If it
        can be had exclusively, then nobody has it open; and so opened, it needs no index.
        """
        deadline = time.monotonic() + min(self.busy_timeout, _PATIENCE_FOR_LOG)
        while self._file.lacks_log_or_index():
            try:
                with self._alone() as connection:
                    self._file.index.unlink(missing_ok=True)
                    connection.execute("COMMIT")
            except sqlite3.Error as error:
                if not _is_busy(error):
                    raise self._error(error) from error
                if time.monotonic() > deadline:
                    raise faults.lost_log(self.path) from error
                time.sleep(_LONGEST_PAUSE)

    def _open_log(self) -> int:
        """Return the descriptor of the log that has been written to."""
        try:
            # As long as a connection is open, the log that has the name is that of the connection.
            in_use = self._idle[-1].traces.log
        except IndexError:
            in_use = None  # other threads have them all, or it has just been closed in good order
        log = self._log.open(in_use)
        if log is not None:
            return log
        with suppress(IndexError):
            self._save_log(self._idle.pop())
        raise faults.lost_log(self.path)

    # Waiting and failing ----------------------------------------------------------------------

    def _persist(self, connection: Connection, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(connection, *arguments)
        except sqlite3.Error as error:
            return self._retry(error, connection, work, *arguments)

    def _retry(
        self, error: sqlite3.Error, connection: Connection, work: Callable[..., T], *arguments: Any
    ) -> T:
        """Do what has failed, again and again while another program has the database locked."""
        pause, deadline = _FIRST_PAUSE, time.monotonic() + self.busy_timeout
        may_make_room = True
        while _is_busy(error) or (may_make_room and _is_full(error)):
            if _is_full(error):
                may_make_room = False
                _write_log_back(connection)
            elif time.monotonic() > deadline:
                raise StoreBusy(path=self.path, seconds=self.busy_timeout) from error
            else:
                time.sleep(pause)
                pause = min(pause * 1.2, _LONGEST_PAUSE)
            try:
                return work(connection, *arguments)
            except sqlite3.Error as next_error:
                error = next_error
        raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> StoreError:
        return faults.explained(self.path, str(error), was_in_use=self._file.was_used)


class _Connection(sqlite3.Connection):
    """A connection that knows which files it has open."""

    traces: Traces


def _close_all() -> None:
    for each in list(_databases):
        each.close()


_fork_gate = ForkGate(_close_all)


def _configure(connection: Connection) -> None:
    # Only a new database takes the page size. Each commit writes whole pages to the log, and most of a
    # job's fit into a small one: ending and claiming takes a third less time than with 4096.
    connection.execute("PRAGMA page_size=1024")
    # A new database changes into WAL mode; one that has it already only reports it.
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"unable to open it in WAL mode (it stays in {mode} mode)")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA user_version").fetchone()  # opens the log and its index
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_BYTES // page_size}")


def _fetch(connection: Connection, sql: str, parameters: Any) -> list[Row]:
    return connection.execute(sql, parameters).fetchall()


def in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run `work` in a transaction that holds the write lock from its beginning."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = work(connection)
        connection.execute("COMMIT")
    except BaseException:  # Ctrl-C as well: the lock must not outlive the work
        with suppress(sqlite3.Error):  # it may be rolled back already; the first error counts
            connection.execute("ROLLBACK")
        raise
    return outcome


def _is_busy(error: sqlite3.Error) -> bool:
    # sqlite_errorcode exists only from Python 3.11 on.
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _is_full(error: sqlite3.Error) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "is full" in str(error)


def _write_log_back(connection: Connection) -> None:
    # The log grows until it is written back, which may be long after the disk is full. Then most of it
    # goes into pages that the database has already, and its own room can be used again.
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
