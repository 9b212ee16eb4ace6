"""Is there something to do that nobody does?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from autocron.administration.doctor.patient import Finding, Patient, listed
from autocron.administration.doctor.processes import alive
from autocron.errors import TaskNotFound
from autocron.model import JobStatus, StoredSchedule
from autocron.model_admin import Selection
from autocron.processes.folder import read_private
from autocron.settings import usable_settings
from autocron.stores.protocol import AdminStore

_SOON = 10.0
"""Within how many seconds a worker is ready, and an idle one has taken a job."""

_LONG_AGO = 60.0
_CLOCK_MAY_DIFFER = 60.0
_LATEST = 20
_END_SUPERVISOR = (
    "look into the application's log for what keeps the supervisor from it; if it says nothing, end the "
    "supervisor, and another takes its place"
)


# Tasks ----------------------------------------------------------------------------------------


def application_not_imported(patient: Patient) -> Iterator[Finding]:
    """Workers that cannot import the application run nothing."""
    file = patient.folder.load_error
    try:
        text = read_private(file, root_may=True).decode(errors="replace")
    except FileNotFoundError:
        return  # as it should be
    error = text.rstrip().rpartition("\n")[2]
    yield Finding(
        "not-imported",
        f"no worker can import the application: {error}",
        f"see the traceback in {file}, and correct the code; workers try again by themselves",
    )


def unknown_tasks(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Tasks that were renamed or removed, or whose modules the application does not import."""
    known = {task.name for task in store.tasks()}
    remedy = "was it renamed or removed? have the application import its module"
    for name, counts in store.counts_of_tasks().items() if known else ():
        if name in known:
            continue
        failed = _not_found(name, store) if counts[JobStatus.ERROR] else 0
        # What a process of the application has called is imported when it is to run.
        waiting = 0 if patient.folder.has_task(name) else counts[JobStatus.WAITING]
        if waiting:
            problem = f"jobs wait for the task {name}, which no worker has ({waiting} of them)"
            yield Finding("unknown-task", problem, f"{remedy}; or delete them (the verb `delete`)")
        elif failed:
            problem = (
                f"jobs have failed since no worker has the task {name} ({failed} of the latest)"
            )
            yield Finding("unknown-task", problem, f"{remedy}, then see the verb `retry`")


def _not_found(task: str, store: AdminStore) -> int:
    failed = store.latest(_LATEST, Selection(statuses=(JobStatus.ERROR,), task=task))
    errors = [job.error or "" for job in failed if job.task == task]
    return sum(error.startswith(f"{TaskNotFound.__name__}:") for error in errors)


# Schedules ------------------------------------------------------------------------------------


def silent_schedules(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Schedules that do not fire, and would not."""
    rests = _rests(patient, store)
    since = [worker.info.started_at for worker in alive(patient, store)]
    has_workers = any(moment < patient.now - _LONG_AGO for moment in since)
    for stored in store.schedules():
        if stored.retired:
            continue
        if stored.problem is not None:
            problem = f"the schedule {stored.schedule.name} never fires: {stored.problem}"
            remedy = "correct its rule or its time zone in the code"
            yield Finding("schedule-unusable", problem, remedy)
        elif stored.paused:
            problem = f"the schedule {stored.schedule.name} does not fire: it is paused"
            yield Finding("schedule-paused", problem, _resume(stored.schedule.name))
        elif not stored.confirmed and has_workers and not rests:
            yield _unconfirmed(stored)
        elif _is_overdue(stored, patient.now) and patient.has_supervisor and not rests:
            yield _overdue(stored, patient.now)


def _unconfirmed(stored: StoredSchedule) -> Finding:
    return Finding(
        "schedule-unconfirmed",
        f"the schedule {stored.schedule.name} does not fire: no worker of the present code has registered it",
        "see the verb `restart`; if it stays so, look into the application's log for why workers cannot do so",
    )


def _is_overdue(stored: StoredSchedule, now: float) -> bool:
    return stored.due is not None and stored.confirmed and stored.due < now - _LONG_AGO


def _overdue(stored: StoredSchedule, now: float) -> Finding:
    late = now - (stored.due or now)
    return Finding(
        "schedule-overdue",
        f"the schedule {stored.schedule.name} has been due for {late:.0f} s and has not fired, though there is a supervisor",
        _END_SUPERVISOR,
    )


# Settings -------------------------------------------------------------------------------------


def settings_left_out(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Somebody wrote them by hand, or a newer version has set them."""
    _, problems = usable_settings({"database": patient.database}, store.settings())
    for problem in problems:
        yield Finding(
            "setting-unusable",
            f"of what was set with the tool, this is left out: {problem}",
            "see the verbs `set` and `unset`",
        )


# Jobs -----------------------------------------------------------------------------------------


def nothing_runs(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """What an administrator, or the application, has switched off."""
    if not patient.settings.enabled:
        remedy = "see the verb `enable`"
        if "enabled" not in store.settings():
            remedy = "the application has set it so: change the setting `enabled` there"
        yield Finding("disabled", "nothing runs, since autocron is disabled", remedy)
    if store.wishes().paused:
        yield Finding(
            "paused", "nothing runs, since all is paused", "see the verb `resume`, with --all"
        )
    for queue in store.queues():
        if queue.paused and queue.ready:
            problem = (
                f"jobs wait in the queue {queue.name} ({queue.ready} of them), which is paused"
            )
            yield Finding("queue-paused", problem, _resume(f"--queue {queue.name}"))


def no_application(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Workers live as long as a process of the application."""
    waiting = store.counts()[JobStatus.WAITING]
    if waiting and not patient.has_application:
        yield Finding(
            "no-application",
            f"jobs wait ({waiting} of them), and no process of the application is there",
            "start the application, or see the verb `run`",
        )


def waiting_beside_idle_workers(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """An idle worker is woken for each job; this is for when that went wrong."""
    if _rests(patient, store):
        return
    limit = patient.now - _SOON
    queues = [
        queue.name
        for queue in store.queues()
        if not queue.paused and queue.oldest is not None and queue.oldest < limit
    ]
    # In this order: who has just taken one of those jobs is not idle any more.
    idle = [
        worker.info.number
        for worker in alive(patient, store)
        if worker.job is None and worker.info.started_at < limit
    ]
    if queues and idle:
        yield Finding(
            "idle-workers",
            f"jobs wait in {listed(queues)}, though these workers are idle: {listed(idle)}",
            "see the verb `restart`; if it stays so, look into the application's log for what workers wait for",
        )


def overdue_jobs(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """The supervisor has jobs begin whose time has come."""
    due = store.next_due()
    if due is None or _rests(patient, store) or not patient.has_supervisor:
        return
    schedules = [stored.due for stored in store.schedules() if stored.confirmed]
    is_of_job = all(each is None or due < each for each in schedules)
    if is_of_job and due < patient.now - _LONG_AGO:
        problem = f"a job has been due for {patient.now - due:.0f} s, and no worker may take it yet"
        yield Finding("jobs-overdue", problem, _END_SUPERVISOR)


def _rests(patient: Patient, store: AdminStore) -> bool:
    """Whether nothing is to run, which is a finding of its own."""
    return store.wishes().paused or not patient.settings.enabled


def _resume(what: str) -> str:
    return f"`resume {what}` lets it go on"


# The clock ------------------------------------------------------------------------------------


def clock(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """A clock that is wrong lets schedules fire at the wrong time, or not for long."""
    limit = patient.now + _CLOCK_MAY_DIFFER
    for what, moment in _noted_times(store):
        if moment > limit:
            yield _wrong_clock(f"{what} {moment - patient.now:.0f} s from now")
            return
    code = Path(__file__).stat().st_mtime
    if code > limit:
        yield _wrong_clock(f"this autocron was installed {code - patient.now:.0f} s from now")


def _noted_times(store: AdminStore) -> Iterator[tuple[str, float]]:
    for job in store.latest(_LATEST):
        yield f"job {job.id} was put in", job.enqueued_at
    for worker in store.workers():
        yield f"worker {worker.number} was started", worker.started_at
    for stored in store.schedules():
        for tick in store.ticks(stored.schedule.name, 1):
            yield f"{tick.schedule} has fired", tick.noted_at


def _wrong_clock(what: str) -> Finding:
    return Finding(
        "clock",
        f"the clock is wrong, or was: by it, {what}",
        "set it, and have it kept right (see timedatectl); schedules go by the time that it shows",
    )
