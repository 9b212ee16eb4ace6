import pytest

from autocron import events
from autocron.codec import decode_arguments
from autocron.model import NewJob, Options, Schedule, Succeeded
from autocron.running import scheduler

NOON = 1_795_000_000.0 - 1_795_000_000.0 % 3600


def every(seconds, name="shop.refresh", **more):
    """Return the schedule of an interval."""
    return Schedule(name, name, f"every {seconds}", **more)


def run_next(store, now):
    """Claim and end the next job; return it."""
    job = store.claim(1, now)
    store.settle(job, Succeeded("null"), now)
    return job


@pytest.fixture
def told():
    """Return the names of the events that the test emits."""
    before, names = events._subscribers[:], []
    events.subscribe(lambda name, _: names.append(name))
    yield names
    events._subscribers[:] = before


def test_a_schedule_is_due_after_its_interval(store):
    """Nothing runs before; then one job, with no arguments, and the next time is planned."""
    scheduler.register(store, [every(60)], NOON)
    assert scheduler.next_due(store) == NOON + 60
    assert scheduler.run_due(store, NOON + 59.9) == 0
    assert scheduler.run_due(store, NOON + 60) == 1
    assert scheduler.run_due(store, NOON + 60) == 0
    job = run_next(store, NOON + 60)
    assert (job.task, job.scheduled_for) == ("shop.refresh", NOON + 60)
    assert decode_arguments(job.arguments) == ([], {})
    assert scheduler.next_due(store) == NOON + 120
    assert store.claim(1, NOON + 60) is None


def test_a_schedule_may_start_now(store):
    """With `start_now` the first time is that of the registration."""
    scheduler.register(store, [every(60, start_now=True)], NOON)
    assert scheduler.run_due(store, NOON) == 1
    assert scheduler.next_due(store) == NOON + 60


def test_a_job_has_the_options_of_its_schedule(store):
    """Queue, priority and retries come with it."""
    options = Options(queue="night", priority=3, retries=2)
    scheduler.register(store, [every(60, options=options)], NOON)
    scheduler.run_due(store, NOON + 60)
    (job,) = store.latest(1)
    assert (job.queue, job.priority, job.retries) == ("night", 3, 2)
    assert job.schedule == "shop.refresh"


def test_what_was_missed_is_made_up_for_once(store):
    """After eight hours without power an hourly schedule is due once."""
    scheduler.register(store, [every(3600)], NOON)
    assert scheduler.run_due(store, NOON + 8 * 3600 + 5) == 1
    assert scheduler.next_due(store) == NOON + 9 * 3600


def test_to_register_again_changes_no_times(store):
    """A restart of the app is no reason to wait for another interval."""
    scheduler.register(store, [every(60)], NOON)
    scheduler.register(store, [every(60)], NOON + 50)
    assert scheduler.next_due(store) == NOON + 60


def test_a_schedule_that_the_code_no_longer_has_is_forgotten(store):
    """Exactly the registered ones are due."""
    scheduler.register(store, [every(60), every(90, "shop.other")], NOON)
    scheduler.register(store, [every(90, "shop.other")], NOON)
    assert scheduler.run_due(store, NOON + 600) == 1
    assert run_next(store, NOON + 600).task == "shop.other"


def test_cron_rules_are_due_at_their_minute(store):
    """A crontab expression is read in local time."""
    scheduler.register(store, [Schedule("a.b", "a.b", "cron */5 * * * *")], NOON + 1)
    assert scheduler.next_due(store) == NOON + 300


def test_delayed_jobs_become_claimable(store):
    """A job for later waits until it is promoted, and so does a retry."""
    later = NewJob("1", "t", "[[],{}]", Options(delay=10.0))
    store.enqueue([later], NOON)
    assert store.claim(1, NOON + 11) is None
    assert scheduler.next_due(store) == NOON + 10
    assert scheduler.run_due(store, NOON + 9) == 0
    assert scheduler.run_due(store, NOON + 10) == 1
    assert run_next(store, NOON + 10).id == "1"
    assert scheduler.next_due(store) is None


def test_the_next_time_is_the_earlier_of_both(store):
    """Jobs for later and schedules together decide for how long the supervisor may sleep."""
    scheduler.register(store, [every(60)], NOON)
    store.enqueue([NewJob("1", "t", "[[],{}]", Options(delay=10.0))], NOON)
    assert scheduler.next_due(store) == NOON + 10
    scheduler.run_due(store, NOON + 10)
    assert scheduler.next_due(store) == NOON + 60


def test_a_rule_that_cannot_be_read_harms_no_other(store, told):
    """What somebody else has written into the table is told, and the rest is due all the same."""
    good = scheduler.first_due(every(60, "shop.good"), NOON)
    bad = scheduler.first_due(every(60, "shop.bad"), NOON)
    wrong = Schedule("shop.bad", "shop.bad", "whenever")
    store.register([good, type(bad)(wrong, NOON + 60)], NOON)
    assert scheduler.run_due(store, NOON + 60) == 1
    assert told == ["schedule.failed", "schedule.fired"]


def test_a_rule_that_cannot_be_read_keeps_nobody_awake(store):
    """It is not due again at once, or the supervisor would never sleep again."""
    due = type(scheduler.first_due(every(60), NOON))
    store.register([due(Schedule("shop.bad", "shop.bad", "whenever"), NOON)], NOON)
    scheduler.run_due(store, NOON)
    next_due = scheduler.next_due(store)
    assert next_due is None or next_due > NOON
