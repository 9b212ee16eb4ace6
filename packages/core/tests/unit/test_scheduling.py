import itertools
import math
import time
from datetime import datetime, timedelta
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocron.errors import InvalidSchedule, kinds_of
from autocron.policy import Exponential, Policy
from autocron.scheduling import parse_rule
from autocron.scheduling.cron import cron_from_lists, parse_cron
from autocron.scheduling.every import EveryRule, every_from, parse_every
from autocron.scheduling.retries import is_retried_after, pause_after

SUNDAY = datetime(2026, 11, 22, 12, 0)  # noqa: DTZ001


def times(expression, count=4, start=SUNDAY):
    """Return the next times of an expression, as text."""
    rule, found = parse_cron(expression), []
    for _ in range(count):
        start = rule.next_time(start)
        found.append(start.strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["11-22 12:01", "11-22 12:02"]),
        ("0 * * * *", ["11-22 13:00", "11-22 14:00"]),
        ("5,50,7 * * * *", ["11-22 12:05", "11-22 12:07", "11-22 12:50", "11-22 13:05"]),
        ("58-59 23 * * *", ["11-22 23:58", "11-22 23:59", "11-23 23:58"]),
        ("*/25 * * * *", ["11-22 12:25", "11-22 12:50", "11-22 13:00"]),
        ("10-30/10 0 * * *", ["11-23 00:10", "11-23 00:20", "11-23 00:30", "11-24 00:10"]),
        ("0 0 1-7/3,31 1 *", ["01-01 00:00", "01-04 00:00", "01-07 00:00", "01-31 00:00"]),
        ("30 7 * * mon-fri", ["11-23 07:30", "11-24 07:30", "11-25 07:30"]),
        ("0 0 * * 0", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 7", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * SUN", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 5-7", ["11-27 00:00", "11-28 00:00", "11-29 00:00", "12-04 00:00"]),
        ("0 0 * * sat-sun", ["11-28 00:00", "11-29 00:00", "12-05 00:00"]),
        ("0 0 * * MON-SUN", ["11-23 00:00", "11-24 00:00"]),
        ("0 0 * * sun-sun", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 0-1", ["11-23 00:00", "11-29 00:00", "11-30 00:00"]),
        ("0 0 * * */3", ["11-25 00:00", "11-28 00:00", "11-29 00:00"]),
        ("0 0 1 Jan,jUL *", ["01-01 00:00", "07-01 00:00"]),
        ("0 0 1 feb-apr/2 *", ["02-01 00:00", "04-01 00:00"]),
        ("0 0 31 * *", ["12-31 00:00", "01-31 00:00", "03-31 00:00"]),
        ("0 0 29 2 *", ["02-29 00:00"]),
        ("  0\t0  1 1   * ", ["01-01 00:00"]),
        ("00 07 01 01 *", ["01-01 07:00"]),
        ("@hourly", ["11-22 13:00", "11-22 14:00"]),
        ("@daily", ["11-23 00:00", "11-24 00:00"]),
        ("@midnight", ["11-23 00:00"]),
        ("@weekly", ["11-29 00:00", "12-06 00:00"]),
        ("@monthly", ["12-01 00:00", "01-01 00:00"]),
        ("@Yearly", ["01-01 00:00"]),
        ("@annually", ["01-01 00:00"]),
    ],
)
def test_an_expression_means_what_crontab_says(expression, expected):
    """Lists, ranges, steps, names in any case, both Sundays and nicknames."""
    assert times(expression, len(expected)) == expected


def test_either_day_will_do_if_both_are_restricted():
    """The 1st or a Friday; with a `*` in front, a field counts as unrestricted, as in crontab(5)."""
    assert times("0 0 1 * fri") == ["11-27 00:00", "12-01 00:00", "12-04 00:00", "12-11 00:00"]
    assert times("0 0 * * fri", 2) == ["11-27 00:00", "12-04 00:00"]
    assert times("0 0 1 * *", 2) == ["12-01 00:00", "01-01 00:00"]
    assert times("0 0 */2 * fri", 2) == ["11-27 00:00", "12-11 00:00"]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "needs five fields"),
        ("   ", "needs five fields"),
        ("* * * *", "has 4, and needs five fields"),
        ("* * * * * *", "has 6, and needs five fields"),
        ("@never", "there is no such nickname: known are .*@hourly"),
        ("@dayly", r"there is no such nickname \(did you mean @daily\?\)"),
        ("@", "there is no such nickname"),
        ("60 * * * *", "minute '60': must be from 0 to 59"),
        ("* 24 * * *", "hour '24': must be from 0 to 23"),
        ("* * 0 * *", "day of month '0': must be from 1 to 31"),
        ("* * 32 * *", "day of month '32'"),
        ("* * * 0 *", "month '0': must be from 1 to 12, or a name such as jan"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 8", "day of week '8': must be from 0 to 7, or a name such as sun"),
        ("* * * * someday", "day of week 'someday'"),
        ("jan * * * *", "minute 'jan'"),
        ("-1 * * * *", "minute '-1'"),
        ("1- * * * *", "minute '1-'"),
        ("5-1 * * * *", "minute '5-1': the range ends before it begins.* from 0 to 59"),
        ("* * * * fri-mon", "the range ends before it begins"),
        ("* * * * 6-0", "the range ends before it begins"),
        ("1-2-3 * * * *", "minute '1-2-3'"),
        ("*/0 * * * *", r"minute '\*/0': a step must be from 1 to 59"),
        ("*/ * * * *", "a step must be"),
        ("*/-1 * * * *", "a step must be"),
        ("*/60 * * * *", "a step must be"),
        ("*/1/1 * * * *", "a step must be"),
        ("*/99999999999999999999 * * * *", "a step must be"),
        ("5/15 * * * *", "a step needs"),
        ("1,,2 * * * *", "minute ''"),
        (", * * * *", "minute ''"),
        ("1.5 * * * *", "minute '1.5'"),
        ("+1 * * * *", r"minute '\+1'"),
        ("1_0 * * * *", "minute '1_0'"),
        ("\u0661 * * * *", "minute '\u0661'"),
        ("\u00b2 * * * *", "minute '\u00b2'"),
        ("*/\u0662 * * * *", "a step must be"),
        ("** * * * *", r"minute '\*\*'"),
        ("? * * * *", r"minute '\?'"),
        ("30 2 31 2 *", "day of month '31': must be from 1 to 29 in month 2"),
        ("0 0 30-31 feb *", "day of month '30-31': must be from 1 to 29 in month feb"),
        ("0 0 31 4,6,9,11 *", "day of month '31': must be from 1 to 30 in month 4,6,9,11"),
        ("0 0 31 2 */2", "day of month '31': must be from 1 to 29"),
        ("* " * 10_000, "has 20000 characters, and at most 1000"),
        ("1," * 400 + "1 * * * *", None),
        (None, "must be a string"),
        (5, "must be a string"),
        (b"* * * * *", "must be a string"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_crontab_does_not_say_is_refused(expression, message):
    """The error names the field and what is allowed; nothing is silently misread."""
    if message is None:
        parse_cron(expression)
        return
    with pytest.raises(InvalidSchedule, match=message) as caught:
        parse_cron(expression)
    assert len(str(caught.value)) < 300


@given(st.text("0123456789*/,- @adfhilmnorstuwy", max_size=20) | st.text())
def test_any_text_is_a_rule_or_refused(text):
    """There is no third possibility, and a rule can be written and read again."""
    try:
        rule = parse_cron(text)
    except InvalidSchedule:
        return
    assert parse_rule(str(rule)) == rule


def test_an_impossible_date_takes_no_time():
    """That no day matches is found out at decoration, and soon."""
    began = time.process_time()
    with pytest.raises(InvalidSchedule):
        parse_cron("0 0 30 2 *")
    assert time.process_time() - began < 1


class Number(IntEnum):
    """As those of `calendar`, from Python 3.12 on."""

    ZERO = 0
    SIX = 6


@pytest.mark.parametrize(
    ("lists", "expression"),
    [
        ({}, "* * * * *"),
        ({"minutes": [30], "hours": [7], "days_of_week": [0, 1]}, "30 7 * * 1,2"),
        ({"minutes": range(0, 60, 30)}, "0,30 * * * *"),
        ({"days": (1, 15), "months": {"jan"}}, "* * 1,15 jan *"),
        ({"days_of_week": [6]}, "* * * * 0"),
        ({"days_of_week": ["mon", 6]}, "* * * * 0,mon"),
        ({"minutes": 5, "months": "Feb"}, "5 * * feb *"),
        ({"minutes": {30, 0, 15}, "months": ["mar", 1, "jan"]}, "0,15,30 * * jan,mar *"),
        ({"days_of_week": 0}, "* * * * 1"),
        ({"days_of_week": [Number.ZERO], "hours": [Number.SIX]}, "* 6 * * 1"),
    ],
)
def test_lists_become_an_expression(lists, expression):
    """Monday is 0 in lists, as in `datetime.weekday()`; a single value is a list of one."""
    assert cron_from_lists(**lists).expression == expression


@pytest.mark.parametrize(
    "lists",
    [
        {"minutes": []},
        {"minutes": [60]},
        {"minutes": [-1]},
        {"minutes": [1.5]},
        {"minutes": [True]},
        {"minutes": [None]},
        {"minutes": ["*/5"]},
        {"minutes": ["1-5"]},
        {"minutes": ["1,2"]},
        {"minutes": "* * * * *"},
        {"hours": [24]},
        {"days": [0]},
        {"months": [0]},
        {"months": ["january"]},
        {"days_of_week": ["0"]},  # Monday or Sunday?
        {"days_of_week": [7]},
        {"days_of_week": [-1]},
        {"days_of_week": [True]},
        {"days_of_week": ["someday"]},
        {"days_of_week": []},
        {"minutes": 5.5},
        {"minutes": b"5"},
        {"minutes": itertools.count()},
        {"days_of_week": itertools.repeat(0)},
        {"days": [31], "months": [2]},
    ],
    ids=str,
)
def test_lists_of_anything_else_are_refused(lists):
    """Numbers must be in range, and strings must be names; the error names the list."""
    with pytest.raises(InvalidSchedule) as caught:
        cron_from_lists(**lists)
    assert len(lists) > 1 or str(caught.value).startswith(next(iter(lists)))


def test_next_after_is_later_and_on_the_minute():
    """A due time is a whole minute after now, whatever fraction of a second now has."""
    rule = parse_cron("* * * * *")
    for now in (0.0, 59.999, 60.0, 1_800_000_000.5):
        due = rule.next_after(now)
        assert now < due <= now + 60
        assert due % 60 == 0


def test_the_next_time_after_a_due_time_is_another():
    """From one due time to the next, none is met twice or left out."""
    rule = parse_cron("*/20 * * * *")
    due = datetime(2026, 11, 22, 12, 0).timestamp()  # noqa: DTZ001
    for step in range(1, 10):
        due_next = rule.next_after(due)
        assert due_next == due + 1200, step
        due = due_next


# Intervals ------------------------------------------------------------------------------------


def test_an_interval_is_the_sum_of_its_parts():
    """Fractions are fine as long as the sum is a whole number of seconds."""
    assert every_from(weeks=1, days=1, hours=1, minutes=1, seconds=1) == EveryRule(694861)
    assert every_from(minutes=0.5) == EveryRule(30)
    assert every_from(days=0.1) == EveryRule(8640)
    assert parse_rule(str(every_from(hours=2))) == EveryRule(7200)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"seconds": 0},
        {"seconds": 0.5},
        {"seconds": -5},
        {"minutes": 2, "seconds": -60},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"days": True},
        {"hours": "1"},
        {"seconds": None},
        {"weeks": 1e10},
        {"weeks": 10**400},
        {"weeks": 10**5000},
        {"weeks": 1e308},
    ],
    ids=lambda parts: str(parts)[:20] if "weeks" not in parts else "weeks",
)
def test_impossible_intervals_are_refused(parts):
    """From one second to a hundred years."""
    with pytest.raises(InvalidSchedule):
        every_from(**parts)


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "x", "\u0665", "5 5", "9" * 20, "9" * 5000])
def test_other_stored_intervals_are_refused(text):
    """What somebody else wrote into the database is an error, and no crash."""
    with pytest.raises(InvalidSchedule):
        parse_every(text)


@given(st.integers(1, 10**6), st.floats(0, 4e9), st.floats(0, 4e9))
def test_intervals_do_not_drift(seconds, now, anchor):
    """Due times are whole intervals from the anchor, and the next one is never in the past."""
    due = EveryRule(seconds).next_after(now, anchor=anchor)
    assert now < due <= now + seconds + 1e-3
    assert math.isclose((due - anchor) / seconds, round((due - anchor) / seconds), abs_tol=1e-3)


def test_a_long_pause_is_made_up_for_once():
    """After a night without power, an hourly job is due once and not eight times."""
    assert EveryRule(3600).next_after(now=8 * 3600 + 5, anchor=0) == 9 * 3600


# Retries --------------------------------------------------------------------------------------


STEADY = Exponential(jitter=0)


@given(st.integers(1, 10**9))
def test_pauses_grow_up_to_a_limit(attempt):
    """Each pause is as long as the one before or longer, and five minutes at most."""
    assert 1 <= pause_after(attempt, STEADY) <= pause_after(attempt + 1, STEADY) <= 300


@given(st.integers(1, 50), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_chance_only_shortens_a_pause(attempt, jitter, chance):
    """By at most the part that is given, so that the limit holds."""
    longest = pause_after(attempt, STEADY)
    pause = pause_after(attempt, Exponential(jitter=jitter), lambda: chance)
    assert longest * (1 - jitter) <= pause <= longest


def test_pauses_can_be_given_one_by_one():
    """The last one is used for all that follow."""
    assert [pause_after(attempt, (5.0,)) for attempt in (1, 9)] == [5.0, 5.0]
    assert [pause_after(attempt, (1.0, 60.0)) for attempt in (1, 2, 3)] == [1.0, 60.0, 60.0]
    other = Exponential(first=10, factor=3, longest=100, jitter=0)
    assert [pause_after(attempt, other) for attempt in (1, 2, 3, 4)] == [10, 30, 90, 100]


def test_pauses_of_jobs_that_fail_together_differ():
    """Without anything being said."""
    assert len({pause_after(5, Exponential()) for _ in range(20)}) > 1


def test_which_exceptions_are_tried_again():
    """Classes that are given, and those derived from them; what is to be given up wins."""
    lost, late = kinds_of(ConnectionResetError), kinds_of(TimeoutError)
    assert is_retried_after(lost, Policy())
    only = Policy(retry_on=("builtins.ConnectionError", "builtins.KeyError"))
    assert is_retried_after(lost, only)
    assert not is_retried_after(late, only)
    but = Policy(retry_on=("builtins.OSError",), give_up_on=("builtins.TimeoutError",))
    assert is_retried_after(lost, but)
    assert not is_retried_after(late, but)
    assert not is_retried_after(late, Policy(give_up_on=("builtins.OSError",)))


def test_the_clock_change_is_survived(run_program):
    """Across both clock changes of a year each due time is later than the one before."""
    ended = run_program(
        """
        import os, time
        os.environ["TZ"] = "Europe/Berlin"
        time.tzset()
        from datetime import datetime
        from autocron.scheduling.cron import parse_cron

        rule = parse_cron("30 * * * *")
        for start in (datetime(2026, 3, 29), datetime(2026, 10, 25)):
            now = start.timestamp()
            for _ in range(30):
                due = rule.next_after(now)
                assert now < due <= now + 2 * 3600, (datetime.fromtimestamp(now), due - now)
                now = due
        """
    )
    assert ended.returncode == 0, ended.stderr


def test_a_rule_is_a_value():
    """Rules that say the same are equal, and their stored form says what they are."""
    assert parse_rule("cron @daily") == parse_cron("@daily")
    assert parse_rule("every 5") == EveryRule(5)
    for text in ("", "cron", "sometimes * * * * *", "every", "every x", "cron x"):
        with pytest.raises(InvalidSchedule):
            parse_rule(text)
    assert timedelta(seconds=parse_rule("every 90").seconds) == timedelta(minutes=1.5)
