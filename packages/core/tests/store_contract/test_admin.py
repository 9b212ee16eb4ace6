"""What an administrator asks of a store, and changes in it."""

from itertools import count

import pytest

from autocron.errors import StoreBusy
from autocron.model import (
    Failed,
    JobStatus,
    NewJob,
    NewTick,
    Options,
    Progress,
    Released,
    Retrying,
    Schedule,
    StoredSchedule,
    Succeeded,
)
from autocron.model_admin import KnownTask, QueueState, Selection
from autocron.policy import Policy

FAILURE = Failed("ValueError: no", "Traceback")


# Looking --------------------------------------------------------------------------------------


@pytest.fixture
def jobs(store, put, now):
    """Jobs of several tasks, queues, times and statuses, the oldest first."""
    put("old", task="shop.mail", now=now - 100)
    put("night", task="shop.report", queue="night", now=now - 50)
    put("failed", task="billing.mail", priority=5, now=now - 20)
    store.settle(store.claim(1, now - 20), FAILURE, now - 10)
    put("new", task="shop.mailing", now=now)
    return store


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (Selection(), ["new", "failed", "night", "old"]),
        (Selection(statuses=(JobStatus.WAITING, JobStatus.RUNNING)), ["new", "night", "old"]),
        (Selection(statuses=(JobStatus.ERROR,)), ["failed"]),
        (Selection(task="shop.mail"), ["old"]),
        (Selection(task="mail"), ["failed", "old"]),
        (Selection(task="shop.*"), ["new", "night", "old"]),
        (Selection(queue="night"), ["night"]),
        (Selection(task="mail", queue="night"), []),
    ],
    ids=str,
)
def test_jobs_are_selected(jobs, selection, ids):
    """By status, task and queue; what is not given does not matter, and all that is must fit."""
    assert [job.id for job in jobs.latest(10, selection)] == ids
    assert jobs.ids(selection) == ids
    assert jobs.count(selection) == len(ids)


def test_jobs_are_selected_by_the_time_at_which_they_were_put_in(jobs, now):
    """From one time on, and before another."""
    assert jobs.ids(Selection(since=now - 50)) == ["new", "failed", "night"]
    assert jobs.ids(Selection(until=now - 50)) == ["old"]
    assert jobs.ids(Selection(since=now - 60, until=now - 20)) == ["night"]


def test_there_are_pages(jobs):
    """The first jobs of a list can be left out."""
    assert [job.id for job in jobs.latest(2, skip=1)] == ["failed", "night"]


def test_a_job_is_found_by_a_part_of_its_id(store, put):
    """Its beginning or its end, but no more than are wanted."""
    put("aa-11", "aa-22", "bb-11")
    assert sorted(store.find_ids("aa", 9)) == ["aa-11", "aa-22"]
    assert sorted(store.find_ids("11", 9)) == ["aa-11", "bb-11"]
    assert store.find_ids("bb-11", 9) == ["bb-11"]
    assert len(store.find_ids("a", 1)) == 1
    assert store.find_ids("%", 9) == []


def test_queues_are_counted(store, put, now):
    """By what is ready, for later, and running; and since when the oldest waits."""
    put("a", now=now - 60)
    put("b", now=now - 30)
    put("c", delay=100, queue="night", now=now)
    assert store.claim(1, now).id == "a"
    assert store.queues() == [
        QueueState("default", False, ready=1, later=0, running=1, oldest=now - 30),
        QueueState("night", False, ready=0, later=1, running=0, oldest=None),
    ]


def test_queues_are_named(store, put, now):
    """Each one that a job was put into, whatever has become of that, in the order of the alphabet."""
    assert "night" not in store.queue_names()
    put("a", queue="night")
    put("b")
    put("c", delay=100, queue="bulk")
    store.delete(["a"], [JobStatus.WAITING])
    assert store.queue_names() == ["bulk", "default", "night"]


def test_what_has_ended_lately_is_counted(store, put, now):
    """By status, as far as it is still there."""
    put("a", "b", "c")
    store.settle(store.claim(1, now), Succeeded("1"), now - 100)
    store.settle(store.claim(1, now), Succeeded("1"), now - 10)
    store.settle(store.claim(1, now), FAILURE, now - 5)
    assert store.ended_since(now - 50) == {"DONE": 1, "ERROR": 1, "CANCELLED": 0}
    assert store.ended_since(now - 100)["DONE"] == 2


def test_what_is_ahead_of_a_job_is_counted(store, put, now):
    """What has a higher priority, or was put in before; in queues that are not paused."""
    put("first")
    put("other", queue="night")
    put("mine")
    put("later")
    put("urgent", priority=1)
    assert store.ahead_of("mine") == 3
    store.pause_queue("night", paused=True)
    assert store.ahead_of("mine") == 2
    assert [store.claim(1, now).id for _ in range(3)] == ["urgent", "first", "mine"]


def test_tasks_are_known_with_their_options(store, put):
    """Those that the present workers have registered, and no others."""
    options = Options(queue="night", priority=3, retries=2, ttl=60.0, policy=Policy(timeout=5.0))
    store.register([], tasks=[KnownTask("b", options), KnownTask("gone", Options())])
    store.register([], tasks=[KnownTask("b", options), KnownTask("a", Options())])
    assert store.tasks() == [KnownTask("a", Options()), KnownTask("b", options)]
    generation = store.generation()
    store.await_registration()
    store.register([], generation, [KnownTask("c", Options())])  # workers of older code
    assert [task.name for task in store.tasks()] == ["a", "b"]


def test_the_jobs_of_tasks_are_counted(jobs):
    """By task and status."""
    counts = jobs.counts_of_tasks()
    assert counts["billing.mail"]["ERROR"] == 1
    assert counts["shop.report"] == dict.fromkeys(JobStatus, 0) | {"WAITING": 1}


def test_what_happens_to_a_job_besides_attempts_is_noted(store, put, now):
    """It is given back, asked to stop, cancelled, and begins anew; with a deleted job all is forgotten."""
    put("a", now=now)
    store.settle(store.claim(2, now + 1), Released(), now + 2)
    store.cancel("a", now + 3)
    store.try_again("a", now + 4)
    claimed = store.claim(3, now + 5)
    store.cancel("a", now + 6)
    store.settle(claimed, Retrying(FAILURE, None), now + 7)
    notes = [
        (note.at - now, str(note.kind), note.attempt, note.worker) for note in store.notes("a")
    ]
    assert notes == [
        (1, "BEGUN", 1, 2),
        (2, "RELEASED", 1, 2),
        (3, "CANCELLED", 0, None),
        (4, "RENEWED", 0, None),
        (6, "ASKED_TO_STOP", 1, 3),
    ]
    store.delete(["a"], list(JobStatus))
    put("b")
    assert store.notes("a") == store.notes("b") == []


def test_only_the_latest_notes_are_kept(store, put, now):
    """A job that is given back again and again does not fill the database."""
    put("a")
    for number in range(40):
        store.settle(store.claim(1, now), Released(), now + number)
    assert len(store.notes("a")) == 50
    assert store.notes("a")[-1].at == now + 39


def test_it_is_known_whether_somebody_keeps_others_from_writing(store, put, locked):
    """To ask changes nothing, and takes no longer than it may."""
    put("a")
    assert not store.is_locked(0.1)
    with locked:
        assert store.is_locked(0.1)
        assert [job.id for job in store.latest(9)] == ["a"]
    assert not store.is_locked(0.1)


# Progress -------------------------------------------------------------------------------------


def test_the_progress_of_an_attempt_is_kept(store, put, now):
    """Until the next one begins; one that is over cannot say any more."""
    put("a")
    first, half = store.claim(1, now), Progress(1, 2, "half", now)
    store.set_progress(first, half)
    assert store.get("a").progress == half
    store.settle(first, Retrying(FAILURE, None), now)
    assert store.get("a").progress == half
    second = store.claim(1, now)
    assert store.get("a").progress is None
    store.set_progress(first, half)
    assert store.get("a").progress is None
    store.set_progress(second, Progress(2, None, "", now))
    store.settle(second, Succeeded("1"), now)
    assert store.get("a").progress == Progress(2, None, "", now)


# Changing -------------------------------------------------------------------------------------


def test_jobs_are_deleted_unless_they_run(store, put, now):
    """With their attempts; how many that were is returned."""
    put("failed", "running", "waiting")
    store.settle(store.claim(1, now), FAILURE, now)
    store.claim(1, now)
    everything = ["failed", "running", "waiting", "none"]
    assert store.delete(everything, [JobStatus.DONE]) == 0
    assert store.delete(everything, [JobStatus.ERROR]) == 1
    assert store.attempts("failed") == []
    assert store.delete(everything, list(JobStatus)) == 1
    assert [job.id for job in store.latest(9)] == ["running"]
    assert store.delete([], list(JobStatus)) == 0


def test_a_paused_queue_gives_no_job(store, put, now):
    """Others do, and it does when it is resumed."""
    put("a", queue="night")
    put("b")
    assert store.pause_queue("night", paused=True)
    assert store.claim(1, now).id == "b"
    assert store.claim(1, now) is None
    put("c", queue="night")  # that it is put into does not resume it
    assert store.claim(1, now) is None
    assert store.queues()[1].paused
    assert store.pause_queue("night", paused=False)
    assert store.claim(1, now).id == "a"
    assert not store.pause_queue("nothing", paused=True)


def test_what_is_wanted_of_the_running_system_can_be_read(store):
    """Settings, restarts, and whether all is paused."""
    before = store.wishes()
    assert (before.settings, before.paused) == ({}, False)
    store.change_settings({"workers": 2})
    store.ask_for_restart()
    store.pause_all(paused=True)
    after = store.wishes()
    assert (after.settings, after.restarts - before.restarts) == ({"workers": 2}, 1)
    assert after.paused
    store.pause_all(paused=False)
    assert not store.wishes().paused


def test_other_times_can_be_used(store, put, now):
    """The default time to live, for example."""
    put("a", "b")
    store.configure(ttl=5.0, busy_timeout=1.0)
    store.cancel("a", now)
    store.configure(ttl=50.0, busy_timeout=1.0)
    store.cancel("b", now)
    store.prune(lambda: now + 10, 9)
    assert [job.id for job in store.latest(9)] == ["b"]


def test_a_backup_is_a_whole_database(store, put, open_store, tmp_path):
    """With all that was stored before, and nothing that came after."""
    put("before")
    copy = tmp_path / "copy" / "jobs.db"
    copy.parent.mkdir()
    copy.touch()
    store.backup(copy)
    put("after")
    assert [job.id for job in open_store(copy.parent).latest(9)] == ["before"]


# Runs of schedules that begin anew -----------------------------------------------------------------


@pytest.fixture
def run_of(store, now):
    """A function that registers a schedule, and one that puts in a run of it and returns its job's id."""

    def register(overlap):
        schedule = Schedule("report", "shop.report", "every 60", overlap=overlap)
        store.register([StoredSchedule(schedule, now + 60, now, planned_at=now)])
        moments = count(1)

        def put_in():
            due = now + next(moments)
            job = NewJob(f"run {due - now:g}", "shop.report", "[[],{}]")
            return store.add_run("report", NewTick(due, job, "queue"), now).job

        return put_in

    return register


def test_a_run_that_begins_anew_waits_for_its_turn(store, run_of, now):
    """Where runs must not overlap, one at a time is claimed, the earliest first."""
    put_in = run_of("skip")
    failed = put_in()
    store.settle(store.claim(1, now), FAILURE, now)
    running, held = put_in(), put_in()
    claimed = store.claim(1, now)
    assert claimed.id == running
    assert store.try_again(failed, now)
    store.cancel(held, now)
    assert store.try_again(held, now)
    assert store.claim(2, now) is None
    assert store.release_held() == 0
    for following in (failed, held):
        settled = store.settle(claimed, Succeeded("1"), now, claim_for=1)
        claimed = settled.next
        assert claimed.id == following
        assert store.claim(2, now) is None
        assert store.release_held() == 0


def test_a_run_that_begins_anew_may_overlap_where_all_may(store, run_of, now):
    """It is claimed at once."""
    put_in = run_of("allow")
    failed = put_in()
    store.settle(store.claim(1, now), FAILURE, now)
    put_in()
    store.claim(1, now)
    store.try_again(failed, now)
    assert store.claim(2, now).id == failed


def test_a_run_that_begins_anew_alone_does_not_wait(store, run_of, now):
    """Nor for itself."""
    failed = run_of("skip")()
    store.settle(store.claim(1, now), FAILURE, now)
    store.try_again(failed, now)
    assert store.claim(1, now).id == failed


# The whole database ---------------------------------------------------------------------------


def test_it_is_removed_if_nothing_has_changed(store, put, tmp_path):
    """With its log; not if there are other jobs than was thought."""
    put("a")
    assert not store.remove(expected=0)
    assert [job.id for job in store.latest(9)] == ["a"]
    assert store.remove(expected=1)
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_removed_while_others_use_it(store, put, open_store):
    """Whoever has it open may be about to put something in."""
    put("a")
    other = open_store()
    assert other.counts()["WAITING"] == 1
    with pytest.raises(StoreBusy):
        store.remove(expected=1)
    assert other.counts()["WAITING"] == 1


def test_there_are_no_tables_of_others(store):
    """Unless an application has put them there."""
    assert store.foreign_tables() == []
