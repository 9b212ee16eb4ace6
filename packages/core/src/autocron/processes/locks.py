"""Locks that the kernel holds for a process: gone when it is, however it ended. See flock(2).

A lock belongs to an open file, not to a process: a forked child shares it. So each lock is opened
anew by whoever takes it, what a child inherited is closed there, and a lock is handed to a spawned process
by letting it inherit the open file.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from autocron.errors import StoreError
from autocron.private import check_owner, open_private

_open_locks: dict[int, tuple[int, int]] = {}
_changing = threading.RLock()
"""Held while a file is opened or closed: a fork in between, by another thread, would leave the child
with a file that it does not know of, and so with the lock."""
_fork_hook_set = False
_owner = os.getpid()
"""The process whose locks these are. Hooks of a fork do not run in that of uWSGI, for example."""


def _open(path: Path) -> int:
    with _changing:
        _set_fork_hook()
        if os.getpid() != _owner:
            close_inherited()
        # Only to be read, which is enough for a lock: a disk may be read-only for a while.
        descriptor = open_private(path, os.O_RDONLY | os.O_CREAT)
        _remember(descriptor)
    if os.fstat(descriptor).st_mode & 0o777 != 0o600:
        os.fchmod(descriptor, 0o600)  # whatever the umask
    return descriptor


def adopt(descriptor: int) -> None:
    """Keep a lock that this process was given at its start, and do not pass it on."""
    os.set_inheritable(descriptor, False)
    with _changing:
        _set_fork_hook()
        _remember(descriptor)


def fork_guard() -> threading.RLock:
    """Return a lock that no other thread holds in a forked child, whenever the fork happened."""
    _set_fork_hook()
    return _changing


def _set_fork_hook() -> None:
    global _fork_hook_set
    if not _fork_hook_set:
        os.register_at_fork(
            before=_changing.acquire,
            after_in_parent=_changing.release,
            after_in_child=_after_fork_in_child,
        )
        _fork_hook_set = True


def _remember(descriptor: int) -> None:
    status = os.fstat(descriptor)
    _open_locks[descriptor] = (status.st_dev, status.st_ino)


def _close(descriptor: int) -> None:
    with _changing:
        del _open_locks[descriptor]
        os.close(descriptor)


def _after_fork_in_child() -> None:
    close_inherited()
    _changing.release()


def close_inherited() -> None:
    """Close, in a forked child, the locks of its parent; they stay the parent's."""
    global _owner
    for descriptor, identity in list(_open_locks.items()):
        try:
            status = os.fstat(descriptor)
        except OSError:
            continue  # somebody has closed all files of the child
        if (status.st_dev, status.st_ino) == identity:
            os.close(descriptor)
    _open_locks.clear()
    _owner = os.getpid()


class Lock:
    """A lock on a file. Taking it opens the file, releasing it closes it.

    Example:
        ```python
        lock = Lock(folder.supervisor_lock)
        if lock.acquire(wait=False):
            ...
            lock.release()
        ```
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @classmethod
    def handed_over(cls, path: Path, descriptor: int) -> Lock:
        """Return the lock whose open file this process was given at its start."""
        adopt(descriptor)
        lock = cls(path)
        lock._descriptor = descriptor
        return lock

    @property
    def descriptor(self) -> int:
        """The open file that holds the lock, for handing it to a spawned process."""
        if self._descriptor is None:
            raise ValueError(f"{self._path} is not locked")
        return self._descriptor

    def acquire(self, *, wait: bool, shared: bool = False) -> bool:
        """Take the lock; return whether it was taken, which is always so with `wait`."""
        mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        while True:
            descriptor = _open(self._path)
            try:
                fcntl.flock(descriptor, mode)
            except BaseException as error:  # a signal handler's as well, in the midst of waiting
                _close(descriptor)
                if isinstance(error, BlockingIOError):
                    return False
                raise
            if _is_still(self._path, descriptor):
                self._descriptor = descriptor
                return True
            _close(descriptor)  # the file was deleted while we waited for it

    def detach(self) -> int:
        """Return the open file that holds the lock, which is from now on the caller's to close.

        A forked child has it, too, and does not close it by itself.
        """
        descriptor = self.descriptor
        self._descriptor = None
        del _open_locks[descriptor]
        return descriptor

    def release(self) -> None:
        """Release the lock; to release one that is not held does no harm."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor in _open_locks:
            _close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether some process holds the lock. Makes nothing, and may be asked by root as well."""
    try:
        with _changing:
            _set_fork_hook()
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            _remember(descriptor)
    except FileNotFoundError:
        return False
    try:
        check_owner(path, os.fstat(descriptor), root_may=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        _close(descriptor)
    return False


_TRY_AGAIN = 1.0


def when_free(path: Path, callback: Callable[[], object], *, name: str) -> None:
    """Call `callback` in a thread of that name as soon as nobody holds the lock."""

    def wait() -> None:
        lock = Lock(path)
        while True:
            try:
                lock.acquire(wait=True)
                break
            except FileNotFoundError:
                break  # the whole folder was deleted, and nobody can hold it
            except (OSError, StoreError):  # too many open files, for example
                time.sleep(_TRY_AGAIN)
        lock.release()
        callback()

    threading.Thread(target=wait, name=name, daemon=True).start()


# Taking turns at the database -----------------------------------------------------------------
#
# SQLite lets one process write at a time, and has no queue for the others: who asks just after a
# commit wins. So that a caller never starves beside busy workers, callers hold a lock of their own
# while they write; workers look at it first and let callers go ahead. A caller that is alone
# pays two system calls for that.
#
# These locks are for fairness only, SQLite's own keep the data whole. That is why nobody waits for
# them without a limit: a process that is stopped while it holds one must not stop the others.

_PATIENCE = 0.05
_FIRST_PAUSE = 50e-6
_LONGEST_PAUSE = 1e-3


class _SharedFile:
    """A lock file that is kept open, by one process and across its threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._pid = -1

    def lock(self, mode: int, pid: int, patience: float = _PATIENCE) -> bool:
        """Take the lock if that is possible within a short time; return whether it was."""
        if self._pid != pid:
            try:
                self._descriptor, self._pid = _open(self._path), pid
            except OSError:
                return False  # too many open files, for example: fairness can wait
        try:
            fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._lock_soon(mode, patience)
        return True

    def _lock_soon(self, mode: int, patience: float) -> bool:
        pause, deadline = _FIRST_PAUSE, time.monotonic() + patience
        while time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            try:
                fcntl.flock(self._descriptor, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return True
        return False

    def unlock(self, pid: int) -> None:
        if self._pid == pid:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


class _Turn(ABC):
    """What all kinds of turn have in common: threads of one process come one by one."""

    def __init__(self) -> None:
        self._threads = self._new_guard()
        self._pid = os.getpid()

    def _new_guard(self) -> threading.Lock | threading.RLock:
        return threading.Lock()

    def __enter__(self) -> None:
        pid = os.getpid()
        if self._pid != pid:  # a thread of the parent may have held it at the fork
            with fork_guard():
                if self._pid != pid:
                    self._threads, self._pid = self._new_guard(), pid
        self._threads.acquire()
        try:
            self._begin(pid)
        except BaseException:  # Ctrl-C, or a signal handler's: `__exit__` is not called
            self._threads.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._end(self._pid)
        finally:
            self._threads.release()

    @abstractmethod
    def _begin(self, pid: int) -> None: ...

    @abstractmethod
    def _end(self, pid: int) -> None: ...


class CallersTurn(_Turn):
    """A caller's turn to write: those who come later wait, and workers let it go first."""

    def __init__(self, callers_lock: Path) -> None:
        super().__init__()
        self._callers = _SharedFile(callers_lock)

    def _begin(self, pid: int) -> None:
        self._callers.lock(fcntl.LOCK_EX, pid)

    def _end(self, pid: int) -> None:
        self._callers.unlock(pid)


class WorkersTurn(_Turn):
    """A worker's turn to write: one of them at a time, and only while no caller writes."""

    def __init__(self, callers_lock: Path, writers_lock: Path) -> None:
        super().__init__()
        self._callers = _SharedFile(callers_lock)
        self._writers = _SharedFile(writers_lock)

    def _begin(self, pid: int) -> None:
        self._writers.lock(fcntl.LOCK_EX, pid)
        if self._callers.lock(fcntl.LOCK_SH, pid):
            self._callers.unlock(pid)

    def _end(self, pid: int) -> None:
        self._writers.unlock(pid)


# Taking turns at the output -------------------------------------------------------------------
#
# What is longer than PIPE_BUF may be mixed with what others write to the same pipe. Here, too, whoever is
# stopped in the midst of it must not stop the others: rather a mixed line than a job that does not end.

_PATIENCE_FOR_OUTPUT = 1.0


class OutputTurn(_Turn):
    """A turn to write output, of one thread of one process at a time."""

    def __init__(self, output_lock: Path) -> None:
        super().__init__()
        self._output = _SharedFile(output_lock)
        self._patience = _PATIENCE_FOR_OUTPUT

    def _new_guard(self) -> threading.RLock:
        # What is collected while something is written may print as well, in the same thread.
        return threading.RLock()

    def _begin(self, pid: int) -> None:
        try:
            is_taken = self._output.lock(fcntl.LOCK_EX, pid, self._patience)
        except StoreError:  # somebody else has put it there, as whoever starts will be told
            is_taken = False
        # Who has waited in vain does not wait again and again.
        self._patience = _PATIENCE_FOR_OUTPUT if is_taken else 0.0

    def _end(self, pid: int) -> None:
        self._output.unlock(pid)
