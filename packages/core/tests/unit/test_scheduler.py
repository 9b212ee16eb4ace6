import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from autocron import events
from autocron.codec import decode_arguments
from autocron.errors import RetiredSchedule, StoreError, UnknownSchedule
from autocron.model import ClockSet, NewJob, Options, Released, Schedule, Succeeded, TickOutcome
from autocron.running import scheduler

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc).timestamp()
HOUR = 3600.0
DAY = 24 * HOUR
REFRESH = "shop.refresh"


def every(seconds, name=REFRESH, **more):
    """Return the schedule of an interval."""
    return Schedule(name, name, f"every {seconds}", **more)


def cron(expression, name="shop.report", timezone="UTC", **more):
    """Return the schedule of an expression."""
    return Schedule(name, name, f"cron {expression}", timezone=timezone, **more)


def run_due(store, now):
    """Make claimable what is due; return how many jobs that are."""
    counts = []
    scheduler.run_due(store, lambda: now, counts.append)
    return sum(counts)


def run_next(store, now):
    """Claim and end the next job; return it."""
    job = store.claim(1, now)
    store.settle(job, Succeeded("null"), now)
    return job


def run_all(store, now):
    """Claim and end all jobs, with what is let go by that; return the due times."""
    times = []
    while (job := store.claim(1, now)) or store.release_held():
        if job:
            store.settle(job, Succeeded("null"), now)
            times.append(job.scheduled_for)
    return times


@pytest.fixture
def told():
    """Return the events that the test emits."""
    before, told = events._subscribers[:], []
    events.subscribe(lambda name, details: told.append((name, dict(details))))
    yield told
    events._subscribers[:] = before


# Registering ----------------------------------------------------------------------------------


def test_a_schedule_is_due_after_its_interval(store):
    """Nothing runs before; then one job, with no arguments, and the next time is planned."""
    scheduler.register(store, [every(60)], NOON)
    assert store.next_due() == NOON + 60
    assert run_due(store, NOON + 59.9) == 0
    assert run_due(store, NOON + 60) == 1
    assert run_due(store, NOON + 60) == 0
    job = run_next(store, NOON + 60)
    assert (job.task, job.scheduled_for) == (REFRESH, NOON + 60)
    assert decode_arguments(job.arguments) == ([], {})
    assert store.next_due() == NOON + 120
    assert store.claim(1, NOON + 60) is None


def test_a_schedule_may_start_now(store):
    """With `start_now` the first time is that of the registration, and only of the first one."""
    schedule = every(60, start_now=True)
    scheduler.register(store, [schedule], NOON)
    assert run_due(store, NOON) == 1
    assert store.next_due() == NOON + 60
    scheduler.register(store, [replace(schedule, rule="every 90")], NOON + 5)
    assert store.next_due() == NOON + 90


@pytest.mark.parametrize("how", ["changed", "only now", "gone for a while"])
def test_it_starts_when_it_is_first_registered_and_never_again(store, how):
    """Though it has not run yet."""
    schedule = every(86400, start_now=how == "gone for a while")
    scheduler.register(store, [schedule], NOON)
    if how == "gone for a while":
        scheduler.register(store, [], NOON)
    rule = "every 3600" if how == "changed" else schedule.rule
    scheduler.register(store, [replace(schedule, rule=rule, start_now=True)], NOON + 60)
    assert run_due(store, NOON + 60) == 0
    assert store.next_due() == NOON + (HOUR if how == "changed" else DAY)


def test_a_start_that_is_to_come_outlasts_a_restart(store):
    """It was registered, and the application ended before anything could run."""
    for seconds in (0, 50):
        scheduler.register(store, [every(60, start_now=True)], NOON + seconds)
    assert run_due(store, NOON + 50) == 1
    assert run_next(store, NOON + 50).scheduled_for == NOON


def test_intervals_are_counted_in_whole_seconds(store):
    """From the second in which the schedule was registered, so that sums are exact."""
    scheduler.register(store, [every(60)], NOON + 0.789)
    assert store.next_due() == NOON + 60


def test_intervals_are_counted_from_the_first_registration(store):
    """Restarts, reloads, changes and a time of absence do not shift them."""
    scheduler.register(store, [every(60)], NOON)
    scheduler.register(store, [every(60)], NOON + 50)
    assert store.next_due() == NOON + 60
    scheduler.register(store, [every(45)], NOON + 50)
    assert store.next_due() == NOON + 90
    scheduler.register(store, [], NOON + 91)
    scheduler.register(store, [every(45)], NOON + 500)
    assert store.next_due() == NOON + 540


def test_a_schedule_has_its_own_zone_or_that_of_the_settings(store):
    """It is stored with its name, so that all processes go by the same."""
    schedules = [cron("0 0 * * *", "a", "Asia/Tokyo"), cron("0 0 * * *", "b", None)]
    scheduler.register(store, schedules, NOON, "Asia/Kathmandu")
    a, b = store.schedules()
    assert (a.schedule.timezone, b.schedule.timezone) == ("Asia/Tokyo", "Asia/Kathmandu")
    assert a.due == datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()
    assert b.due == datetime(2026, 11, 23, tzinfo=ZoneInfo("Asia/Kathmandu")).timestamp()


def test_a_schedule_that_the_code_no_longer_has_is_retired(store, told):
    """Exactly the registered ones are due, and it is told which are not any more."""
    scheduler.register(store, [every(60), every(90, "shop.other")], NOON)
    scheduler.register(store, [every(90, "shop.other")], NOON)
    assert told == [("schedule.retired", {"name": REFRESH})]
    assert run_due(store, NOON + 600) == 1
    assert run_next(store, NOON + 600).task == "shop.other"


def test_nothing_is_due_before_the_workers_have_registered_it(store):
    """A new supervisor does not know whether the code has it still."""
    scheduler.register(store, [every(60), every(60, "shop.gone")], NOON)
    store.await_registration()
    assert run_due(store, NOON + 100) == 0
    scheduler.register(store, [every(60)], NOON + 101)
    assert run_due(store, NOON + 101) == 1
    assert run_next(store, NOON + 101).scheduled_for == NOON + 60


# Firing ---------------------------------------------------------------------------------------


def test_a_job_has_the_options_of_its_schedule(store):
    """Queue, priority and retries come with it."""
    options = Options(queue="night", priority=3, retries=2)
    scheduler.register(store, [every(60, options=options)], NOON)
    run_due(store, NOON + 60)
    (job,) = store.latest(1)
    assert (job.queue, job.priority, job.retries) == ("night", 3, 2)
    assert job.schedule == REFRESH


def test_delayed_jobs_become_claimable(store):
    """A job for later waits until it is promoted, and so does a retry."""
    later = NewJob("1", "t", "[[],{}]", Options(delay=10.0))
    store.enqueue([later], NOON)
    assert store.claim(1, NOON + 11) is None
    assert run_due(store, NOON + 9) == 0
    assert run_due(store, NOON + 10) == 1
    assert run_next(store, NOON + 10).id == "1"
    assert store.next_due() is None


def test_a_rule_that_cannot_be_read_harms_no_other(store, told):
    """What somebody else has written into the table is told once, and the rest is due all the same."""
    store.register(
        [
            scheduler.plan(every(60, "shop.good"), None, NOON),
            replace(
                scheduler.plan(every(60, "shop.bad"), None, NOON),
                schedule=Schedule("shop.bad", "shop.bad", "whenever"),
            ),
            replace(
                scheduler.plan(every(60, "shop.lost"), None, NOON),
                schedule=Schedule("shop.lost", "shop.lost", "every 60", timezone="At/Sea"),
            ),
        ]
    )
    assert run_due(store, NOON + 60) == 1
    assert run_due(store, NOON + 120) == 0  # the run before has not ended
    names = [name for name, _ in told]
    assert sorted(names[:3]) == ["schedule.failed", "schedule.failed", "schedule.fired"]
    assert names[3:] == ["schedule.skipped"]
    assert store.next_due() == NOON + 180


def test_an_unreadable_rule_is_mended_by_the_next_registration(store):
    """Then it is due again."""
    unreadable = Schedule(REFRESH, REFRESH, "whenever")
    store.register([replace(scheduler.plan(every(60), None, NOON), schedule=unreadable)])
    run_due(store, NOON + 60)
    assert store.next_due() is None
    scheduler.register(store, [every(60)], NOON + 61)
    assert store.next_due() == NOON + 120


# What was missed ------------------------------------------------------------------------------


def outcomes(store, name="shop.report"):
    """Return what came of a schedule's due times, oldest first, as hours from noon."""
    ticks = reversed(store.ticks(name, 1000))
    return [(str(tick.outcome), (tick.due - NOON) / HOUR) for tick in ticks]


def missed(store, hours, **options):
    """Have an hourly schedule not looked at for some hours; return the due times that were run."""
    scheduler.register(store, [cron("0 * * * *", **options)], NOON)
    run_due(store, NOON + hours * HOUR + 90)
    times = [(due - NOON) / HOUR for due in run_all(store, NOON)]
    assert store.next_due() == NOON + (hours + 1) * HOUR
    return times


def test_the_last_of_what_was_missed_is_run(store, told):
    """After eight hours without power an hourly schedule is run once, and the rest is recorded."""
    assert missed(store, 8) == [8]
    assert outcomes(store) == [("MISSED", 7), ("FIRED", 8)]
    assert store.ticks("shop.report", 2)[1].reason == (
        "nothing ran then, nor since 2026-11-22 13:00:00+00:00; "
        "only the latest due time is made up for"
    )
    assert [name for name, _ in told] == ["schedule.missed", "schedule.fired"]


def test_one_that_was_missed_is_recorded_by_itself(store):
    """With two due times the first was missed, and it says no more than that."""
    assert missed(store, 2) == [2]
    reason = store.ticks("shop.report", 2)[1].reason
    assert reason == "nothing ran then; only the latest due time is made up for"


@pytest.mark.parametrize(("age", "runs"), [(90, 1), (DAY, 1), (DAY + 1, 0)])
def test_what_was_missed_is_not_run_if_it_is_too_old(store, age, runs):
    """A day, if nothing else was said."""
    scheduler.register(store, [cron("0 0 1 12 *")], NOON)
    due = store.next_due()
    assert run_due(store, due + age) == runs
    (tick,) = store.ticks("shop.report", 1)
    assert tick.outcome == ("FIRED" if runs else "MISSED")
    assert tick.reason in (None, "nothing ran then; that is more than 86400 s ago")


def test_the_grace_period_can_be_chosen(store):
    """But what is late by less than a minute is not missed."""
    assert missed(store, 2, grace=90.0) == [2]
    store.register([])
    scheduler.register(store, [cron("0 * * * *", "shop.other", grace=0.0)], NOON)
    assert run_due(store, NOON + HOUR + scheduler.ON_TIME) == 1
    assert run_due(store, NOON + 2 * HOUR + scheduler.ON_TIME + 1) == 0


def test_all_that_was_missed_is_run(store):
    """One after the other, each with its own due time, even if a run may not overlap the next."""
    assert missed(store, 8, catch_up="all") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert outcomes(store) == [("FIRED", hour) for hour in range(1, 9)]


def test_what_was_missed_is_run_beside_each_other_if_that_is_allowed(store):
    """Nothing is held."""
    scheduler.register(store, [cron("0 * * * *", catch_up="all", overlap="allow")], NOON)
    assert run_due(store, NOON + 3 * HOUR) == 3
    assert [store.claim(worker, NOON).scheduled_for for worker in (1, 2, 3)] == [
        NOON + HOUR,
        NOON + 2 * HOUR,
        NOON + 3 * HOUR,
    ]


def test_what_is_made_up_for_waits_for_a_run_that_has_not_ended(store):
    """With `all` it is not skipped, even if there is only one; what is on time is."""
    scheduler.register(store, [cron("0 * * * *", catch_up="all")], NOON)
    run_due(store, NOON + HOUR)
    store.settle(store.claim(1, NOON), Released(), NOON)  # as at the end of the application
    run_due(store, NOON + 2 * HOUR + 600)
    run_due(store, NOON + 3 * HOUR)
    assert outcomes(store) == [("FIRED", 1), ("FIRED", 2), ("SKIPPED", 3)]
    assert run_all(store, NOON) == [NOON + HOUR, NOON + 2 * HOUR]


def test_all_has_a_bound(store):
    """Of a year of hours the latest hundred are run."""
    times = missed(store, 366 * 24, catch_up="all")
    assert times == list(range(366 * 24 - 99, 366 * 24 + 1))
    assert outcomes(store)[0] == ("MISSED", 366 * 24 - 100)
    assert (
        "only the latest 100 due times are made up for"
        in store.ticks("shop.report", 101)[-1].reason
    )


def test_what_was_missed_is_not_run_if_that_is_not_wanted(store):
    """But recorded. A run that is a little late is not missed."""
    assert missed(store, 8, catch_up="skip") == []
    assert outcomes(store) == [("MISSED", 8)]
    assert store.ticks("shop.report", 1)[0].reason.endswith("; nothing is made up for")
    assert run_due(store, NOON + 9 * HOUR + scheduler.ON_TIME) == 1
    assert run_due(store, NOON + 10 * HOUR + scheduler.ON_TIME + 1) == 0


def test_what_was_planned_by_another_rule_is_recorded(store):
    """Though it is no due time any more when later ones have come."""
    planned = scheduler.plan(cron("0 * * * *", catch_up="all"), None, NOON)
    store.register([replace(planned, due=NOON + 1234)])
    assert run_due(store, NOON + 2 * HOUR) == 3
    assert outcomes(store)[0] == ("FIRED", 1234 / HOUR)


def test_what_is_done_is_told_before_something_fails(store, path):
    """When the disk is full in the midst of it, workers know already of what there is to do."""
    scheduler.register(store, [every(60), every(60, "shop.second")], NOON)
    with closing(sqlite3.connect(path)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON autocron_jobs WHEN NEW.task = 'shop.second' "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    woken = []
    with pytest.raises(StoreError):
        scheduler.run_due(store, lambda: NOON + 60, woken.append)
    assert woken == [1]
    assert store.counts()["WAITING"] == 1


def test_many_years_take_no_time(store, until):
    """A schedule of every second that has slept for ten years is looked at in a moment."""
    scheduler.register(store, [every(1), cron("* * * * *")], NOON)
    assert run_due(store, NOON + 3650 * DAY) == 2
    assert outcomes(store)[-1] == ("FIRED", 3650 * 24)


def test_a_due_time_that_is_none_any_more_is_one_still(store):
    """As when the machine was given another zone: what was planned is run."""
    planned = scheduler.plan(cron("0 * * * *"), None, NOON)
    store.register([replace(planned, due=NOON + 1234)])
    assert run_due(store, NOON + 1240) == 1
    assert run_next(store, NOON).scheduled_for == NOON + 1234
    assert store.next_due() == NOON + HOUR


# The clock is set -----------------------------------------------------------------------------


def due_times(store, start, end, step=60.0):
    """Look at the schedules every so many seconds, and run what there is; return the due times."""
    times = []
    for count in range(round((end - start) / step) + 1):
        run_due(store, start + count * step)
        times += run_all(store, start + count * step)
    return times


@pytest.mark.parametrize("days", [-1, 1, -30, 30])
@pytest.mark.parametrize(
    "schedule",
    [cron("*/5 * * * *"), cron("0,5,10,15,20,25,30,35,40,45,50,55 8-18 * * *"), every(300)],
    ids=["by the clock", "fixed", "interval"],
)
def test_schedules_go_on_at_once_when_the_clock_is_set_by_days(store, schedule, days):
    """Either way: within their interval they are due again, with the times of the new clock."""
    scheduler.register(store, [schedule], NOON)
    before = due_times(store, NOON, NOON + HOUR)
    assert before == [NOON + 300 * count for count in range(1, 13)]
    new = NOON + HOUR + days * DAY
    after = due_times(store, new + 1, new + HOUR + 1)
    caught_up = [new] if days > 0 else []
    assert after == caught_up + [new + 300 * count for count in range(1, 13)]


def test_a_clock_that_was_ahead_for_long_holds_nothing_up(store):
    """Though all due times of the next days have had their runs, when it was ahead."""
    scheduler.register(store, [cron("0 * * * *"), cron("0 6 * * *", "shop.nightly")], NOON)
    due_times(store, NOON, NOON + 2 * DAY, HOUR)
    after = due_times(store, NOON + 1, NOON + DAY, HOUR)
    assert len(after) == 25  # 24 hours and one night
    assert NOON + 18 * HOUR in after


def test_what_is_due_at_a_time_of_the_day_is_not_repeated_by_a_small_correction(store):
    """By less than three hours, as with Debian's cron; what follows the clock goes on."""
    scheduler.register(store, [cron("30 12 * * *"), cron("*/10 * * * *", "shop.often")], NOON)
    due_times(store, NOON, NOON + HOUR)
    again = due_times(store, NOON + 60, NOON + HOUR)
    assert again == [NOON + 600 * count for count in range(1, 7)]
    assert [hour for _, hour in outcomes(store)] == [0.5]
    due_times(store, NOON + HOUR + 60, NOON + DAY + HOUR, HOUR / 2)
    assert [hour for _, hour in outcomes(store)] == [0.5, 24.5]


def test_a_time_of_the_day_that_is_yet_to_come_is_not_lost_by_a_correction(store):
    """It was planned before the clock was set back, and never came."""
    scheduler.register(store, [cron("30 11,13 * * *")], NOON)
    due_times(store, NOON, NOON + HOUR)
    assert due_times(store, NOON - HOUR, NOON) == [NOON - HOUR / 2]


@pytest.mark.parametrize("how", ["paused", "another zone", "retired"])
def test_a_clock_that_was_ahead_takes_no_due_time_away(store, how):
    """Nor if the schedule was paused, changed or gone when the clock was set back."""
    schedule = cron("0 * * * *", overlap="allow")
    scheduler.register(store, [schedule], NOON)
    due_times(store, NOON, NOON + DAY, HOUR)
    if how == "paused":
        scheduler.pause(store, "shop.report", NOON + 1)
        run_due(store, NOON + 1)
        scheduler.resume(store, "shop.report", NOON + 2)
    elif how == "another zone":
        scheduler.register(store, [replace(schedule, timezone="Europe/London")], NOON + 2)
    else:
        scheduler.register(store, [], NOON + 1)
        scheduler.register(store, [schedule], NOON + 2)
    assert len(due_times(store, NOON + 3, NOON + DAY, HOUR)) == 24


@pytest.mark.parametrize(
    ("schedule", "due", "back"),
    [
        (every(10), 50, 9.5),
        (every(3600), 3600, 3599),
        (cron("* * * * *"), 60, 59),
        (cron("0 13 * * *"), 3600, 3 * 3600 - 1),
    ],
    ids=["every ten seconds", "every hour", "every minute", "at a time"],
)
def test_a_clock_that_is_set_back_a_little_repeats_nothing(store, schedule, due, back):
    """By less than the time between two runs; and what was noted stays as it is."""
    scheduler.register(store, [schedule], NOON)
    run_due(store, NOON + due)
    run_all(store, NOON)
    noted = store.ticks(schedule.name, 1)
    assert run_due(store, NOON + due - back) == 0
    assert run_due(store, NOON + due) == 0
    assert store.ticks(schedule.name, 1) == noted


def test_a_clock_that_is_set_is_told(store, told):
    """And what was counted from a moment moves with it."""
    store.enqueue([NewJob("1", "t", "[[],{}]", Options(delay=10.0))], NOON)
    scheduler.clock_was_set(store, ClockSet(-DAY, NOON - DAY + 5), lambda: NOON - DAY + 6)
    assert told == [("clock.set", {"seconds": -DAY})]
    assert store.next_due() == NOON + 10 - DAY


# What an administrator does ---------------------------------------------------------------------


def test_a_schedule_is_paused_and_goes_on(store):
    """What was due meanwhile is not made up for."""
    scheduler.register(store, [every(60)], NOON)
    scheduler.pause(store, REFRESH, NOON + 1)
    assert run_due(store, NOON + 300) == 0
    assert scheduler.resume(store, REFRESH, NOON + 301) == NOON + 360
    assert scheduler.resume(store, REFRESH, NOON + 302) == NOON + 360
    assert run_due(store, NOON + 359) == 0
    assert run_due(store, NOON + 360) == 1


def test_what_was_missed_before_a_pause_is_recorded(store):
    """Nobody will make up for it, but it is not forgotten."""
    scheduler.register(store, [cron("0 * * * *", catch_up="all")], NOON)
    scheduler.pause(store, "shop.report", NOON + 3.5 * HOUR)
    scheduler.pause(store, "shop.report", NOON + 4.5 * HOUR)
    (tick,) = store.ticks("shop.report", 9)
    assert (tick.outcome, tick.due) == (TickOutcome.MISSED, NOON + 3 * HOUR)
    assert tick.reason == (
        "nothing ran then, nor since 2026-11-22 13:00:00+00:00; then it was paused"
    )
    assert scheduler.resume(store, "shop.report", NOON + 5.5 * HOUR) == NOON + 6 * HOUR


def test_a_schedule_that_is_not_due_has_missed_nothing_when_it_is_paused(store):
    """Nor has one that cannot be read, which can be paused all the same."""
    scheduler.register(store, [every(60)], NOON)
    unreadable = Schedule("shop.bad", "shop.bad", "whenever")
    scheduler.pause(store, REFRESH, NOON + 59)
    store.register([replace(scheduler.plan(every(60), None, NOON), schedule=unreadable)])
    scheduler.pause(store, "shop.bad", NOON + 100)
    assert store.schedule("shop.bad").paused
    assert store.ticks(REFRESH, 9) == store.ticks("shop.bad", 9) == []


def test_a_time_of_the_day_is_not_repeated_by_a_pause_after_a_small_correction(store):
    """As it would not be without a pause."""
    scheduler.register(store, [cron("0 13 * * *")], NOON)
    assert run_due(store, NOON + HOUR) == 1
    scheduler.pause(store, "shop.report", NOON)
    assert scheduler.resume(store, "shop.report", NOON + 1) == NOON + HOUR + DAY
    assert [hour for _, hour in outcomes(store)] == [1]


def test_a_schedule_can_be_run_now(store):
    """Its next due time is what it was; a paused one can be, too."""
    scheduler.register(store, [every(60)], NOON)
    tick = scheduler.run_now(store, REFRESH, NOON + 5.25)
    assert (tick.outcome, tick.due) == (TickOutcome.FIRED, NOON + 5.25)
    assert run_next(store, NOON + 5).id == tick.job
    assert store.next_due() == NOON + 60
    scheduler.pause(store, REFRESH, NOON + 5)
    assert scheduler.run_now(store, REFRESH, NOON + 6).outcome == TickOutcome.FIRED


def test_a_run_by_hand_does_not_hide_that_the_clock_was_ahead(store):
    """The schedule was planned by that clock, and is planned anew by the one that is right."""
    scheduler.register(store, [cron("0 * * * *")], NOON + 365 * DAY)
    scheduler.run_now(store, "shop.report", NOON)
    run_due(store, NOON)
    assert store.next_due() == NOON + HOUR


def test_a_run_by_hand_leaves_the_record_alone(store):
    """Also if its process has looked at the clock before another has noted a due time."""
    scheduler.register(store, [every(60, overlap="allow")], NOON)
    run_due(store, NOON + 60)
    scheduler.run_now(store, REFRESH, NOON + 59.999)
    scheduler.run_now(store, REFRESH, NOON + 61)
    run_due(store, NOON + 60.5)
    dues = [tick.due - NOON for tick in store.ticks(REFRESH, 9)]
    assert dues == pytest.approx([61.001, 60, 59.999])


@pytest.mark.parametrize("fraction", [0.0, 0.0001, 0.9999])
def test_a_run_by_hand_takes_no_due_time_away(store, fraction):
    """Even if it is asked for at that very moment."""
    scheduler.register(store, [every(60, overlap="allow")], NOON)
    for _ in range(3):
        scheduler.run_now(store, REFRESH, NOON + 59 + fraction)
        scheduler.run_now(store, REFRESH, NOON + 60 + fraction)
    assert run_due(store, NOON + 60 + fraction) == 1


@pytest.mark.parametrize(("overlap", "claimable"), [("skip", 0), ("queue", 0), ("allow", 1)])
def test_who_runs_it_now_means_it(store, overlap, claimable):
    """It is not skipped, but where runs must not overlap it waits for the one before."""
    scheduler.register(store, [every(60, overlap=overlap)], NOON)
    run_due(store, NOON + 60)
    running = store.claim(1, NOON)
    tick = scheduler.run_now(store, REFRESH, NOON + 61)
    assert tick.outcome == TickOutcome.FIRED
    assert bool(store.claim(2, NOON)) == bool(claimable)
    store.settle(running, Succeeded("null"), NOON)
    assert run_due(store, NOON + 61) == (not claimable)


@pytest.mark.parametrize("verb", [scheduler.pause, scheduler.resume, scheduler.run_now])
def test_unknown_and_retired_schedules_are_refused(store, verb):
    """The error names the one that may have been meant."""
    with pytest.raises(UnknownSchedule, match=r"'shop.refrsh' \(there are 0 others\)"):
        verb(store, "shop.refrsh", NOON)
    scheduler.register(store, [every(60)], NOON)
    with pytest.raises(UnknownSchedule, match=r"did you mean shop.refresh\?"):
        verb(store, "shop.refrsh", NOON)
    scheduler.register(store, [], NOON)
    with pytest.raises(RetiredSchedule, match=r"shop.refresh is retired"):
        verb(store, REFRESH, NOON)
