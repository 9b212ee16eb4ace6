import math
from datetime import date, datetime, timedelta, timezone, tzinfo

import pytest

from autocron.errors import InvalidOption, shown
from autocron.model import Options
from autocron.options import make_options
from autocron.policy import Exponential, Policy

NONE = Options()


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ({"seconds": 0}, 0),
        ({"seconds": 0.25}, 0.25),
        ({"minutes": 1.5}, 90),
        ({"weeks": 1, "days": 1, "hours": 1, "minutes": 1, "seconds": 1}, 694861),
        ({"weeks": 0, "seconds": 5}, 5),
    ],
)
def test_the_parts_of_a_delay_are_added(parts, seconds):
    """Weeks, days, hours, minutes and seconds make up one delay."""
    assert make_options(NONE, parts) == Options(delay=seconds)


@pytest.mark.parametrize("name", ["weeks", "days", "hours", "minutes", "seconds", "ttl"])
@pytest.mark.parametrize(
    "value",
    [-1, -0.001, math.nan, math.inf, -math.inf, True, "5", [], 1j, 1e300, 10**400, 10**5000, 1e10],
    ids=shown,
)
def test_impossible_lengths_of_time_are_refused(name, value):
    """A length of time is a number from 0 to 100 years; the error names it and shows the value."""
    with pytest.raises(InvalidOption) as caught:
        make_options(NONE, {name: value})
    assert str(caught.value).startswith(f"{name}={shown(value)}: must be a number from 0 to ")


def test_the_limit_holds_for_the_sum():
    """Parts that are possible one by one may be too long together."""
    with pytest.raises(InvalidOption, match="100 years"):
        make_options(NONE, {"weeks": 5200, "days": 36000})


def test_a_moment_with_a_time_zone_is_that_moment():
    """An aware datetime means what it says."""
    moment = datetime(2026, 11, 22, 7, 30, tzinfo=timezone(timedelta(hours=5)))
    assert make_options(NONE, {"schedule": moment}) == Options(run_at=moment.timestamp())


def test_a_naive_moment_is_local_time():
    """A datetime without a zone is what the clock on the wall shows."""
    moment = datetime(2026, 11, 22, 7, 30)  # noqa: DTZ001
    assert make_options(NONE, {"schedule": moment}).run_at == moment.timestamp()


def test_a_naive_moment_may_be_one_that_the_clock_skips_or_repeats(run_program):
    """By the rule of `datetime.timestamp()`: the first of two, and by the old offset if there is none."""
    ended = run_program(
        """
        import os, time
        os.environ["TZ"] = "Europe/Berlin"
        time.tzset()
        from datetime import datetime
        from autocron.model import Options
        from autocron.options import make_options

        def utc(*moment, **more):
            run_at = make_options(Options(), {"schedule": datetime(*moment, **more)}).run_at
            return time.strftime("%H:%M", time.gmtime(run_at))

        print(utc(2030, 3, 31, 2, 30))           # skipped: 3:30 of the new time
        print(utc(2030, 10, 27, 2, 30))          # repeated: the first one
        print(utc(2030, 10, 27, 2, 30, fold=1))  # the second one
        """
    )
    assert ended.stdout.split() == ["01:30", "00:30", "01:30"], ended.stderr


@pytest.mark.parametrize(
    "moment",
    [datetime.min, datetime(1, 1, 1, tzinfo=timezone.utc), datetime(1970, 1, 1)],  # noqa: DTZ001, DTZ901
)
def test_a_moment_in_the_past_means_at_once(moment):
    """However long ago it is, the job is due."""
    run_at = make_options(NONE, {"schedule": moment}).run_at
    assert run_at <= datetime.now(timezone.utc).timestamp()
    assert math.isfinite(run_at)


class Nowhere(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, moment):
        """Return nothing."""


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max,  # noqa: DTZ901
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-23))),
        datetime(2200, 1, 1, tzinfo=timezone.utc),
        date(2026, 1, 1),
        "2026-01-01",
        5,
        True,
        datetime(2026, 1, 1, tzinfo=Nowhere()),
    ],
    ids=str,
)
def test_absurd_moments_are_refused(moment):
    """What is no datetime, or lies beyond a hundred years, is an error that shows it."""
    with pytest.raises(InvalidOption, match="schedule="):
        make_options(NONE, {"schedule": moment})


def test_a_call_has_a_delay_or_a_moment():
    """Both at once contradict each other; a later one replaces an earlier one."""
    moment = datetime(2026, 11, 22, tzinfo=timezone.utc)
    with pytest.raises(InvalidOption, match="either a schedule or a delay"):
        make_options(NONE, {"schedule": moment, "seconds": 0})
    at_moment = make_options(Options(delay=5.0), {"schedule": moment})
    assert (at_moment.delay, at_moment.run_at) == (None, moment.timestamp())
    assert make_options(at_moment, {"seconds": 5}) == Options(delay=5.0)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("retries", [0, 1_000_000], [-1, 1_000_001, 1.0, True, "1", math.nan]),
        ("priority", [-1_000_000, 0, 1_000_000], [-1_000_001, 1_000_001, 0.5, False, "high"]),
        ("queue", ["a", "post office", "ü", "x" * 100], ["", "x" * 101, "a\n", "\0", 5, b"a"]),
    ],
)
def test_other_options_have_limits(name, good, bad):
    """What is at the limit is taken, what is beyond is an error that names it."""
    for value in good:
        assert getattr(make_options(NONE, {name: value}), name) == value
    for value in bad:
        with pytest.raises(InvalidOption) as caught:
            make_options(NONE, {name: value})
        assert str(caught.value).startswith(f"{name}={value!r}: must be ")


def test_a_queue_cannot_be_named_with_half_a_character():
    """A lone surrogate could not be stored."""
    with pytest.raises(InvalidOption):
        make_options(NONE, {"queue": "\ud800"})


def test_what_is_not_given_stays():
    """None means not given, and options that were set before stay as they are."""
    base = Options(delay=5.0, retries=3, ttl=60.0, queue="mail", priority=7)
    assert make_options(base, dict.fromkeys(["seconds", "schedule", "retries", "queue"])) == base
    assert make_options(base, {"retries": 0}) == Options(
        delay=5.0, retries=0, ttl=60.0, queue="mail", priority=7
    )


# What is to become of a job whose attempt does not go well --------------------------------------


@pytest.mark.parametrize(
    ("given", "backoff"),
    [
        (30, (30.0,)),
        (0, (0.0,)),
        ([1, 60.5], (1.0, 60.5)),
        ((5,), (5.0,)),
        (Exponential(first=5, jitter=0), Exponential(first=5, jitter=0)),
    ],
)
def test_backoff_takes_all_its_forms(given, backoff):
    """A number of seconds, several, or how they grow."""
    assert make_options(Options(), {"backoff": given}).policy.backoff == backoff


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("backoff", value) for value in (-1, "5", [], [1, None], True, {}, 10**10)],
        ("backoff.first", Exponential(first=-1)),
        ("backoff.factor", Exponential(factor=0.5)),
        ("backoff.longest", Exponential(longest=10**10)),
        ("backoff.jitter", Exponential(jitter=1.5)),
        *[("timeout", value) for value in (0, -1, "5", True, float("nan"), 10**10)],
        *[("retry_on", value) for value in ([], "OSError", 5, [OSError, 5], int, OSError())],
        *[("give_up_on", value) for value in ("OSError", int, [int])],
        *[("on_crash", value) for value in ("ignore", True, 1, [])],
    ],
    ids=str,
)
def test_an_impossible_policy_is_refused(name, value):
    """The error names the option and shows its value."""
    with pytest.raises(InvalidOption, match=rf"^{name}=.*: must "):
        make_options(Options(), {name.partition(".")[0]: value})


class Lost(OSError):
    """An error of the application's own."""


def test_exceptions_are_known_by_their_names():
    """One, or several: no code has to be stored, and none to be imported."""
    options = make_options(Options(), {"retry_on": [Lost, KeyError], "give_up_on": TimeoutError})
    assert options.policy.retry_on == (f"{__name__}.Lost", "builtins.KeyError")
    assert options.policy.give_up_on == ("builtins.TimeoutError",)


def test_a_call_changes_only_what_it_names():
    """The rest of the policy is the task's."""
    base = make_options(Options(), {"timeout": 5, "on_crash": "fail"})
    changed = make_options(base, {"timeout": 7})
    assert changed.policy == Policy(timeout=7.0, on_crash="fail")
