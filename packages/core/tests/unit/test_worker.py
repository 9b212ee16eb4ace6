import asyncio
import sqlite3
import threading
from contextlib import closing, contextmanager, nullcontext

import pytest

from autocron import events
from autocron.current import CurrentJob, current_job
from autocron.errors import (
    ArgumentsMismatch,
    Cancel,
    JobInterrupt,
    JobStopped,
    Retry,
    TaskNotFound,
    TimeLimitExceeded,
)
from autocron.model import (
    ClaimedJob,
    Failed,
    JobStatus,
    NewJob,
    Options,
    Retrying,
    Schedule,
    Settled,
)
from autocron.policy import Policy
from autocron.running import scheduler
from autocron.running.report import report
from autocron.running.worker import Surroundings, Worker
from autocron.stores.sqlite import SqliteStore

NOW = 1_795_000_000.0


class NoLimits:
    """What interrupts nothing, unless a task does so itself."""

    interrupted = None

    def begin(self, job):
        """Forget the attempt before."""
        self.interrupted = None

    def end(self):
        """Do nothing."""

    def interrupt(self, kind):
        """Raise it in the attempt."""
        self.interrupted = kind
        raise kind


class World:
    """What is around a worker under test: its functions, and a record of what it asks for."""

    def __init__(self, store, functions):
        self.store = store
        self.functions = functions
        self.record = []
        self.now = NOW
        self.limits = NoLimits()
        self.is_outdated = False
        self.reasons = {}
        self.worker = Worker(7, store, self.surroundings(), clock=lambda: self.now)

    def surroundings(self):
        """Return these surroundings."""
        return Surroundings(
            find_function=self.find,
            job_context=self.context,
            limits=self.limits,
            wait_for_work=self.wait,
            wake_next=lambda: None,
            before_settling=lambda: self.record.append("flush"),
            current=lambda job: CurrentJob(
                job.id, job.task, job.attempt, None, lambda: self.store.is_cancel_requested(job.id)
            ),
            look_again=lambda: self.record.append("look again"),
            notify=lambda: self.record.append("notify"),
            is_outdated=lambda: self.is_outdated,
            why_to_retire=self.reasons.get,
            retire=lambda: self.record.append("retire"),
        )

    def find(self, name):
        """Return a function by its name."""
        if name not in self.functions:
            raise TaskNotFound(task=name, reason="there is no such module")
        return self.functions[name]

    @contextmanager
    def context(self, job):
        """Record when a job's context is entered and left."""
        self.record.append(f"enter {job.id}")
        try:
            yield
        finally:
            self.record.append(f"leave {job.id}")

    def wait(self):
        """Have the worker end when nothing is left to do."""
        self.record.append("wait")
        self.worker.stop()

    def put(self, *names, **options):
        """Put a job in for each name of a function; its id is that name."""
        jobs = [NewJob(name, name, "[[],{}]", Options(**options)) for name in names]
        self.store.enqueue(jobs, self.now)


@pytest.fixture
def told():
    """Return the events that the test emits."""
    before, told = events._subscribers[:], []
    events.subscribe(lambda name, details: told.append((name, dict(details))))
    yield told
    events._subscribers[:] = before


def fail():
    """Raise."""
    raise ValueError("no")


def leave():
    """Try to end the process."""
    raise SystemExit(1)


@pytest.fixture
def world(store):
    """Return the surroundings of a worker with a few functions."""
    return World(store, {"good": lambda: 42, "bad": fail, "exit": leave, "odd": object})


def test_jobs_are_run_one_after_the_other(world, told):
    """Each in its context, in their order, until there is nothing left; then it waits."""
    world.functions["second"] = lambda: "x"
    world.put("good", "second")
    world.worker.run()
    assert world.record == [
        *("enter good", "leave good", "flush"),
        *("enter second", "leave second", "flush", "wait"),
    ]
    assert world.store.get("good").result == "42"
    assert world.store.get("second").status == "DONE"
    assert [name for name, _ in told] == ["job.started", "job.done"] * 2


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("bad", "ValueError: no"),
        ("exit", "SystemExit: 1"),
        ("odd", "UnsupportedValue: the result of odd holds an instance of object"),
        ("gone", "TaskNotFound: there is no task gone in the code that the worker runs"),
    ],
)
def test_a_job_that_cannot_be_done_costs_nothing_else(world, told, name, error):
    """It ends with its error, and the worker goes on with the next one."""
    world.put(name, "good")
    world.worker.run()
    job = world.store.get(name)
    assert job.status == "ERROR"
    assert job.error.startswith(error)
    assert world.store.get("good").status == "DONE"
    assert [event for event, _ in told if event == "job.failed"]


def test_a_failing_context_costs_only_its_job(world):
    """The integration's own code may raise, too, before a job or after it."""

    @contextmanager
    def context(job):
        if job.id == "good":
            raise OSError("no connection")
        yield
        raise KeyboardInterrupt("cannot be left")

    world.context = context
    world.worker = Worker(7, world.store, world.surroundings(), clock=lambda: NOW)
    world.functions["second"] = lambda: None
    world.put("good", "second")
    world.worker.run()
    assert world.store.get("good").error == "OSError: no connection"
    assert world.store.get("second").error == "KeyboardInterrupt: cannot be left"


def test_a_failed_job_is_tried_again(world, told):
    """As often as its retries allow, with growing pauses, and then it has failed."""
    world.put("bad", retries=2)
    pauses = []
    for attempt in (1, 2, 3):
        world.worker = Worker(7, world.store, world.surroundings(), clock=lambda: world.now)
        world.worker.run()
        job = world.store.get("bad")
        assert job.attempt == attempt
        assert job.error == "ValueError: no"
        if attempt < 3:
            assert job.status == "WAITING"
            pauses.append(job.run_at - world.now)
            world.now = job.run_at
            assert world.store.promote(lambda: world.now, 10) == 1
    assert 0.75 <= pauses[0] <= 1.0
    assert 1.5 <= pauses[1] <= 2.0
    assert world.store.get("bad").status == "ERROR"
    assert world.record.count("look again") == 2
    retrying = [details for name, details in told if name == "job.retrying"]
    assert [(details["next"], details["pause"]) for details in retrying] == [
        (2, pauses[0]),
        (3, pauses[1]),
    ]


def test_no_pause_is_told_to_be_negative(told):
    """The job may be settled after the moment at which it was to be tried again."""
    job = ClaimedJob("late", "bad", "[[],{}]", attempt=1, retries=1)
    outcome = Retrying(Failed("ValueError: no", "..."), run_at=9.5)
    report(job, outcome, Settled(JobStatus.WAITING, awaited=False), now=10.0)
    assert [details["pause"] for name, details in told if name == "job.retrying"] == [0.0]


def test_who_waits_is_told(world):
    """Only if somebody does."""
    world.functions["awaited"] = lambda: None
    world.put("good", "awaited")
    world.store.watch(["awaited"])
    world.worker.run()
    assert world.record[-2:] == ["notify", "wait"]
    assert world.record.count("notify") == 1


def test_a_job_that_was_lost_changes_nothing(world, told):
    """Its outcome is dropped if the job was taken from the worker in the meantime."""

    def lose():
        (job,) = world.store.running(7)
        world.store.settle(job, Retrying(Failed("presumed dead"), None), NOW)
        world.store.claim(8, NOW)
        return "too late"

    world.functions["lost"] = lose
    world.put("lost")
    world.worker.run()
    job = world.store.get("lost")
    assert (job.status, job.worker, job.attempt, job.result) == ("RUNNING", 8, 2, None)
    assert [name for name, _ in told] == ["job.started", "job.lost"]


def test_it_stops_after_the_present_job(world):
    """A stop in the middle of a job lets it end, and no other is begun."""
    world.functions["stopping"] = world.worker.stop
    world.put("stopping", "good")
    world.worker.run()
    assert world.store.get("stopping").status == "DONE"
    assert world.store.get("good").status == "WAITING"
    assert world.store.get("good").attempt == 0


def test_a_stopped_worker_takes_nothing(world):
    """To stop twice, or before the start, does no harm."""
    world.worker.stop()
    world.worker.stop()
    world.put("good")
    world.worker.run()
    assert world.store.get("good").status == "WAITING"
    assert world.record == []


def test_a_job_that_does_not_end_is_given_back(world, told):
    """At the end of a worker's time another thread gives its job back: that is no attempt."""
    began, over = threading.Event(), threading.Event()

    def endless():
        began.set()
        over.wait(30)

    world.functions["endless"] = endless
    world.put("endless", "good")
    thread = threading.Thread(target=world.worker.run)
    thread.start()
    assert began.wait(30)
    world.worker.stop()
    world.worker.give_back()
    job = world.store.get("endless")
    assert (job.status, job.attempt, job.worker) == ("WAITING", 0, None)
    over.set()
    thread.join(30)
    assert world.store.get("endless").status == "WAITING"
    assert [name for name, _ in told] == ["job.started", "job.released", "job.lost"]


def test_there_may_be_nothing_to_give_back(world, told):
    """A worker that has no job gives none back."""
    world.worker.give_back()
    assert told == []


def test_a_job_takes_the_state_of_its_store_calls(world):
    """What a job hands over is stored before the job has ended."""
    world.functions["parent"] = lambda: world.record.append("runs")
    world.put("parent")
    world.worker.run()
    assert world.record == ["enter parent", "runs", "leave parent", "flush", "wait"]


class LockedOut:
    """A worker that has run a job, and cannot store its outcome: another program has the database locked."""

    def __init__(self, path, until, told):
        self.store = SqliteStore(path, turn=nullcontext(), busy_timeout=0.05)
        self.store.migrate()
        self._other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.world = World(self.store, {"locking": self._lock})
        self.world.put("locking")
        self.thread = threading.Thread(target=self.world.worker.run)
        self.thread.start()
        until(lambda: any(name == "worker.store_failed" for name, _ in told))

    def _lock(self):
        self._other.execute("BEGIN IMMEDIATE")
        return "done"

    def unlock(self):
        """Have the other program let go."""
        self._other.execute("ROLLBACK")

    def close(self):
        """Close the database."""
        self.thread.join(30)
        self._other.close()
        self.store.close()


@pytest.fixture
def locked_out(path, until, told):
    """Return such a worker."""
    with closing(LockedOut(path, until, told)) as locked_out:
        yield locked_out


def test_a_locked_database_is_waited_for(locked_out):
    """A worker does not lose a finished job because another program holds the database."""
    locked_out.unlock()
    locked_out.thread.join(30)
    assert locked_out.store.get("locking").result == '"done"'


def test_an_outcome_that_could_not_be_stored_is_not_given_back(locked_out):
    """At the end of a worker its job has ended, if there is room for that by then, and runs no more."""
    locked_out.world.worker.stop()
    locked_out.unlock()
    locked_out.world.worker.give_back()
    job = locked_out.store.get("locking")
    assert (job.status, job.result) == ("DONE", '"done"')


def test_a_task_can_know_its_job(world):
    """Its id, its task and which attempt it is; outside of jobs there is none."""
    seen = []
    world.functions["look"] = lambda: seen.append(current_job())
    world.put("look")
    world.worker.run()
    assert seen == [CurrentJob("look", "look", attempt=1)]
    assert current_job() is None


def test_a_task_that_is_a_coroutine_can_know_its_job(world):
    """Also in what it awaits and in the tasks of its event loop."""
    seen = []

    async def look():
        seen.append(current_job().id)

    async def main():
        await look()
        await asyncio.create_task(look())

    world.functions["main"] = main
    world.put("main")
    world.worker.run()
    assert seen == ["main", "main"]


def test_the_end_of_a_run_is_told(world):
    """Another run of the same schedule may be waiting for it."""
    world.functions["good"] = lambda: None
    stored = scheduler.plan(Schedule("good", "good", "every 60", start_now=True), None, NOW)
    world.store.register([stored])
    scheduler.run_due(world.store, lambda: NOW, bool)
    world.put("good")
    world.worker.run()
    assert world.record.count("look again") == 1


# When an attempt does not go well -----------------------------------------------------------------


def test_a_job_is_tried_again_when_its_task_asks_for_it(world):
    """Whether it has retries or not; the attempt does not count against them."""
    world.functions["busy"] = lambda: (_ for _ in ()).throw(Retry("busy", after=60))
    world.put("busy", retries=1)
    world.worker.run()
    job = world.store.get("busy")
    assert (job.status, job.error, job.run_at) == ("WAITING", "Retry: busy", NOW + 60)
    world.store.promote(lambda: NOW + 60, 1)
    again = world.store.claim(1, NOW)
    assert (again.attempt, again.excused, again.retries) == (2, 1, 1)


def test_a_job_ends_when_its_task_cancels_it(world, told):
    """It is not tried again."""
    world.functions["late"] = lambda: (_ for _ in ()).throw(Cancel("too late"))
    world.put("late", retries=5)
    world.worker.run()
    job = world.store.get("late")
    assert (job.status, job.error) == ("CANCELLED", "Cancel: too late")
    assert told[-1] == ("job.cancelled", {"id": "late", "task": "late"})


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (
            TimeLimitExceeded,
            "ERROR",
            "TimeLimitExceeded: it ran for longer than its timeout of 5 s",
        ),
        (JobStopped, "CANCELLED", "it was cancelled by force"),
    ],
)
@pytest.mark.parametrize("wraps", [False, True])
def test_an_interrupted_attempt_is_recorded_as_such(world, kind, status, error, wraps):
    """Also if the task makes another error of it; the traceback shows where it was."""

    def slow():
        try:
            world.limits.interrupt(kind)
        except JobInterrupt as interrupt:
            if wraps:
                raise ValueError("sorry") from interrupt
            raise

    world.functions["slow"] = slow
    world.put("slow", policy=Policy(timeout=5.0))
    world.worker.run()
    job = world.store.get("slow")
    assert (job.status, job.error) == (status, error)
    assert "in slow" in job.traceback


def test_a_task_may_come_to_a_good_end_though_it_was_interrupted(world):
    """What it returns is its result."""

    def slow():
        try:
            world.limits.interrupt(TimeLimitExceeded)
        except TimeLimitExceeded:
            return "half"

    world.functions["slow"] = slow
    world.put("slow")
    world.worker.run()
    assert world.store.get("slow").result == '"half"'


def test_an_interrupt_that_comes_too_late_costs_only_its_job(world):
    """The worker goes on."""
    ends = iter([TimeLimitExceeded, None, None])

    def end():
        if kind := next(ends):
            raise kind

    world.limits.end = end
    world.put("good", "bad", policy=Policy(timeout=5.0))
    world.worker.run()
    assert world.store.get("good").error.startswith("TimeLimitExceeded")
    assert world.store.get("bad").error == "ValueError: no"


@pytest.mark.parametrize("name", ["gone", "unfit"])
def test_a_job_of_newer_code_waits_for_a_worker_that_has_it(world, name, told):
    """A worker whose code has changed since gives it back, as if it had not begun."""

    def unfit():
        raise ArgumentsMismatch(task="unfit", reason="missing")

    world.functions["unfit"] = unfit
    world.is_outdated = True
    world.put(name)
    world.functions["stop"] = world.worker.stop
    world.put("stop", priority=-1)
    world.worker.stop()  # as is_outdated() does
    world.worker._work_on(world.store.claim(7, NOW))
    job = world.store.get(name)
    assert (job.status, job.attempt, job.error) == ("WAITING", 0, None)
    assert told[-1][0] == "job.released"


def test_what_must_not_run_twice_is_given_to_the_disk_before_it_begins(world):
    """Or a loss of power could have it wait again. All others, and those without durability, do not wait for the disk."""
    record = world.record
    sync = world.store.sync
    world.store.sync = lambda: (record.append("sync"), sync())
    for name in ("once", "often"):
        world.functions[name] = lambda name=name: record.append(name)
    world.put("once", policy=Policy(on_crash="fail"))
    world.put("often")
    world.worker.run()
    assert [entry for entry in record if entry in {"sync", "once", "often"}] == [
        "sync",
        "once",
        "often",
    ]
    record.clear()
    world.worker = Worker(7, world.store, world.surroundings(), lambda: NOW, is_durable=False)
    world.store.enqueue(
        [NewJob("more", "once", "[[],{}]", Options(policy=Policy(on_crash="fail")))], NOW
    )
    world.worker.run()
    assert "sync" not in record


def test_a_job_that_must_not_run_twice_is_not_given_back(world):
    """At the end of the application it has failed, since it had begun."""
    world.put("good", policy=Policy(on_crash="fail"))
    world.worker._current = world.store.claim(7, NOW)
    world.worker.give_back()
    job = world.store.get("good")
    assert job.status == "ERROR"
    assert job.error.startswith(
        "the application ended while it was running; since it has on_crash="
    )


def test_a_worker_retires_between_two_jobs(world, told):
    """It takes no other, and another worker is called for."""
    world.reasons[2] = "it is old"
    world.functions |= {"a": lambda: 1, "b": lambda: 2}
    world.put("a", "b", "good")
    world.worker.run()
    assert [world.store.get(name).status for name in ("a", "b", "good")] == [
        "DONE",
        "DONE",
        "WAITING",
    ]
    assert world.record.count("retire") == 1
    assert ("worker.retired", {"number": 7, "reason": "it is old"}) in told


def test_a_task_can_see_that_it_was_asked_to_stop(world):
    """It is asked while it runs."""
    seen = []

    def look():
        job = current_job()
        seen.append(job.cancel_requested)
        world.store.cancel("look", NOW)
        seen.append(job.cancel_requested)

    world.functions["look"] = look
    world.put("look")
    world.worker.run()
    assert seen == [False, True]
