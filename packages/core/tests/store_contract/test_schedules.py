import threading
from dataclasses import replace

import pytest

from autocron.model import (
    ClockSet,
    Failed,
    NewJob,
    NewTick,
    Options,
    Released,
    Retrying,
    Schedule,
    StoredSchedule,
    Succeeded,
    TickOutcome,
)

NAME = "shop.report"


def planned(due, now, name=NAME, rule="every 60", **more):
    """Return a schedule as it is registered."""
    return StoredSchedule(Schedule(name, name, rule, **more), due, anchor=now, planned_at=now)


def tick(due, job_id, overlap="allow", **options):
    """Return a due time that is to have a job."""
    return NewTick(due, NewJob(job_id, NAME, "[[],{}]", Options(**options)), overlap)


@pytest.fixture
def report(store, now):
    """A function that returns the registered schedule as it stands."""
    store.register([planned(now, now)])

    def read():
        (found,) = store.schedules()
        return found

    return read


@pytest.fixture
def fire(store, report, now):
    """A function that fires the schedule once for each tick, each at the time of the tick."""

    def fire(*ticks):
        outcomes = []
        for each in ticks:
            outcomes += store.fire(report(), [each], each.due + 60, each.due)
        return [(each.outcome, each.job) for each in outcomes]

    return fire


# register -------------------------------------------------------------------------------------


def test_schedules_come_back_as_they_were(store, now):
    """With all their options, the next due first."""
    later = planned(now + 60, now, "b", "cron 30 7 * * mon-fri", timezone="Asia/Tokyo")
    options = Options(retries=3, ttl=5.0, queue="night", priority=-2)
    manner = {"start_now": True, "catch_up": "all", "grace": 5.0, "overlap": "queue"}
    sooner = planned(now + 30, now - 5, "c", options=options, **manner)
    assert store.register([later, sooner]) == []
    assert store.schedules() == [sooner, later]


def test_a_known_schedule_keeps_its_times(store, now):
    """As long as its rule and zone are the same; all else may change."""
    first = planned(now + 60, now)
    store.register([first])
    options = {"options": Options(queue="night"), "overlap": "allow", "grace": 1.0}
    changed = planned(now + 999, now + 50, **options)
    store.register([changed])
    (found,) = store.schedules()
    assert found == replace(first, schedule=changed.schedule)


@pytest.mark.parametrize("change", [{"rule": "every 61"}, {"timezone": "Asia/Tokyo"}])
def test_a_changed_rule_has_a_new_time(store, now, change):
    """The old time belonged to the old rule; but intervals count from the first registration."""
    store.register([planned(now + 60, now)])
    changed = planned(now + 999, now + 50, **change)
    store.register([changed])
    assert store.schedules() == [replace(changed, anchor=now)]


def test_missing_schedules_are_retired(store, now):
    """They stay to be seen, come last, and are not due; who retires them is told which."""
    one, other = planned(now, now, "a"), planned(now, now, "b")
    store.register([one, other])
    assert store.register([other]) == ["a"]
    assert store.register([other]) == []
    assert store.schedules() == [other, replace(one, due=None, retired=True)]
    assert store.ripe_schedules(now + 999) == [other]
    assert store.register([]) == ["b"]


def test_a_retired_schedule_may_come_back(store, now):
    """It goes on from then, and not from when it was due last."""
    store.register([planned(now + 60, now)])
    store.register([])
    store.register([planned(now + 660, now + 601)])
    assert store.schedules() == [replace(planned(now + 660, now + 601), anchor=now)]


def test_no_schedule_is_due_before_it_is_confirmed(store, now):
    """The code may have changed since it was registered; then it is due as it would have been."""
    store.register([planned(now, now, "a"), planned(now, now, "b")])
    store.await_registration()
    assert store.ripe_schedules(now + 5) == []
    assert store.next_due() is None
    store.register([planned(now + 60, now + 4, "a")])
    assert [(each.schedule.name, each.due) for each in store.ripe_schedules(now + 5)] == [
        ("a", now)
    ]
    assert store.next_due() == now


def test_a_generation_that_is_over_registers_nothing(store, now):
    """Workers with older code may be slow; the later ones have the say, whoever comes last."""
    store.await_registration()
    old = store.generation()
    store.await_registration()
    new = store.generation()
    assert new != old
    store.register([planned(now, now, "new")], new)
    assert store.register([planned(now, now, "old")], old) == []
    assert [each.schedule.name for each in store.ripe_schedules(now)] == ["new"]


def test_only_the_present_generation_can_begin_another(store, now):
    """If one with older code comes late, its successor has been registered, and stays so."""
    store.await_registration()
    old = store.generation()
    store.await_registration(old)
    store.register([planned(now, now)], store.generation())
    store.await_registration(old)
    assert len(store.ripe_schedules(now)) == 1
    assert store.schedule(NAME).confirmed
    store.await_registration(store.generation())
    assert store.ripe_schedules(now) == []
    assert not store.schedule(NAME).confirmed


def test_a_schedule_that_cannot_be_read_is_set_aside(store, now):
    """With the reason, until it is registered again; then it is due as it would have been."""
    store.register([planned(now, now)])
    store.set_aside(store.schedule(NAME), "no such zone")
    assert store.ripe_schedules(now) == []
    assert store.next_due() is None
    (found,) = store.schedules()
    assert (found.problem, found.due) == ("no such zone", now)
    store.register([planned(now + 60, now + 5)])
    assert [(each.problem, each.due) for each in store.ripe_schedules(now)] == [(None, now)]


def test_a_schedule_that_has_changed_is_not_set_aside(store, now):
    """It was another rule that could not be read."""
    store.register([planned(now, now)])
    before = store.schedule(NAME)
    store.register([planned(now + 60, now, rule="every 61")])
    store.set_aside(before, "no such rule")
    assert (store.schedule(NAME).problem, store.next_due()) == (None, now + 60)


# schedule, ripe_schedules, next_due ---------------------------------------------------------------------


def test_a_schedule_is_found_by_its_name(store, now):
    """As it is among all of them."""
    store.register([planned(now, now, "a"), planned(now, now, "b")])
    assert store.schedule("b") == store.schedules()[1]
    assert store.schedule("c") is None


def test_only_those_are_ripe_whose_time_has_come(store, now):
    """The others need not be looked at."""
    store.register([planned(now + 1, now, "a"), planned(now, now, "b"), planned(now + 2, now, "c")])
    assert [each.schedule.name for each in store.ripe_schedules(now + 1)] == ["b", "a"]
    assert store.next_due() == now


def test_those_are_ripe_that_were_planned_later_than_now(store, now):
    """The clock has been set back; by a second is nothing."""
    store.register([planned(now + 60, now)])
    assert store.ripe_schedules(now - 1) == []
    assert len(store.ripe_schedules(now - 1.1)) == 1


def test_the_next_due_time_is_that_of_a_job_or_a_schedule(store, put, now):
    """Whichever is earlier."""
    store.register([planned(now + 60, now)])
    put("later", delay=90.0)
    assert store.next_due() == now + 60
    put("sooner", delay=30.0)
    assert store.next_due() == now + 30


# fire -----------------------------------------------------------------------------------------


def test_a_due_time_makes_one_job(store, report, now):
    """The job has the schedule and its time, and the next time is noted."""
    before = report()
    (noted,) = store.fire(before, [tick(now, "a", priority=2)], now + 60, now + 1)
    assert (noted.schedule, noted.due, noted.job) == (NAME, now, "a")
    assert (noted.outcome, noted.reason, noted.noted_at) == (TickOutcome.FIRED, None, now + 1)
    assert report() == replace(before, due=now + 60, planned_at=now + 1, last_due=now)
    job = store.get("a")
    assert (job.schedule, job.scheduled_for, job.priority) == (NAME, now, 2)
    assert job.enqueued_at == now + 1
    claimed = store.claim(1, now)
    assert (claimed.id, claimed.scheduled_for) == ("a", now)


def test_a_due_time_makes_no_second_job(store, report, now):
    """Whoever comes later with the same due time is told so, and nothing is stored."""
    before = report()
    assert store.fire(before, [tick(now, "a")], now + 60, now)
    assert store.fire(before, [tick(now, "b")], now + 60, now) == []
    assert [job.id for job in store.latest(10)] == ["a"]


def test_a_late_scheduler_does_not_turn_time_back(store, report, now):
    """Whoever comes with a due time that is over changes neither jobs nor the next due time."""
    first = report()
    assert store.fire(first, [tick(now, "a")], now + 60, now)
    assert store.fire(report(), [tick(now + 60, "b")], now + 120, now)
    assert store.fire(first, [tick(now, "c")], now + 30, now) == []
    assert report().due == now + 120


def test_a_schedule_that_is_gone_makes_no_job(store, report, now):
    """A scheduler with an old list changes nothing."""
    before = report()
    store.register([])
    assert store.fire(before, [tick(now, "a")], now + 60, now) == []
    assert store.latest(10) == []


@pytest.mark.parametrize("change", [{"rule": "every 61"}, {"timezone": "Asia/Tokyo"}])
def test_a_schedule_that_has_changed_makes_no_job_by_its_old_rule(store, report, now, change):
    """A scheduler has read it before; what is due by the new rule stays as it is."""
    before = report()
    store.register([planned(now, now, **change)])
    assert store.fire(before, [tick(now, "a")], now + 60, now) == []
    store.replan(before, now + 30, now, forget_after=now)
    assert (report().due, store.latest(10)) == (now, [])


def test_a_schedule_that_is_to_be_registered_makes_no_job(store, report, now):
    """Its code has changed since a scheduler has read it: it may be gone."""
    before = report()
    store.await_registration()
    assert store.fire(before, [tick(now, "a")], now + 60, now) == []
    store.register([planned(now + 60, now + 1)])
    assert store.fire(report(), [tick(now, "a")], now + 60, now)


def test_what_another_has_noted_stays_noted(store, fire, report, now):
    """Though its clock was a little ahead of this one's."""
    fire(tick(now, "a"), tick(now + 60, "b"))
    store.fire(report(), [tick(now + 120, "c")], now + 180, now + 59)
    assert [each.due for each in store.ticks(NAME, 9)] == [now + 120, now + 60, now]


# add_run --------------------------------------------------------------------------------------


def test_a_run_is_added(store, report, now):
    """It is noted, and put in; the due times stay as they are, and when they were planned."""
    before = report()
    noted = store.add_run(NAME, tick(now + 1.5, "a"), now + 2)
    assert (noted.outcome, noted.due, noted.job) == (TickOutcome.FIRED, now + 1.5, "a")
    assert report() == replace(before, last_due=now + 1.5)
    assert store.claim(1, now).scheduled_for == now + 1.5


def test_a_run_is_added_once(store, report, now):
    """For each moment; and not to a schedule that is retired, or unknown."""
    report()
    assert store.add_run(NAME, tick(now + 1.5, "a"), now)
    assert store.add_run(NAME, tick(now + 1.5, "b"), now) is None
    store.register([])
    assert store.add_run(NAME, tick(now + 2.5, "c"), now) is None
    assert store.add_run("unknown", tick(now, "d"), now) is None
    assert [job.id for job in store.latest(9)] == ["a"]


def test_an_added_run_goes_by_what_its_tick_says(store, fire, now):
    """It may have to wait for those before it."""
    fire(tick(now, "a"))
    noted = store.add_run(NAME, tick(now + 1.5, "b", "queue"), now + 2)
    assert (noted.outcome, "a" in noted.reason) == (TickOutcome.FIRED, True)
    assert [store.claim(1, now).id, store.claim(2, now)] == ["a", None]


# More of fire -----------------------------------------------------------------------------------


def test_a_due_time_that_comes_again_makes_no_second_job(store, report, now):
    """Not even when its job is long gone: each due time is noted apart from that."""
    assert store.fire(report(), [tick(now, "a", ttl=0.0)], now + 60, now)
    store.settle(store.claim(1, now), Succeeded("null"), now)
    assert store.prune(lambda: now + 1, 10) == 1
    assert store.fire(report(), [tick(now, "b")], now + 60, now) == []
    assert store.latest(10) == []


def test_several_due_times_come_at_once(store, report, now):
    """With what was missed, in one transaction."""
    ticks = [NewTick(now, None, reason="too old"), tick(now + 60, "a"), tick(now + 120, "b")]
    noted = store.fire(report(), ticks, now + 180, now + 121)
    outcomes = [TickOutcome.MISSED, TickOutcome.FIRED, TickOutcome.FIRED]
    assert [each.outcome for each in noted] == outcomes
    assert noted[0].reason == "too old"
    assert report().last_due == now + 120


def test_what_came_of_due_times_can_be_read(store, fire, report, now):
    """Newest first, and as many as wanted."""
    fire(tick(now, "a"), tick(now + 60, "b", "skip"), tick(now + 120, "c"))
    two = store.ticks(NAME, 2)
    assert [(each.due, each.outcome, each.job) for each in two] == [
        (now + 120, TickOutcome.FIRED, "c"),
        (now + 60, TickOutcome.SKIPPED, None),
    ]
    assert len(store.ticks(NAME, 9)) == 3
    assert store.ticks("other", 9) == []


def test_only_the_latest_due_times_are_kept(store, report, now):
    """A thousand for each schedule, so that a schedule of every second does not fill the disk."""
    ticks = [NewTick(now + number, None, reason="") for number in range(1100)]
    store.fire(report(), ticks, now + 1100, now)
    found = store.ticks(NAME, 5000)
    assert len(found) == 1000
    assert found[0].due == now + 1099


def test_two_schedulers_run_each_due_time_once(store, open_store, now):
    """Both see that it is due, and one of them makes the job."""
    store.register([planned(now, now)])
    barrier, fired = threading.Barrier(2), []

    def schedule(name):
        own = open_store()
        for step in range(20):
            (stored,) = own.schedules()
            barrier.wait(30)
            ticks = [tick(stored.due, f"{name} {step}")]
            if own.fire(stored, ticks, stored.due + 60, now):
                fired.append(step)
            barrier.wait(30)

    threads = [threading.Thread(target=schedule, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fired) == list(range(20))
    assert store.counts()["WAITING"] == 20


# Runs that overlap ----------------------------------------------------------------------------


def end(store, now, outcome=Succeeded("null")):  # noqa: B008 - it is a value
    """Claim the next job and end its attempt; return its id."""
    job = store.claim(1, now)
    store.settle(job, outcome, now)
    return job.id


@pytest.mark.parametrize("state", ["waits", "runs", "is to be tried again"])
def test_a_run_is_skipped_if_the_one_before_has_not_ended(store, fire, now, state):
    """Whatever it is about, and it is recorded which one that was."""
    fire(tick(now, "a"))
    if state == "runs":
        store.claim(1, now)
    if state == "is to be tried again":
        end(store, now, Retrying(Failed("no", ""), now + 3600))
    assert fire(tick(now + 60, "b", "skip")) == [(TickOutcome.SKIPPED, None)]
    assert "a" in store.ticks(NAME, 1)[0].reason
    assert store.get("b") is None


def test_a_run_is_not_skipped_if_the_one_before_has_ended(store, fire, now):
    """Well or not."""
    fire(tick(now, "a", "skip"))
    end(store, now, Failed("no", ""))
    assert fire(tick(now + 60, "b", "skip")) == [(TickOutcome.FIRED, "b")]


def test_runs_may_be_beside_each_other(store, fire, now):
    """If that is allowed."""
    fire(tick(now, "a", "allow"), tick(now + 60, "b", "allow"))
    assert {store.claim(1, now).id, store.claim(2, now).id} == {"a", "b"}


def test_queued_runs_come_one_after_the_other(store, fire, now):
    """Each is let go when all before it have ended, and counts as waiting until then."""
    fire(*(tick(now + number, name, "queue") for number, name in enumerate("abc")))
    first = store.claim(1, now)
    assert first.id == "a"
    assert store.claim(2, now) is None
    assert store.release_held() == 0
    assert store.get("b").status == "WAITING"
    store.settle(first, Released(), now)
    assert end(store, now) == "a"
    assert store.claim(1, now) is None
    assert store.release_held() == 1
    assert end(store, now) == "b"
    assert store.release_held() == 1
    assert end(store, now) == "c"
    assert store.release_held() == 0


def test_the_next_run_is_let_go_with_the_end_of_the_one_before(store, fire, put, now):
    """In time to be taken before a job that is less urgent, by the worker that has ended it."""
    for number, name in enumerate("ab"):
        fire(tick(now + number, name, "queue", priority=1))
    put("less urgent", "least urgent")
    first = store.claim(1, now)
    retried = store.settle(first, Retrying(Failed("no", ""), now + 5), now, 1)
    assert retried.next.id == "less urgent"
    store.promote(lambda: now + 5, 10)
    again = store.claim(2, now + 5)
    assert (again.id, again.attempt) == ("a", 2)
    assert store.settle(again, Succeeded("null"), now + 6, 2).next.id == "b"
    assert store.release_held() == 0


def test_a_run_lets_only_those_of_its_own_schedule_go(store, now):
    """And only one of them."""
    store.register([planned(now, now, "a"), planned(now, now, "b")])
    for name in "ab":
        for number in range(3):
            job = NewJob(f"{name}{number}", "t", "[[],{}]")
            store.fire(store.schedule(name), [NewTick(now + number, job, "queue")], now + 60, now)
    first, second = store.claim(1, now), store.claim(2, now)
    assert (first.id, second.id) == ("a0", "b0")
    assert store.settle(first, Succeeded("null"), now, 1).next.id == "a1"
    assert store.claim(3, now) is None
    assert store.settle(second, Succeeded("null"), now).next is None
    assert store.release_held() == 1
    assert store.claim(3, now).id == "b1"


def test_a_queued_run_waits_for_retries_too(store, fire, now):
    """A run that is to be tried again has not ended."""
    fire(tick(now, "a", "queue"), tick(now + 1, "b", "queue"))
    end(store, now, Retrying(Failed("no", ""), now + 30))
    assert store.release_held() == 0
    store.promote(lambda: now + 30, 10)
    assert end(store, now) == "a"
    assert store.release_held() == 1


def test_only_so_many_runs_are_queued(store, fire, now):
    """A hundred: a schedule that is slower than its interval must not fill the disk."""
    outcomes = fire(*(tick(now + number, str(number), "queue") for number in range(110)))
    assert [outcome for outcome, _ in outcomes].count(TickOutcome.SKIPPED) == 9
    assert store.ticks(NAME, 1)[0].reason == "100 runs were waiting already"


def test_a_run_is_held_by_runs_of_its_own_schedule_only(store, now):
    """Others are no reason to wait."""
    store.register([planned(now, now, "a"), planned(now, now, "b")])
    for stored in store.schedules():
        job = NewJob(f"{stored.schedule.name}1", "t", "[[],{}]")
        store.fire(stored, [NewTick(now, job, "queue")], now + 60, now)
    assert store.claim(1, now) is not None
    assert store.claim(2, now) is not None


# pause, resume --------------------------------------------------------------------------------


def test_a_paused_schedule_is_not_due(store, report, now):
    """Not even if it is registered again, changed or not."""
    store.pause(NAME, [], now)
    assert (report().paused, report().due) == (True, None)
    assert store.ripe_schedules(now + 999) == []
    assert store.next_due() is None
    store.register([planned(now + 60, now + 5)])
    store.register([planned(now + 60, now + 5, rule="every 61")])
    assert (report().paused, report().due) == (True, None)


def test_what_was_missed_before_a_pause_is_noted(store, report, now):
    """Once, with the pause."""
    report()
    for _ in range(2):
        store.pause(NAME, [NewTick(now, None, reason="it was paused")], now + 1)
    (noted,) = store.ticks(NAME, 9)
    assert (noted.outcome, noted.reason) == (TickOutcome.MISSED, "it was paused")
    store.register([])
    store.pause(NAME, [NewTick(now + 60, None, reason="it was paused")], now + 61)
    assert len(store.ticks(NAME, 9)) == 1


def test_a_pause_that_ends_forgets_what_is_yet_to_come(store, fire, report, now):
    """It was noted by a clock that was ahead; but only if it goes on from a moment before that."""
    fire(tick(now, "a"), tick(now + 60, "b"))
    store.resume(store.schedule(NAME), now + 30, now + 5, forget_after=now + 5)
    assert len(store.ticks(NAME, 9)) == 2  # it was not paused
    store.pause(NAME, [], now + 5)
    store.resume(store.schedule(NAME), now + 120, now + 5, forget_after=now + 60)
    assert len(store.ticks(NAME, 9)) == 2
    store.pause(NAME, [], now + 5)
    store.resume(store.schedule(NAME), now + 30, now + 5, forget_after=now + 5)
    assert [each.due for each in store.ticks(NAME, 9)] == [now]


def test_a_paused_schedule_goes_on(store, report, now):
    """From the time that is given; to resume twice does no harm."""
    store.pause(NAME, [], now)
    store.resume(store.schedule(NAME), now + 600, now + 590, forget_after=now + 590)
    assert (report().paused, report().due, report().planned_at) == (False, now + 600, now + 590)
    store.resume(store.schedule(NAME), now + 999, now + 591, forget_after=now + 591)
    assert report().due == now + 600


def test_a_pause_ends_only_for_what_is_known(store, report, now):
    """If the schedule has changed since it was read, its next due time is to be worked out anew."""
    store.pause(NAME, [], now)
    before = report()
    store.register([planned(now + 60, now, rule="every 61")])
    assert not store.resume(before, now + 60, now, forget_after=now)
    assert report().due is None
    assert store.resume(report(), now + 61, now, forget_after=now)
    assert report().due == now + 61


def test_a_schedule_that_was_paused_meanwhile_makes_no_job(store, report, now):
    """Who has read it before comes too late."""
    before = report()
    store.pause(NAME, [], now)
    assert store.fire(before, [tick(now, "a")], now + 60, now) == []


def test_a_retired_schedule_is_neither_paused_nor_resumed(store, report, now):
    """It is not due in any case."""
    store.register([])
    store.pause(NAME, [], now)
    assert (report().paused, report().retired) == (False, True)
    store.resume(store.schedule(NAME), now + 60, now, forget_after=now)
    assert report().due is None


# The clock is set -----------------------------------------------------------------------------


def test_a_schedule_is_planned_anew(store, fire, report, now):
    """With what is forgotten of due times that are yet to come, so that they can have their job."""
    fire(tick(now, "a"), tick(now + 60, "b"))
    before = report()
    store.replan(before, now + 30, now + 10, forget_after=now + 10)
    assert (report().due, report().planned_at, report().last_due) == (now + 30, now + 10, now)
    assert store.fire(report(), [tick(now + 60, "c")], now + 120, now + 60)


def test_a_schedule_that_has_changed_is_not_planned_anew(store, fire, report, now):
    """Another was faster, or it was paused."""
    before = report()
    fire(tick(now, "a"))
    store.replan(before, now + 30, now - 60, forget_after=now - 60)
    assert (report().due, report().last_due) == (now + 60, now)


def test_what_was_counted_from_a_moment_moves_with_the_clock(store, put, now):
    """Delays, pauses before retries and times to live; but no time that was given as such.

    Nor what was counted by the new clock, before it was noticed that there is one.
    """
    put("delayed", delay=60.0)
    put("at its time", run_at=now + 60)
    put("retried", "done", priority=1)
    store.settle(store.claim(1, now), Retrying(Failed("", ""), now + 5), now)
    store.settle(store.claim(1, now), Succeeded("null"), now)
    moved = now - 86400
    put("since", now=moved + 1, delay=60.0)
    store.shift_times(ClockSet(-86400.0, since=moved), lambda: moved + 2)
    assert store.get("since").run_at == moved + 61  # by the new clock from its beginning
    assert [store.get(name).run_at for name in ("delayed", "at its time", "retried")] == [
        moved + 60,
        now + 60,
        moved + 5,
    ]
    assert store.prune(lambda: moved + 1799, 10) == 0
    assert store.prune(lambda: moved + 1800, 10) == 1


def test_what_is_counted_by_the_new_clock_meanwhile_does_not_move(store, open_store, now):
    """Another process ends a job while the times are moved: its outcome has its own time to live."""
    other = open_store()
    store.enqueue([NewJob("a", NAME, "[[],{}]")], now)
    claimed, moved = other.claim(1, now), now - 86400
    ending = threading.Thread(target=lambda: other.settle(claimed, Succeeded("null"), moved + 6))

    def ask():
        ending.start()  # it has to wait, and so comes after
        return moved + 1

    store.shift_times(ClockSet(-86400.0, since=moved), ask)
    ending.join(30)
    assert store.prune(lambda: moved + 1805, 10) == 0
    assert store.prune(lambda: moved + 1806, 10) == 1


@pytest.mark.parametrize("verb", ["prune", "promote"])
def test_the_clock_is_asked_when_nobody_else_can_write(store, open_store, now, verb):
    """What another process counts by a clock that has been set meanwhile is not judged by the old one."""
    other, moved = open_store(), now - 86400
    store.enqueue([NewJob("a", NAME, "[[],{}]")], now)
    claimed, delayed = other.claim(1, now), NewJob("b", NAME, "[[],{}]", Options(delay=5.0))
    ending = threading.Thread(
        target=lambda: (
            other.settle(claimed, Succeeded("null"), moved), other.enqueue([delayed], moved)
        )
    )  # fmt: skip

    def ask():
        ending.start()  # it has to wait, and so comes after
        return now

    assert getattr(store, verb)(ask, 10) == 0
    ending.join(30)
    assert (store.get("a").status, store.get("b").run_at) == ("DONE", moved + 5)
    assert store.claim(1, now) is None


def test_no_delay_is_longer_than_it_was(store, put, now):
    """If the clock was set back while nothing ran, a delay begins anew, and a time is a time."""
    put("delayed", delay=60.0)
    put("at its time", run_at=now + 60)
    store.shorten_delays(now + 30)
    assert store.get("delayed").run_at == now + 60
    put("done")
    store.settle(store.claim(1, now), Retrying(Failed("", ""), now + 5), now)
    store.shorten_delays(now - 86400)
    assert store.get("delayed").run_at == now - 86400 + 60
    assert store.get("done").run_at == now - 86400 + 5
    assert store.get("at its time").run_at == now + 60
