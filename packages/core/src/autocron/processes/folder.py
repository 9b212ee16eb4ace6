"""The folder of run-time files beside the database, which only its owner may enter."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autocron.errors import DatabaseUnusable, StoreError
from autocron.private import check_folder, check_planted, located, open_private

_ENDING = ".autocron"


@dataclass(frozen=True)
class RuntimeFolder:
    """The names of the run-time files of one database.

    Lock files are never deleted: a process that waits for the lock on a deleted file and one that
    locks its successor would both have it. (Of `alive_lock` that is what is wanted.)
    """

    path: Path

    @classmethod
    def of(cls, database: Path) -> RuntimeFolder:
        """Return the folder of a database; however a file is named, it has one folder."""
        return cls(Path(f"{located(database)}{_ENDING}"))

    def create(self) -> None:
        """Make the folder, and see to it that it is its owner's alone, with all that is in it.

        Raises:
            DatabaseUnusable: it cannot be made, or everybody could put another in its place.
            StoreError: it belongs to somebody else, is no folder, or has something in it that is not ours.
        """
        check_folder(self.path.with_name(self.path.name.removesuffix(_ENDING)))
        folders = (self.path, self.listeners, self.tasks)
        for path in folders:
            _make_private(path)
        for folder in folders:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if Path(entry.path) not in folders:
                        _check_entry(Path(entry.path))
        with suppress(OSError):  # a full disk; then changes are seen at the next start
            _touch(self.settings_mark)

    def remove_if_unused(self) -> None:
        """Remove the folder again if nobody has used it: its database is none."""
        with suppress(OSError):  # it is not empty
            self.settings_mark.unlink(missing_ok=True)
            self.listeners.rmdir()
            self.tasks.rmdir()
            self.path.rmdir()

    @property
    def apps_lock(self) -> Path:
        """Held shared by every process that started autocron."""
        return self.path / "apps.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor."""
        return self.path / "supervisor.lock"

    @property
    def alive_lock(self) -> Path:
        """Held by the supervisor as well, and waited for; each of them makes the file anew."""
        return self.path / "alive.lock"

    @property
    def orders(self) -> Path:
        """What the newest web process wants its supervisor and workers to be."""
        return self.path / "orders.json"

    @property
    def load_error(self) -> Path:
        """Why the app could not be imported the last time, as it was logged."""
        return self.path / "load-error.txt"

    def worker_lock(self, number: int) -> Path:
        """Held by the worker of that number."""
        return self.path / f"worker-{number}.lock"

    @property
    def settings_mark(self) -> Path:
        """An empty file whose time tells when an administrator has changed settings."""
        return self.path / "settings.mark"

    def settings_version(self) -> int:
        """Return what is another number whenever an administrator has changed settings."""
        try:
            return os.stat(self.settings_mark).st_mtime_ns
        except OSError:  # the folder was deleted, for example
            return 0

    def tell_settings_changed(self) -> None:
        """Have processes of the app look at the settings; makes no file, as it may be root who calls it."""
        with suppress(FileNotFoundError):  # then nothing runs that would have to be told
            os.utime(self.settings_mark, follow_symlinks=False)

    @property
    def callers_lock(self) -> Path:
        """Held while a caller stores jobs."""
        return self.path / "callers.lock"

    @property
    def writers_lock(self) -> Path:
        """Held while a worker or the supervisor writes."""
        return self.path / "writers.lock"

    @property
    def output_lock(self) -> Path:
        """Held while a worker or the supervisor sends lines of output."""
        return self.path / "output.lock"

    @property
    def supervisor_socket(self) -> Path:
        """Where the supervisor gets its messages."""
        return self.path / "supervisor.sock"

    @property
    def workers_socket(self) -> Path:
        """Where idle workers are woken."""
        return self.path / "workers.sock"

    @property
    def listeners(self) -> Path:
        """Holds a socket for each process that waits for the end of a job."""
        return self.path / "listeners"

    @property
    def tasks(self) -> Path:
        """Holds an empty file for each task of which a process of the app has handed over a call."""
        return self.path / "tasks"

    def add_task(self, name: str) -> None:
        """Note that a process of the app has a task of that name.

        Raises:
            OSError: the disk is full, for example.
            StoreError: somebody else has put something there.
        """
        _touch(self.tasks / name)

    def has_task(self, name: str) -> bool:
        """Whether a process of the app has a task of that name."""
        return "/" not in name and os.path.lexists(self.tasks / name)


def _touch(path: Path) -> None:
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT)
    os.fchmod(descriptor, 0o600)  # whatever the umask
    os.close(descriptor)


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        folder, database = path.parent, path.with_name(path.name.removesuffix(_ENDING))
        reason = (
            f"its folder {folder} does not exist: make it, or name another path"
            if isinstance(error, FileNotFoundError)
            else f"cannot be made ({error.strerror}): name a file in a folder that you may write to"
        )
        raise DatabaseUnusable(path=database, reason=reason) from error
    _check_is_own(path, path.lstat())
    if stat.S_IMODE(path.lstat().st_mode) != 0o700:
        os.chmod(path, 0o700)  # whatever the umask
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(path=path, reason=f"cannot be opened ({error.strerror})") from error
    try:
        _check_is_own(path, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _check_is_own(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        reason = "is not a folder of yours: remove it, or run under the user who owns the database"
        raise StoreError(path=path, reason=reason)


def _check_entry(path: Path) -> None:
    try:
        check_planted(path, path.lstat(), also=stat.S_IFSOCK)
    except FileNotFoundError:
        pass  # a process that has just ended had made it


def write_private(path: Path, content: bytes) -> None:
    """Put a file that is its owner's alone in the place of an earlier one, as a whole.

    Raises:
        OSError: the disk is full, for example.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            file.write(content)
        os.replace(fresh, path)
    except BaseException:  # whatever it is, half a file must not stay
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def read_private(path: Path, *, root_may: bool = False) -> bytes:
    """Return what `write_private` has written; root may want to see what is another user's.

    Raises:
        OSError: it cannot be read.
        StoreError: it was put there by somebody else.
    """
    with open(open_private(path, os.O_RDONLY, root_may=root_may), "rb") as file:
        return file.read()
