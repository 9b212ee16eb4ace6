"""One process's connection to one database: stores jobs, finds them, and keeps workers running."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autocron import events
from autocron.clock import Clock, system_clock
from autocron.coroutines import in_event_loop
from autocron.current import CurrentJob, enter, leave
from autocron.errors import StoreError
from autocron.integration import Integration, find_function
from autocron.model import Attempt, Job, JobStatus, NewJob, Schedule, StoredSchedule
from autocron.model_admin import EVERY_JOB, Selection
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import CallersTurn, fork_guard
from autocron.processes.log import start_logging
from autocron.processes.membership import Membership
from autocron.processes.spawn import AppCode, Orders
from autocron.processes.wakeup import SOMETHING_DUE, Sender, wake_listeners
from autocron.results import Result
from autocron.running.report import report_cancellation
from autocron.settings import LoadedSettings, Settings, Source, load_settings, usable_settings
from autocron.stores.protocol import Store
from autocron.stores.sqlite import SqliteStore

# Imported by the functions that need them, which many processes never call.
if TYPE_CHECKING:
    from concurrent.futures import Future

    from autocron.inline import Latest
    from autocron.listener import Listener
    from autocron.writer import BackgroundWriter

_MOST_WAKE_UPS = 64
_LOOK_AT_SETTINGS = 0.5


class Client:
    """What a process that started autocron holds of one database.

    Applications use `autocron.start()`, which makes one; adapters make one for each application.

    Args:
        integration: the application around it.
        given: the settings that the application has configured.
        prefix: what the framework puts before the names of settings, for messages.
        autostart: overrides the setting: False in processes that must not start workers.
        clock: gives the time.
        creates: whether to make the database when it is missing; workers must not.

    Raises:
        SettingsError: names everything that is wrong with the settings.
        StoreError: the database cannot be used; says why and what to do.
    """

    def __init__(
        self,
        integration: Integration,
        given: Mapping[str, Any],
        *,
        prefix: str = "",
        autostart: bool = True,
        clock: Clock = system_clock,
        creates: bool = True,
    ) -> None:
        self._integration = integration
        self._clock = clock
        self._given, self._prefix = given, prefix
        self.configured: LoadedSettings = load_settings(given, prefix=prefix)
        """What the application has configured, without what an administrator has set."""
        self._autostart = autostart
        settings = self.configured.settings
        self._folder = RuntimeFolder.of(settings.database)
        self.store: Store = _open_store(settings, self._folder, creates=creates)
        """Where the jobs are."""
        self._settings_version = self._folder.settings_version()
        self._look_at_settings_at = 0.0
        self._is_wanted = False
        self._keeps_workers = False
        self._listener: Listener | None = None
        try:
            self._use(self._load_settings())
        except BaseException:  # nobody else could close it
            self.store.close()
            raise
        self._inline: Latest | None = None
        self._noted_tasks: set[str] = set()
        self._guard = threading.RLock()
        self._membership: Membership | None = None
        self._forget_process()

    def _load_settings(self) -> LoadedSettings:
        admin, problems = usable_settings(self._given, self.store.settings())
        if problems and self._autostart:  # of a worker, the supervisor tells
            events.emit("app.settings_wrong", error="; ".join(problems))
        return load_settings(self._given, admin, prefix=self._prefix)

    def _use(self, loaded: LoadedSettings) -> None:
        self.loaded = loaded
        """The settings, and where each of them comes from."""
        settings = loaded.settings
        self.store.configure(ttl=settings.ttl, busy_timeout=settings.busy_timeout)
        self._enabled = settings.enabled
        self._is_durable = settings.durability == "full"
        self._waits = {"wait": True, "background": False, "auto": None}[settings.handover]
        # When an administrator has disabled it, a supervisor waits until it is enabled again.
        is_enabled = settings.enabled or self.configured.settings.enabled
        may_start = (settings.autostart and is_enabled) or self._keeps_workers
        self._starts_processes = self._autostart and may_start
        if self._listener is not None:
            self._listener.check_interval = settings.check_interval

    def _look_at_settings(self) -> None:
        """See from time to time whether an administrator has changed them."""
        now = time.monotonic()
        if now < self._look_at_settings_at:
            return
        self._look_at_settings_at = now + _LOOK_AT_SETTINGS
        if self._folder.settings_version() == self._settings_version:
            return
        if in_event_loop():  # which must not wait for the database; the next call will know
            threading.Thread(target=self._reload, name="autocron-settings", daemon=True).start()
        else:
            self._reload()

    def _reload(self) -> None:
        with self._reloading:
            version = self._folder.settings_version()
            if version == self._settings_version:
                return  # another thread was faster
            try:
                loaded = self._load_settings()
            except StoreError:
                return  # whoever writes will tell; they are looked at again then
            self._use(loaded)
            self._settings_version = version
        if self._is_wanted:
            self.start()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.loaded.settings

    @property
    def integration(self) -> Integration:
        """The application around it."""
        return self._integration

    @property
    def runs_in_caller(self) -> bool:
        """Whether calls are run at once, and not handed over, since autocron is disabled."""
        return not self._enabled

    def is_task(self, name: str) -> bool:
        """Whether a process of the application has handed over calls of a task, so that it is one."""
        return self._folder.has_task(name)

    def is_for(self, database: Path) -> bool:
        """Whether it leads to that file."""
        return self._folder == RuntimeFolder.of(database)

    def _forget_process(self) -> None:
        """Forget what a forked child must not use: it belongs to the parent."""
        self._guard, self._reloading = threading.RLock(), threading.Lock()
        self._writer: BackgroundWriter | None = None
        self._listener = None
        self._workers = Sender(self._folder.workers_socket)
        self._supervisor = Sender(self._folder.supervisor_socket)
        self._membership = None
        self._pid = os.getpid()  # last: whoever sees it finds all of the above

    # Starting and stopping ------------------------------------------------------------------

    def start(self) -> None:
        """See to it that there are workers; starting twice does no harm."""
        start_logging()
        self._check_process()
        self._is_wanted = True
        with self._guard:
            if self._starts_processes and self._membership is None:
                self._membership = Membership(self._folder, self._orders)
                self._membership.join()

    def keep_workers(self) -> None:
        """See to it that there are workers, also if the processes that serve do not: for `autocron run`."""
        self._keeps_workers = True
        self._use(self.loaded)
        self.start()

    def stop(self) -> None:
        """Let go of the database and of the workers, which end unless another process has them.

        Jobs that were handed over in the background are stored before. Stopping twice does no harm.
        """
        self._is_wanted = False
        self.flush()  # not within the guard, which those may need who wait for a call
        with self._guard:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
            if self._membership is not None:
                self._membership.leave()
                self._membership = None
        self._workers.close()
        self._supervisor.close()
        self.store.close()

    def flush(self) -> None:
        """Return when all jobs that were handed over in the background are stored."""
        self._check_process()
        if self._writer is not None:
            self._writer.flush()

    def _check_process(self) -> None:
        """Find out whether this is a fork of the process that was started, and join as one more."""
        if self._pid == os.getpid():
            return
        with fork_guard():  # of several threads that come first, one does it
            if self._pid == os.getpid():
                return
            was_member = self._membership is not None
            self._forget_process()
            if was_member:
                self.start()

    def _orders(self) -> Orders:
        kind = type(self._integration)
        code = AppCode(
            integration=f"{kind.__module__}:{kind.__qualname__}",
            data=self._integration.describe(),
            path=[os.path.abspath(entry) for entry in sys.path],
            argv=sys.argv,
            folder=os.getcwd(),
        )
        admin = self.loaded.values_of(Source.ADMIN)
        return Orders(self.configured.values_of(Source.APP), code, admin)

    # Handing over ---------------------------------------------------------------------------

    def dispatch(self, jobs: Sequence[NewJob]) -> list[Result[Any]]:
        """Store the jobs, all or none, and return their handles; see the setting `handover`."""
        self._check_process()
        self._look_at_settings()
        if not self._enabled:
            return [self._run_here(job) for job in jobs]
        if self._is_for_commit(jobs[0]):
            from autocron.commits import JobsOfTransaction

            source = JobsOfTransaction(jobs, self)
            if self._integration.on_commit(source.at_commit(self._hand_over)):
                return [Result(job.id, source, source.storing) for job in jobs]
        storing = self._hand_over(jobs)
        return [Result(job.id, self, storing) for job in jobs]

    def _is_for_commit(self, job: NewJob) -> bool:
        wanted = job.options.enqueue_on_commit
        return self.settings.enqueue_on_commit if wanted is None else wanted

    def _hand_over(self, jobs: Sequence[NewJob]) -> Future[None] | None:
        """Store the jobs, or return the future of that."""
        if self._waits is True or (self._waits is None and not in_event_loop()):
            self._put_in(jobs)
            return None
        return self._background_writer().put(jobs)

    def _put_in(self, jobs: Sequence[NewJob]) -> None:
        for job in jobs:
            if job.task not in self._noted_tasks:
                self._note_task(job.task)
        now = self._clock()
        self.store.enqueue(jobs, now)
        # Workers are woken before the disk has it all: a job may run a moment before it is safe
        # from a loss of power, but the caller is not told that it is stored until it is.
        self._wake(jobs, now)
        if events.is_wanted("job.enqueued"):
            _tell_of(jobs, now)
        if self._is_durable:
            self.store.sync()

    def _note_task(self, name: str) -> None:
        """Let workers know that this task is one, in case that they have not imported its module."""
        try:
            self._folder.add_task(name)
        except (
            OSError,
            StoreError,
        ) as error:  # most have imported it, so this is no reason not to store the job
            events.emit("app.task_not_noted", task=name, error=error)
        else:
            self._noted_tasks.add(name)

    def _wake(self, jobs: Sequence[NewJob], now: float) -> None:
        at_once = sum(job.options.due(now) is None for job in jobs)
        is_heard = True
        for _ in range(min(at_once, _MOST_WAKE_UPS)):
            is_heard &= self._workers.send()
        if at_once < len(jobs):
            is_heard &= self._supervisor.send(SOMETHING_DUE)
        if not is_heard:
            self._revive()

    def _revive(self) -> None:
        """Look after the supervisor, since nobody listens; often it is only just starting."""
        membership = self._membership
        if membership is not None:
            membership.revive()

    def _background_writer(self) -> BackgroundWriter:
        with self._guard:
            if self._writer is None:
                from autocron.writer import BackgroundWriter

                self._writer = BackgroundWriter(self._put_in)
            return self._writer

    def _run_here(self, job: NewJob) -> Result[Any]:
        from autocron.inline import Ended, Latest, attempts_at, inline_job
        from autocron.running.executor import execute

        began = self._clock()
        token = enter(lambda: CurrentJob(job.id, job.task, attempt=1))
        produced = execute(find_function, job.task, job.arguments, self._context_here)
        leave(token)
        ended = inline_job(job, produced, began, self._clock())
        if ended.status is JobStatus.ERROR:
            self._tell_of_failure(ended)
        if self._inline is None:
            self._inline = Latest()
        attempts = attempts_at(ended, produced)
        self._inline.add(ended, attempts)
        return Result(job.id, Ended(ended, attempts))

    def _tell_of_failure(self, job: Job) -> None:
        """Log it: many handles are dropped, and nobody else would tell."""
        error, traceback = job.error, job.traceback
        events.emit("job.failed", id=job.id, task=job.task, error=error, traceback=traceback)

    def _context_here(self) -> AbstractContextManager[Any]:
        """Return what is entered around a job that runs in its caller, which has a context already."""
        return nullcontext()

    # Schedules ------------------------------------------------------------------------------

    def plan(self, schedule: Schedule) -> StoredSchedule:
        """Return a schedule with its times as they are from now on."""
        from autocron.running import scheduler

        self._check_process()
        zoned = scheduler.in_zone(schedule, self.settings.timezone)
        return scheduler.plan(zoned, self.store.schedule(schedule.name), self._clock())

    # Finding jobs ---------------------------------------------------------------------------

    def job(self, job_id: str) -> Job | None:
        """Return a job as it stands now, or None if there is none (any more)."""
        return (self._inline and self._inline.get(job_id)) or self.store.get(job_id)

    def jobs(self, limit: int, status: JobStatus | None) -> list[Job]:
        """Return the latest jobs, newest first."""
        inline = [] if self._inline is None else self._inline.list(status)
        selection = EVERY_JOB if status is None else Selection(statuses=(status,))
        return (inline + self.store.latest(limit, selection))[:limit]

    def attempts(self, job_id: str) -> list[Attempt]:
        """Return the attempts at a job that did not succeed, the first one first."""
        inline = self._inline.attempts(job_id) if self._inline else ()
        return list(inline) or self.store.attempts(job_id)

    def cancel(self, job_id: str, *, force: bool) -> JobStatus | None:
        """End a job that waits, or ask a running one to stop; return where it stands then."""
        if self._inline and (ended := self._inline.get(job_id)):
            return ended.status
        self._check_process()
        cancellation = self.store.cancel(job_id, self._clock(), force=force)
        if cancellation is None:
            return None
        report_cancellation(job_id, cancellation)
        if cancellation.awaited:
            wake_listeners(self._folder.listeners)
        self._supervisor.send(SOMETHING_DUE)  # it stops what is running, and lets go what was held
        return cancellation.status

    def will_store(self) -> None:
        """Do nothing: what was handed over is going to be stored, or its caller is told."""

    def when_ended(self, job_id: str, callback: Callable[[], None]) -> None:
        """Have `callback` called by a thread when the job has ended, or is gone; never waits."""
        self._check_process()
        if self._inline and self._inline.get(job_id):
            callback()
            return
        with self._guard:
            if self._listener is None:
                from autocron.listener import Listener

                self._listener = Listener(
                    self.store, self._folder.listeners, self.settings.check_interval
                )
            self._listener.add(job_id, callback)


def _open_store(settings: Settings, folder: RuntimeFolder, *, creates: bool) -> Store:
    store = SqliteStore(
        settings.database,
        turn=CallersTurn(folder.callers_lock),
        busy_timeout=settings.busy_timeout,
        ttl=settings.ttl,
        creates=creates,
    )
    store.when_replaced(lambda: _tell_supervisor(folder))
    folder.create()
    try:
        store.migrate()
    except StoreError:
        store.close()
        folder.remove_if_unused()
        raise
    return store


def _tell_supervisor(folder: RuntimeFolder) -> None:
    """Have the supervisor look soon, and see that there is another database."""
    sender = Sender(folder.supervisor_socket)
    sender.send(SOMETHING_DUE)
    sender.close()


def _tell_of(jobs: Sequence[NewJob], now: float) -> None:
    for job in jobs:
        due = job.options.due(now)
        when = "at once" if due is None else _in_words(due)
        events.emit("job.enqueued", id=job.id, task=job.task, queue=job.options.queue, due=when)


def _in_words(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).astimezone().isoformat(" ", "seconds")
