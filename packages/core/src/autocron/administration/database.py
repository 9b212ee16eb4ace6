"""A database that an administrator looks into: opened as it is, and never made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocron.errors import AmbiguousJob, DatabaseUnusable, StoreError, UnknownJob
from autocron.model import Job
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.processes.spawn import read_orders
from autocron.processes.wakeup import SOMETHING_DUE, Sender, wake_listeners
from autocron.settings import LoadedSettings, Settings, Source, load_settings, usable_settings
from autocron.stores.protocol import AdminStore
from autocron.stores.sqlite import SqliteAdminStore

BUSY_TIMEOUT = 5.0
_MOST_WAKE_UPS = 64


@dataclass(frozen=True)
class Opened:
    """A database that is there, opened for one command or one page."""

    path: Path
    folder: RuntimeFolder
    store: AdminStore
    configured: LoadedSettings | None = None
    """What the application has configured, if that is known."""

    @property
    def runs(self) -> bool:
        """Whether there is a supervisor, which will do what is asked for."""
        return is_held(self.folder.supervisor_lock)

    def settings(self) -> Settings:
        """Return the settings in force, as far as they are known."""
        return settings_for(self.path, self.configured, self.store.settings())

    def job(self, part: str) -> Job:
        """Return the job that has an id, or the only one whose id begins or ends like this.

        Raises:
            UnknownJob: there is none.
            AmbiguousJob: there are several.
        """
        found = self.store.get(part)
        if found is not None:
            return found
        ids = self.store.find_ids(part, 2) if part else []
        if len(ids) > 1:
            raise AmbiguousJob(part=part, first=ids[0], second=ids[1])
        found = self.store.get(ids[0]) if ids else None
        if found is None:
            raise UnknownJob(id=part)
        return found

    def tell_supervisor(self) -> None:
        """Have the supervisor look."""
        _send(self.folder.supervisor_socket, 1, SOMETHING_DUE)

    def tell_workers(self, count: int = 1) -> None:
        """Have idle workers look, as many as there are jobs for."""
        _send(self.folder.workers_socket, min(count, _MOST_WAKE_UPS))

    def tell_waiting(self) -> None:
        """Have those look who wait for the end of jobs."""
        wake_listeners(self.folder.listeners)

    def tell_all_of_settings(self) -> None:
        """Have the processes of the application, and the supervisor, look at the settings."""
        self.folder.tell_settings_changed()
        self.tell_supervisor()


def _send(socket: Path, count: int, message: bytes = b"") -> None:
    with closing(Sender(socket)) as sender:
        for _ in range(count):
            sender.send(message)


def settings_for(
    path: Path, configured: LoadedSettings | None, admin: Mapping[str, Any]
) -> Settings:
    """Return the settings in force, of what application and administrator have set."""
    app: dict[str, Any] = {"database": path}
    if configured is not None:
        app |= configured.values_of(Source.APP)
    return load_settings(app, usable_settings(app, admin)[0]).settings


@contextmanager
def opened(path: Path, configured: LoadedSettings | None = None) -> Iterator[Opened]:
    """Open the database at a path, and close it after.

    Raises:
        StoreError: it is not there, or is none of ours.
    """
    if not os.path.lexists(path):
        reason = "there is no such file: name the one that the application uses"
        if configured is not None:
            reason = "there is no such file yet: it is made when the application starts, or first calls a task"
        raise DatabaseUnusable(path=path, reason=reason)
    # Without a turn: its lock would be one more file, and only serves fairness.
    store = SqliteAdminStore(
        path, turn=nullcontext(), busy_timeout=BUSY_TIMEOUT, creates=False, root_may=True
    )
    with closing(store):
        store.check_is_ours()  # before `migrate` would make it so
        store.migrate()
        folder = RuntimeFolder.of(path)
        found = Opened(path.absolute(), folder, store, configured or _configured(folder))
        store.configure(ttl=found.settings().ttl, busy_timeout=BUSY_TIMEOUT)
        yield found


def _configured(folder: RuntimeFolder) -> LoadedSettings | None:
    """Return what the newest process of the application has told the supervisor; None if there was none."""
    try:
        return load_settings(read_orders(folder.orders, root_may=True).settings)
    except (OSError, ValueError, StoreError):  # there is none, or it is of another version
        return None
