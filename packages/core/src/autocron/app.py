"""`start()`, `stop()`, and which database a call goes to."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import finalize

from autocron import tasks
from autocron.errors import AlreadyStarted, NotStarted, StartedTwice
from autocron.results import Result

# Imported by the functions that need them: `import autocron` is to be quick, also in programs that never start it.
if TYPE_CHECKING:
    from datetime import tzinfo

    from autocron.client import Client
    from autocron.integration import Integration
    from autocron.model import Job, JobStatus
    from autocron.outbox import Outbox
    from autocron.settings import Durability, Handover, LogLevel


class _Process:
    """What this process has started."""

    def __init__(self) -> None:
        self.outbox: Outbox | None = None
        self.clients: list[Client] = []
        self.given: dict[str, Any] = {}
        self.finders: list[Callable[[], Client | None]] = []
        self.worker: Client | None = None
        self.stand_in: Client | None = None
        self.guard = threading.RLock()

    @property
    def default(self) -> Client | None:
        """What a call goes to for which nobody knows another: of those that are connected, the first."""
        clients = self.clients  # another thread may be replacing it
        return clients[0] if clients else None


_process = _Process()


def start(
    database: str | os.PathLike[str],
    *,
    workers: int | None = None,
    durability: Durability | None = None,
    autostart: bool | None = None,
    enabled: bool | None = None,
    handover: Handover | None = None,
    ttl: float | None = None,
    timezone: str | tzinfo | None = None,
    shutdown_timeout: float | None = None,
    kill_after: float | None = None,
    crash_limit: int | None = None,
    max_jobs_per_worker: int | None = None,
    max_memory_per_worker: int | None = None,
    busy_timeout: float | None = None,
    check_interval: float | None = None,
    log_file: str | os.PathLike[str] | None = None,
    log_level: LogLevel | None = None,
    python: str | None = None,
    **unknown: Any,
) -> None:
    """Connect to a database, and see to it that worker processes run. Returns at once.

    To be called once, by each process of the application, where the application is made. The
    worker processes import the module that calls it. They end when the last such process does.
    In a worker process it only connects. Called again with the same settings it does nothing.

    Args:
        database: the SQLite file; made when missing. A relative path starts at the current
            directory.
        workers: how many worker processes run jobs, 1 to 64; 1 if not given.
        durability: what a stored job survives: `"full"` (the default) also power loss,
            `"normal"` any crash of a process.
        autostart: False only connects, and starts no processes.
        enabled: False has delayed functions run in their caller, and starts nothing.
        handover: `"wait"` has every call return when its job is stored, `"background"` leaves
            that to a thread; `"auto"` (the default) waits unless called in an event loop.
        ttl: for how many seconds outcomes are kept; 1800 if not given.
        timezone: the time zone of schedules that do not name one, such as `"Europe/Berlin"`; the
            machine's if not given.
        shutdown_timeout: for how many seconds running jobs may go on when the application has
            ended, before they are given back; 8 if not given.
        kill_after: for how many seconds a job may go on that was told to end, at its time limit or when
            it is cancelled by force, before its worker is killed; 5 if not given.
        crash_limit: after how many workers that died of it a job is not tried again; 3 if not given.
        max_jobs_per_worker: after how many jobs a worker is replaced by a new one; 0, the default,
            for never.
        max_memory_per_worker: above how many megabytes of memory a worker is replaced after its job;
            0, the default, for no limit.
        busy_timeout: for how many seconds to wait for another program's lock on the database;
            30 if not given.
        check_interval: after how many seconds without a wake-up an idle process looks for work
            all the same; 30 if not given.
        log_file: the file that the output of supervisor and workers goes to; a relative path starts
            at the database's folder. Where the application's output goes if not given.
        log_level: from which level on supervisor and workers log what happens, unless the application
            configures logging: `"debug"`, `"info"`, `"warning"` (the default) or `"error"`.
        python: the interpreter for worker processes; the one that runs the application if not
            given.
        unknown: nothing else is allowed; an error names the nearest setting.

    Raises:
        SettingsError: names everything that is wrong with the settings.
        StoreError: the database cannot be used; says why and what to do.
        AlreadyStarted: it was started with something else before, or by an extension.

    Example:
        ```python
        app = Flask(__name__)
        autocron.start("project.db", workers=2)
        ```
    """
    given = {name: value for name, value in locals().items() if value is not None}
    given |= given.pop("unknown")
    start_for(name_of_caller(), given)


def name_of_caller() -> str:
    """Return the name of the module that has called the function that calls this."""
    caller = sys._getframe(2)  # noqa: SLF001 - documented, and the only way to see the caller
    return str(caller.f_globals.get("__name__", "__main__"))


def start_for(caller: str, given: Mapping[str, Any]) -> bool:
    """Do what `start()` does, when it is called by a module.

    Args:
        caller: the name of the module, which the workers import.
        given: the settings.

    Returns:
        Whether it was not started before.
    """
    from autocron.integration import ModuleIntegration

    integration = ModuleIntegration.of_process({caller}, given)
    with _process.guard:
        if _process.default is not None and _process.worker is None:
            _check_same(given)
            _process.default.start()
            return False
        connect(integration)
        _process.given = dict(given)
        return True


def _check_same(given: Mapping[str, Any]) -> None:
    if not _process.given:
        raise StartedTwice
    if {**_process.given, "database": None} == {**given, "database": None}:
        running = _process.given.get("database")
        if running is not None and os.path.realpath(running) == os.path.realpath(given["database"]):
            return
    raise AlreadyStarted(running=_in_words(_process.given), asked=_in_words(given))


def _in_words(settings: Mapping[str, Any]) -> str:
    shown = {**settings, "database": os.fspath(settings["database"])}
    return ", ".join(f"{name}={value!r}" for name, value in shown.items())


def stop() -> None:
    """Disconnect. Workers end unless another process of the application has them.

    Rarely needed: workers follow the application. Jobs that did not run stay in the database and
    run after the next start. Stopping before a start, or twice, does no harm.

    Example:
        >>> stop()
    """
    with _process.guard:
        clients, _process.given, _process.outbox = _process.clients, {}, None
    for client in clients:
        disconnect(client)


def result(job_id: str) -> Result[Any]:
    """Return the handle on a job from its id, in whatever process it was made.

    Args:
        job_id: what `Result.id` is.

    Raises:
        NotStarted: no database is known yet.

    Example:
        ```python
        autocron.result(request.args["job"]).status
        ```
    """
    return Result(job_id, current_client())


def jobs(limit: int = 50, status: JobStatus | None = None) -> list[Job]:
    """Return the latest jobs, newest first.

    Args:
        limit: how many at most.
        status: only jobs of this status; all if not given.

    Raises:
        NotStarted: no database is known yet.

    Example:
        ```python
        for job in autocron.jobs(limit=20):
            print(job.task, job.status)
        ```
    """
    return current_client().jobs(limit, status)


# For adapters -------------------------------------------------------------------------------


def connect(integration: Integration, *, prefix: str = "", owner: object = None) -> Client:
    """Connect an application to its database, and start what it needs to run; return the client.

    Nothing is started as long as the integration says that this process does not serve: the adapter
    calls the client's `start()` when it does.

    The first client of a process takes over the calls that were made before, and gets all calls
    for which no finder knows another. In a worker the application gets the worker's own
    client, if it asks for the same database.

    Args:
        integration: the application.
        prefix: what the framework puts before the names of settings, for messages.
        owner: what the framework has of an application; when it is gone, the client lets go of the database.

    Raises:
        SettingsError: names everything that is wrong with the settings.
        StoreError: the database cannot be used; says why and what to do.
        StartedTwice: `start()` was called as well.
    """
    from autocron.client import Client
    from autocron.processes.log import start_logging
    from autocron.settings import load_settings

    with _process.guard:
        in_worker = _process.worker is not None
        if _process.given and not in_worker:
            raise StartedTwice
        given = integration.settings()
        worker = _process.worker
        # Looked at before it is opened: a disk that fails just now is no fault of the application's code.
        if worker and worker.is_for(load_settings(given, prefix=prefix).settings.database):
            return worker
        start_logging()  # before: some of what was set with the tool may not be usable
        client = Client(
            integration, given, prefix=prefix, autostart=not in_worker, creates=not in_worker
        )
        try:
            if integration.should_start():
                client.start()
            if calls_wait():
                assert _process.outbox is not None
                _process.outbox.hand_over(client)
            _process.clients = [*_process.clients, client]
        except BaseException:  # a start that fails, or is interrupted, leaves nothing half done
            client.stop()
            raise
        if owner is not None:
            # A process that ends does that by itself.
            finalize(owner, disconnect, client).atexit = False
        return client


def disconnect(client: Client) -> None:
    """Undo `connect`: the client lets go of the database and of the workers, and gets no more calls. Twice does no harm."""
    with _process.guard:
        _process.clients = [each for each in _process.clients if each is not client]
        if not _process.clients:  # what has handed its calls over would go on doing so
            _process.outbox = None
    client.stop()


def add_finder(finder: Callable[[], Client | None]) -> None:
    """Have `finder()` asked which client a call belongs to, for processes with several."""
    if finder not in _process.finders:
        _process.finders.append(finder)


def calls_wait() -> bool:
    """Whether there are calls that wait for the first client of this process."""
    outbox = _process.outbox
    return _process.default is None and outbox is not None and not outbox.is_inherited


def become_worker(client: Client) -> None:
    """Make this process a worker: it starts no processes, and its calls go to `client`."""
    _process.worker, _process.clients = client, [client]


def in_worker() -> bool:
    """Whether this process is a worker."""
    return _process.worker is not None


def current_client() -> Client:
    """Return the client that calls made here and now go to.

    Raises:
        NotStarted: there is none.
    """
    client = _find_client()
    if client is None:
        raise NotStarted
    return client


def is_stood_in() -> bool:
    """Whether a test has put another client in the place of that of this process."""
    return _process.stand_in is not None


def stand_in(client: Client | None) -> Client | None:
    """Have all calls of this process go to a client, for tests; None for none. Return what it was before."""
    before, _process.stand_in = _process.stand_in, client
    return before


def _find_client() -> Client | None:
    if _process.stand_in is not None:
        return _process.stand_in
    for finder in _process.finders:
        client = finder()
        if client is not None:
            return client
    return _process.default


def _dispatcher() -> tasks.Dispatcher:
    client = _find_client()
    if client is not None:
        return client
    with _process.guard:  # another thread may be starting it just now
        if _process.default is not None:
            return _process.default
        if _process.outbox is None or _process.outbox.is_inherited:
            from autocron.outbox import Outbox

            _process.outbox = Outbox()
        return _process.outbox


tasks.set_dispatcher(_dispatcher)
