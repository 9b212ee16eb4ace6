import inspect
from datetime import datetime, timedelta, timezone

import pytest

import autocron
from autocron import registry
from autocron.errors import InvalidOption, InvalidSchedule, InvalidTask
from autocron.model import Options, Schedule
from autocron.running import scheduler


def schedule_of(task):
    """Return the registered schedule of a task."""
    (found,) = [each for each in registry.schedules() if each.task == task.name]
    return found


def test_delay_works_bare_and_with_arguments(make_module):
    """`@delay`, `@delay()` and `@delay(...)` all give a task."""
    module = make_module(
        """
        import autocron

        @autocron.delay
        def bare(): ...

        @autocron.delay()
        def empty(): ...

        @autocron.delay(minutes=1, seconds=30, retries=3, ttl=60, queue="mail", priority=-5)
        def full(): ...
        """
    )
    assert module.bare.defaults == module.empty.defaults == Options()
    assert module.full.defaults == Options(
        delay=90.0, retries=3, ttl=60.0, queue="mail", priority=-5
    )


def test_a_task_looks_like_its_function(make_module):
    """Name, docstring, module, signature and the function itself can be had from the task."""
    module = make_module(
        '''
        import autocron

        @autocron.delay
        def send(to: str, *, copies: int = 1) -> int:
            """Send."""
            return copies
        '''
    )
    task = module.send
    assert (task.__name__, task.__doc__, task.__module__) == ("send", "Send.", "tasks_of_test")
    assert list(inspect.signature(task).parameters) == ["to", "copies"]
    assert task.function("a", copies=2) == 2
    assert repr(task) == "<autocron.Task tasks_of_test.send>"


def test_a_misspelt_option_is_a_type_error():
    """As with any function of Python, and at decoration."""
    with pytest.raises(TypeError, match=r"keyword argument 'retrys' \(did you mean retries\?\)"):
        autocron.delay(retrys=3)
    with pytest.raises(TypeError, match=r"every\(\) got .* 'second' \(did you mean seconds\?\)"):
        autocron.every(second=3)
    with pytest.raises(TypeError, match=r"^cron\(\) got .* 'minute' \(did you mean minutes\?\)"):
        autocron.cron(minute=[3])


def test_an_impossible_option_is_an_error_at_decoration():
    """Nothing has to be called to learn of it."""
    with pytest.raises(InvalidOption, match="retries=-1"):
        autocron.delay(retries=-1)
    with pytest.raises(InvalidSchedule, match="hour '25'"):
        autocron.cron("0 25 * * *")
    with pytest.raises(InvalidSchedule, match="start_now 1: must be one of True, False"):
        autocron.every(seconds=1, start_now=1)
    with pytest.raises(InvalidSchedule, match="give either an expression or lists"):
        autocron.cron("@daily", minutes=[1])


def test_cron_takes_all_its_forms(make_module):
    """Bare, without arguments, with an expression, and with lists."""
    module = make_module(
        """
        import autocron

        @autocron.cron
        def bare(): ...

        @autocron.cron()
        def empty(): ...

        @autocron.cron("30 7 * * mon-fri")
        def expression(): ...

        @autocron.cron(minutes=[30], hours=[7], days_of_week=[0, "sun"])
        def lists(): ...

        @autocron.every(minutes=5, start_now=True)
        def interval(): ...
        """
    )
    rules = {name: schedule_of(getattr(module, name)).rule for name in ("bare", "empty", "lists")}
    assert rules == {
        "bare": "cron * * * * *",
        "empty": "cron * * * * *",
        "lists": "cron 30 7 * * sun,1",
    }
    assert schedule_of(module.expression).rule == "cron 30 7 * * mon-fri"
    name = "tasks_of_test.interval"
    assert schedule_of(module.interval) == Schedule(name, name, "every 300", start_now=True)


def test_a_schedule_keeps_the_options_of_its_task(make_module):
    """`cron` or `every` above `delay` schedules that task, with its retries, queue and so on."""
    module = make_module(
        """
        import autocron

        @autocron.cron("@daily")
        @autocron.delay(retries=3, queue="night", ttl=5)
        def report(): ...
        """
    )
    assert schedule_of(module.report).options == Options(retries=3, queue="night", ttl=5.0)
    assert registry.find_task("tasks_of_test.report") is module.report


def test_a_schedule_says_how_it_is_run(make_module):
    """Time zone, missed times and overlapping runs; the same for both kinds, but intervals have no zone."""
    module = make_module(
        """
        import autocron
        from zoneinfo import ZoneInfo

        @autocron.cron("@daily", timezone="Asia/Tokyo", catch_up="all", overlap="queue")
        def named(): ...

        @autocron.cron(minutes=[0], timezone=ZoneInfo("Asia/Tokyo"), grace=60)
        def zone(): ...

        @autocron.every(hours=1, catch_up="skip", overlap="allow", grace=0.5)
        def interval(): ...
        """
    )
    named, zone, interval = (
        schedule_of(getattr(module, name)) for name in ("named", "zone", "interval")
    )
    assert (named.timezone, named.catch_up, named.overlap) == ("Asia/Tokyo", "all", "queue")
    assert (named.grace, zone.grace, interval.grace) == (86400.0, 60.0, 0.5)
    assert (zone.timezone, zone.catch_up, zone.overlap) == ("Asia/Tokyo", "last", "skip")
    assert (interval.timezone, interval.catch_up, interval.overlap) == (None, "skip", "allow")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timezone": "Europe/Berln"}, "timezone 'Europe/Berln': .*did you mean Europe/Berlin"),
        ({"timezone": "europe/berlin"}, "did you mean Europe/Berlin"),
        ({"timezone": "Europe"}, "timezone 'Europe': must be the name of a time zone"),
        ({"timezone": "../../etc/passwd"}, "must be the name of a time zone"),
        ({"timezone": ""}, "timezone '': must be the name of a time zone"),
        ({"timezone": 2}, "timezone 2: must be the name of a time zone"),
        ({"catch_up": "never"}, "catch_up 'never': must be one of 'last', 'all', 'skip'"),
        ({"catch_up": True}, "catch_up True: must be one of"),
        ({"overlap": "beside"}, "overlap 'beside': must be one of 'skip', 'queue', 'allow'"),
        ({"grace": -1}, "grace -1: must be a number of seconds from 0 to"),
        ({"grace": "1"}, "grace '1': must be a number"),
        ({"grace": float("nan")}, "grace nan: must be a number"),
    ],
    ids=str,
)
def test_an_impossible_manner_is_an_error_at_decoration(options, message):
    """It names the option, its value, and what is allowed."""
    with pytest.raises(InvalidSchedule, match=message):
        autocron.cron("@daily", **options)
    if "timezone" not in options:
        with pytest.raises(InvalidSchedule, match=message):
            autocron.every(seconds=5, **options)


def test_a_function_and_options_cannot_be_given_at_once():
    """They would be ignored: the error shows how to write it."""

    def function(): ...

    for call, message in (
        (lambda: autocron.cron(function, minutes=[0]), r"@autocron.cron\(minutes=...\) above"),
        (lambda: autocron.delay(function, retries=1), r"@autocron.delay\(retries=...\) above"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


@pytest.mark.parametrize("option", ["minutes=5", "schedule=datetime(2030, 1, 1)"])
def test_a_run_of_a_schedule_has_no_delay(make_module, option):
    """It is due when the schedule says, and the delay would be ignored."""
    with pytest.raises(InvalidTask, match="leave the delay out"):
        make_module(
            f"""
            import autocron
            from datetime import datetime

            @autocron.cron
            @autocron.delay({option})
            def f(): ...
            """
        )


def test_far_away_times_end_with_the_calendar(make_module):
    """There are fewer than were asked for."""
    module = make_module("import autocron\n@autocron.every(weeks=5200)\ndef f(): ...\n")
    assert 70 < len(module.f.next_runs(100)) < 90


def test_what_belongs_to_the_task_is_not_guessed():
    """The error says where to put it."""
    with pytest.raises(TypeError, match=r"put it on the task, with @autocron.delay\(retries="):
        autocron.cron("@daily", retries=3)
    with pytest.raises(TypeError, match=r"put it on the task, with @autocron.delay\(queue="):
        autocron.every(seconds=5, queue="night")
    with pytest.raises(TypeError, match="'timezone': an interval is as long in every zone"):
        autocron.every(seconds=5, timezone="UTC")


def test_who_has_the_decorators_the_wrong_way_round_is_told(make_module):
    """A schedule is put on a task, and not a task on a schedule."""
    with pytest.raises(
        InvalidTask, match=r"put @autocron.delay below the decorator of its schedule"
    ):
        make_module(
            """
            import autocron

            @autocron.delay(retries=3)
            @autocron.cron
            def f(): ...
            """
        )


@pytest.mark.parametrize("wrong", [5, "5", lambda: None], ids=["number", "text", "bare"])
def test_an_interval_is_given_by_name(wrong):
    """Whoever forgets the unit is told how to write it."""
    with pytest.raises(InvalidSchedule, match=r"given by name, as in every\(seconds=30\)"):
        autocron.every(wrong)


# The coming times -----------------------------------------------------------------------------


def test_the_coming_times_can_be_asked_for(make_module):
    """They are in the zone of the schedule, and after now."""
    module = make_module(
        """
        import autocron

        @autocron.cron("30 7 * * mon-fri", timezone="Asia/Tokyo")
        def report(): ...
        """
    )
    times = module.report.next_runs(6)
    assert [time.strftime("%H:%M %z") for time in times] == ["07:30 +0900"] * 6
    assert not {time.strftime("%a") for time in times} & {"Sat", "Sun"}
    assert datetime.now(timezone.utc) < times[0] < times[-1]
    assert len(module.report.next_runs()) == 5


def test_an_interval_counts_from_now_until_it_is_registered(make_module):
    """Or is due at once, if it starts now."""
    module = make_module(
        """
        import autocron

        @autocron.every(hours=1)
        def later(): ...

        @autocron.every(hours=1, start_now=True)
        def at_once(): ...
        """
    )
    now = datetime.now(timezone.utc)
    later, at_once = module.later.next_runs(2), module.at_once.next_runs(2)
    hour = timedelta(hours=1)
    assert later[1] - later[0] == at_once[1] - at_once[0] == hour
    assert abs(later[0] - now - hour) < timedelta(seconds=30)
    assert abs(at_once[0] - now) < timedelta(seconds=30)


def test_the_setting_is_the_zone_of_schedules_without_one(make_module, path):
    """In any process that has started; and intervals count from their registration."""
    module = make_module(
        """
        import autocron

        @autocron.cron("@daily")
        def report(): ...

        @autocron.every(days=1)
        def refresh(): ...
        """
    )
    autocron.start(path, autostart=False, timezone="Asia/Kathmandu")
    try:
        (time,) = module.report.next_runs(1)
        assert time.isoformat().endswith("T00:00:00+05:45")
        store = autocron.app.current_client().store
        scheduler.register(store, [schedule_of(module.refresh)], 1_000_000.0, "Asia/Kathmandu")
        (time,) = module.refresh.next_runs(1)
        assert (time.timestamp() - 1_000_000) % 86400 == 0
    finally:
        autocron.stop()


def test_the_coming_times_are_yet_to_come(make_module, path):
    """Also of a schedule that is known already, and starts at its first registration."""
    module = make_module(
        """
        import autocron

        @autocron.every(days=1, start_now=True)
        def refresh(): ...
        """
    )
    autocron.start(path, autostart=False)
    try:
        store, now = autocron.app.current_client().store, datetime.now(timezone.utc).timestamp()
        scheduler.register(store, [schedule_of(module.refresh)], now - 3600)
        (time,) = module.refresh.next_runs(1)
        assert time.timestamp() == int(now - 3600) + 86400
    finally:
        autocron.stop()


@pytest.mark.parametrize("count", [0, -1, 1001, "5", 1.0, None, True])
def test_only_so_many_times_can_be_asked_for(make_module, count):
    """One to a thousand."""
    module = make_module("import autocron\n@autocron.cron\ndef f(): ...\n")
    with pytest.raises(InvalidOption, match="must be a whole number from 1 to 1000"):
        module.f.next_runs(count)


@pytest.mark.parametrize("parameters", ["to", "to, copies=1", "*, to"])
@pytest.mark.parametrize("decorator", ["cron", "every(seconds=1)", "cron('@daily')"])
def test_a_schedule_needs_no_arguments(make_module, decorator, parameters):
    """Nobody could give them."""
    with pytest.raises(InvalidTask, match=r"f cannot be a task: .*called without arguments"):
        make_module(f"import autocron\n@autocron.{decorator}\ndef f({parameters}): ...\n")


@pytest.mark.parametrize("parameters", ["", "copies=1", "*args, **kwargs"])
def test_a_schedule_may_have_optional_arguments(make_module, parameters):
    """They have their defaults."""
    module = make_module(f"import autocron\n@autocron.cron\ndef f({parameters}): ...\n")
    assert schedule_of(module.f).task == "tasks_of_test.f"
