import threading

import pytest

from autocron.errors import StoreError
from autocron.model import DueSchedule, NewJob, Options, Schedule


def due_at(time, name="shop.report", rule="every 60", **more):
    """Return a schedule with its due time."""
    return DueSchedule(Schedule(name, name, rule, **more), time)


def tick(job_id, **options):
    """Return the job of a due time."""
    return NewJob(job_id, "shop.report", "[[],{}]", Options(**options))


def test_schedules_come_back_as_they_were(store, now):
    """With their options, the next due first."""
    later = due_at(now + 60, "b", "cron 30 7 * * mon-fri")
    options = Options(retries=3, ttl=5.0, queue="night", priority=-2)
    sooner = due_at(now + 30, "c", options=options, start_now=True)
    store.register([later, sooner], now)
    assert store.schedules() == [sooner, later]


def test_a_known_schedule_keeps_its_time(store, now):
    """As long as its rule is the same; its options may change."""
    store.register([due_at(now + 60)], now)
    changed = due_at(now + 999, options=Options(queue="night"))
    store.register([changed], now + 50)
    (found,) = store.schedules()
    assert found.due == now + 60
    assert found.schedule == changed.schedule


def test_a_changed_rule_has_a_new_time(store, now):
    """The old time belonged to the old rule."""
    store.register([due_at(now + 60)], now)
    changed = due_at(now + 999, rule="every 61")
    store.register([changed], now)
    assert store.schedules() == [changed]


def test_missing_schedules_are_retired(store, now):
    """Exactly those of the last call are left; none if it had none."""
    one, other = due_at(now, "a"), due_at(now, "b")
    store.register([one, other], now)
    store.register([other], now)
    assert store.schedules() == [other]
    store.register([], now)
    assert store.schedules() == []


def test_a_due_time_makes_one_job(store, now):
    """The job has the schedule and its time, and the next time is noted."""
    due = due_at(now)
    store.register([due], now)
    assert store.fire(due, now + 60, tick("a", priority=2), now + 1)
    assert store.schedules() == [due_at(now + 60)]
    job = store.get("a")
    assert (job.schedule, job.priority, job.enqueued_at) == ("shop.report", 2, now + 1)
    claimed = store.claim(1, now)
    assert (claimed.id, claimed.scheduled_for) == ("a", now)


def test_a_due_time_makes_no_second_job(store, now):
    """Whoever comes later with the same due time is told so, and nothing is stored."""
    due = due_at(now)
    store.register([due], now)
    assert store.fire(due, now + 60, tick("a"), now)
    assert not store.fire(due, now + 60, tick("b"), now)
    assert [job.id for job in store.latest(10)] == ["a"]


def test_a_late_scheduler_does_not_turn_time_back(store, now):
    """Whoever comes with a due time that is over changes neither jobs nor the next due time."""
    store.register([due_at(now)], now)
    assert store.fire(due_at(now), now + 60, tick("a"), now)
    assert store.fire(due_at(now + 60), now + 120, tick("b"), now)
    assert not store.fire(due_at(now), now + 30, tick("c"), now)
    assert store.schedules() == [due_at(now + 120)]


def test_a_schedule_that_is_gone_makes_no_job(store, now):
    """A scheduler with an old list changes nothing."""
    assert not store.fire(due_at(now), now + 60, tick("a"), now)
    assert store.latest(10) == []


def test_a_clock_that_is_set_back_makes_no_second_job(store, now):
    """A due time that has had its job has it for as long as that job is there."""
    due = due_at(now)
    store.register([due], now)
    assert store.fire(due, now + 60, tick("a"), now)
    store.register([due_at(now, rule="every 61")], now - 5)
    again = due_at(now, rule="every 61")
    try:
        assert not store.fire(again, now + 61, tick("b"), now)
    except StoreError:
        pytest.fail("it is no error")
    assert [job.id for job in store.latest(10)] == ["a"]
    (found,) = store.schedules()
    assert found.due == now + 61


def test_two_schedulers_run_each_due_time_once(store, open_store, now):
    """Both see that it is due, and one of them makes the job."""
    store.register([due_at(now)], now)
    barrier, fired = threading.Barrier(2), []

    def schedule(name):
        own = open_store()
        for step in range(20):
            due = due_at(now + step * 60)
            barrier.wait(30)
            if own.fire(due, due.due + 60, tick(f"{name} {step}"), now):
                fired.append(step)
            barrier.wait(30)

    threads = [threading.Thread(target=schedule, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fired) == list(range(20))
    assert store.counts()["WAITING"] == 20
