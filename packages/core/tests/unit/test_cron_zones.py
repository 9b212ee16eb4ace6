"""Due times in all zones, across changes of the clock, and beside what two other programs say.

cronsim does as Debian's cron does, and so do we. croniter has rules of its own for changes of the
clock, so it is asked about days without one. Changes are found here by a search of our own, which
knows nothing of `autocron.scheduling.wall`.
"""

import importlib.resources
import re
import struct
import zoneinfo
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from autocron.errors import InvalidSchedule
from autocron.scheduling import EveryRule, last_due
from autocron.scheduling.autotask import cron_from_autotask
from autocron.scheduling.cron import parse_cron
from autocron.scheduling.wall import first_moment, next_change, wall_time

HOUR, DAY = 3600, 24 * 3600
AROUND = 26 * HOUR  # of each change: the day before, the day after, and a little more


def at(year, month=1, day=1, hour=0, minute=0, zone=timezone.utc):
    """Return a time on the wall as seconds since 1970 UTC."""
    return int(datetime(year, month, day, hour, minute, tzinfo=zone).timestamp())


SINCE, UNTIL = at(2000), at(2038)  # all offsets of these years are whole minutes


# Zones and their changes ------------------------------------------------------------------------


class Change(NamedTuple):
    """A moment, and by how many seconds the wall is ahead of UTC before it and from then on."""

    moment: int
    before: int
    after: int

    def skipped(self):
        """Return the minutes that the wall does not show."""
        start = datetime(1970, 1, 1) + timedelta(seconds=self.moment + self.before)  # noqa: DTZ001
        return [start + timedelta(minutes=n) for n in range((self.after - self.before) // 60)]


def is_a_zone_proper(name):
    """Tell zones from the machine's own under another name, and from those with leap seconds."""
    return name not in {"localtime", "posixrules"} and not name.startswith(("posix/", "right/"))


def file_of(name):
    """Return what is in a zone's file, which is looked for where `zoneinfo` does."""
    for folder in zoneinfo.TZPATH:
        if (file := Path(folder, name)).is_file():
            return file.read_bytes()
    return importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache
def zones():
    """Return a name for each zone, and its file: names with equal files are one zone."""
    names = sorted(filter(is_a_zone_proper, zoneinfo.available_timezones()))
    files = {}
    for name in names:
        files.setdefault(file_of(name), name)
    assert len(files) > 300, "there is no time zone data here: install tzdata"
    return {name: file for file, name in files.items()}


def offset_at(moment, zone):
    """Return by how many seconds the wall of a zone is ahead of UTC."""
    return datetime.fromtimestamp(moment, zone).utcoffset() // timedelta(seconds=1)


@cache
def changes_of(name):
    """Return all changes of offset from 2000 to 2037: a look at every fifth day, then a search."""
    zone, days = ZoneInfo(name), range(SINCE, UNTIL + 5 * DAY, 5 * DAY)
    offsets = [datetime.fromtimestamp(day, zone).utcoffset() for day in days]
    looks = pairwise(zip(days, offsets, strict=True))
    return [change_between(low, high, zone) for (low, a), (high, b) in looks if a != b]


def change_between(low, high, zone):
    """Return the change of offset between two moments."""
    before, after = offset_at(low, zone), offset_at(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset_at(middle, zone) == before else (low, middle)
    return Change(high, before, after)


@cache
def zones_with_changes():
    """Return the zones that change from 2020 to 2030, by their changes; as fifty instead of 600.

    Zones that agree in these are one, so they are made one before anything is compared.
    """
    ten_years, found = range(at(2020), at(2030)), {}
    for name in zones():
        found.setdefault(tuple(c for c in changes_of(name) if c.moment in ten_years), name)
    return [(name, changes) for changes, name in found.items() if changes]


def listed_changes(file):
    """Return the changes that a zone's file lists (RFC 9636), but not those of its final rule."""
    head = struct.Struct(">4s16x6L")
    _, isut, isstd, leaps, times, types, chars = head.unpack_from(file)
    start = head.size + times * 5 + types * 6 + chars + leaps * 8 + isstd + isut
    _, isut, isstd, leaps, times, types, chars = head.unpack_from(file, start)
    start += head.size
    moments = struct.unpack_from(f">{times}q", file, start)
    offsets = [
        struct.unpack_from(">l", file, start + times * 9 + kind * 6)[0]
        for kind in (0, *file[start + times * 8 : start + times * 9])
    ]
    listed = [Change(*change) for change in zip(moments, offsets, offsets[1:], strict=False)]
    return [c for c in listed if c.before != c.after and SINCE < c.moment < UNTIL]


def test_no_zone_changes_its_offset_and_back_within_five_days():
    """So a look every few days finds all changes: `next_change` relies on it, and so do these tests.

    A file lists all changes up to some year; from then on a rule says two for each year.
    """
    for name, file in zones().items():
        listed, found = listed_changes(file), changes_of(name)
        assert found[: len(listed)] == listed, name
        assert all(later.moment - c.moment > 5 * DAY for c, later in pairwise(found)), name


def test_the_zones_are_as_different_as_in_real_life():
    """Half hours, two and three hours, and midnight skipped: none is lost by taking zones as one."""
    changes = {change for _, changes in zones_with_changes() for change in changes}
    assert {HOUR // 2, HOUR, 2 * HOUR, 3 * HOUR} <= {abs(c.after - c.before) for c in changes}
    assert any(wall.hour == 0 for c in changes for wall in c.skipped())
    assert len(changes) > 500


# Beside cronsim -----------------------------------------------------------------------------------


def by_cronsim(expression, name, after, until):
    """Give the due times after a moment, up to another and with it, as cronsim has them."""
    text = without_short_ranges(expression)
    for start, end, zone in spans_for_cronsim(expression, name, after, until):
        for found in CronSim(text, datetime.fromtimestamp(start, zone)):
            due = found.timestamp()
            if due > end:
                break
            if due > after:  # in a repeated hour it may begin with a time that was due before
                yield due


def without_short_ranges(expression):
    """Return the expression with `5-5/10` as `5`: to cronsim and croniter that goes on after 5."""
    return re.sub(r"\b(\w+)-\1(/\d+)?\b", r"\1", expression)


def spans_for_cronsim(expression, name, after, until):
    """Give from when to when cronsim is to be asked, and in which zone: all in one go, as a rule.

    If there is a change that it stumbles over, it is asked about what is before and after each
    change by itself, in the offset that is in force there.
    """
    zone = ZoneInfo(name)
    near = [c for c in changes_of(name) if after - DAY < c.moment <= until]
    if not any(cronsim_stumbles(expression, change) for change in near):
        yield after, until, zone
        return
    offset = offset_at(after, zone)
    for change in near:
        if change.moment > after:
            yield after, change.moment - 1, timezone(timedelta(seconds=offset))
            after, offset = change.moment - 1, change.after
    yield after, until, timezone(timedelta(seconds=offset))


def cronsim_stumbles(expression, change):
    """Tell whether a change is one that cronsim gets wrong; only where it follows the clock.

    It looks for a matching hour in steps of an hour that begin on the hour. If a change is not from
    a whole hour to another, that takes it past the first minutes of what matches, or back to before
    the change again and again. And it goes to another day by way of its first midnight, also if
    that was skipped, or comes before a time of the day before.
    """
    minute, hour, *day = expression.split()
    if not minute.startswith("*") and not hour.startswith("*"):
        return False
    ends = sorted((change.moment + change.before, change.moment + change.after))
    if any(end % HOUR for end in ends):
        return True
    midnight = ends[1] - 1 - (ends[1] - 1) % DAY
    first = ends[0] if change.after > change.before else ends[0] + 1
    return day != ["*", "*", "*"] and midnight >= first


def due_times(rule, after, until, zone):
    """Give the due times after a moment, up to another and with it."""
    while (after := rule.next_after(after, zone=zone)) <= until:
        yield after


@pytest.mark.parametrize(
    "expression",
    [
        "30 2 * * *",
        "15,45 0-3 * * *",
        "5 1,2,3 * * 7",
        "0 0 * * *",
        "30 0,23 * 3-10 *",
        "20 4 29-31 3,10 sun",
        "0 12 1 * *",
        "*/15 * * * *",
        "* 2 * * *",
        "30 * * * *",
        "0 */2 * * *",
        "*/20 1-3 * * *",
        "*/10 0 * * *",
        "*/30 23,0 * * sat,sun",
        "10 * */2 * *",
    ],
)
def test_changes_of_the_clock_are_as_cronsim_has_them(expression):
    """Around each change of ten years, in every zone, it is due when cronsim says.

    That holds for the due times one after another, and for the next one as seen from right before
    the change, from the change, and from within a repeated hour.
    """
    rule, wrong = parse_cron(expression), []
    for name, changes in zones_with_changes():
        for change in changes:
            after, until = change.moment - AROUND, change.moment + AROUND
            expected = list(by_cronsim(expression, name, after, until))
            close = [change.moment + seconds for seconds in (-0.5, 0, 59, HOUR // 4, HOUR // 2)]
            if list(due_times(rule, after, until, ZoneInfo(name))) != expected or [
                next(due_times(rule, m, until, ZoneInfo(name)), None) for m in close
            ] != [next((due for due in expected if due > m), None) for m in close]:
                wrong.append((name, str(datetime.fromtimestamp(change.moment, timezone.utc))))
    assert not wrong


# Random expressions -------------------------------------------------------------------------------


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Field(NamedTuple):
    """A field of an expression, and the numbers that it was made to stand for."""

    text: str
    numbers: frozenset


class Expression(NamedTuple):
    """An expression with its fields: minute, hour, day of month, month and day of week."""

    text: str
    fields: list

    def __repr__(self):
        """Return what a failing test is to show."""
        return self.text

    @property
    def is_fixed(self):
        """Whether neither minute nor hour begins with a `*`."""
        return not any(field.text.startswith("*") for field in self.fields[:2])

    @property
    def is_either_day(self):
        """Whether a day may match by its date or by its weekday."""
        return not any(field.text.startswith("*") for field in self.fields[2::2])

    def matches(self, wall):
        """Tell whether it says what the wall shows."""
        now = (wall.minute, wall.hour, wall.day, wall.month, wall.isoweekday() % 7)
        fits = [shown in field.numbers for shown, field in zip(now, self.fields, strict=True)]
        by_day = fits[2] or fits[4] if self.is_either_day else fits[2] and fits[4]
        return fits[0] and fits[1] and fits[3] and by_day


@st.composite
def parts(draw, low, high, names, most):
    """Return what may stand between two commas of a field; numbers go up to `most`."""

    def written(number):
        choices = [str(number), f"{number:02}"]
        if names and number - low < len(names):
            choices += [names[number - low], names[number - low].upper()]
        return draw(st.sampled_from(choices))

    step = draw(st.sampled_from([1, 1, 2, 3, 5, 7, 15, 20]).filter(lambda step: step <= high))
    slash = "" if step == 1 else f"/{step}"
    kind = draw(st.sampled_from(["*", "number", "range"]))
    if kind == "*":
        return Field(f"*{slash}", frozenset(range(low, high + 1, step)))
    first, last = sorted((draw(st.integers(low, most)), draw(st.integers(low, most))))
    begin = written(first)
    if kind == "number":
        return Field(begin, frozenset({first}))
    end = begin if first == last else written(last)
    return Field(f"{begin}-{end}{slash}", frozenset(range(first, last + 1, step)))


def fields(low, high, names=(), most=None):
    """Return fields of one to three parts."""
    return st.lists(parts(low, high, names, most or high), min_size=1, max_size=3).map(
        lambda found: Field(
            ",".join(part.text for part in found),
            frozenset(number for part in found for number in part.numbers),
        )
    )


def anything():
    """Return the field `*`, which the numbers of all fields are in."""
    return st.just(Field("*", frozenset(range(60))))


@st.composite
def expressions(draw):
    """Return an expression that is due some time; most are so on any day."""
    minute, hour = draw(fields(0, 59)), draw(anything() | fields(0, 23) | fields(0, 23, most=3))
    day, month = draw(anything() | fields(1, 31)), draw(anything() | fields(1, 12, MONTHS))
    weekday = draw(anything() | fields(0, 7, WEEKDAYS))
    weekday = weekday._replace(numbers=frozenset(number % 7 for number in weekday.numbers))
    made = [minute, hour, day, month, weekday]
    found = Expression(" ".join(field.text for field in made), made)
    in_a_leap_year = (datetime(2024, 1, 1) + timedelta(days=n) for n in range(366))  # noqa: DTZ001
    dates = {(day.month, day.day) for day in in_a_leap_year}
    is_ever = any((m, d) in dates for m in month.numbers for d in day.numbers)
    assume(is_ever or found.is_either_day)
    return found


@st.composite
def zones_and_moments(draw):
    """Return the name of a zone and a moment; every other one is near a change, if there is any."""
    name = draw(st.sampled_from(sorted(zones())))
    changes = [change.moment for change in changes_of(name) if change.moment < LATEST]
    if changes and draw(st.booleans()):
        distance = st.integers(-DAY, DAY) | st.integers(-HOUR, HOUR)
        moment = draw(st.sampled_from(changes)) + draw(distance)
    else:
        moment = draw(st.integers(SINCE + DAY, LATEST))
    return name, moment + draw(st.sampled_from([0, 0, 0.25, 0.999]))


LATEST = UNTIL - 365 * DAY  # of the moments from which something is looked for
EXAMPLES = settings(max_examples=250, deadline=None)


@EXAMPLES
@given(expressions(), zones_and_moments())
def test_the_wall_shows_what_the_expression_says(expression, where):
    """A due time is later, and what is not fixed is due at minutes of the wall that match.

    So is what is fixed, but in the first pass of a repeated hour only; or else it is due the moment
    after minutes were skipped one of which matches.
    """
    name, now = where
    due = parse_cron(expression.text).next_after(now, zone=ZoneInfo(name))
    assume(due < UNTIL)
    assert due > now
    wall = datetime.fromtimestamp(due, ZoneInfo(name))
    skipped = [m for c in changes_of(name) if c.moment == due for m in c.skipped()]
    if expression.is_fixed and any(map(expression.matches, skipped)):
        return
    assert wall.second == wall.microsecond == 0
    assert expression.matches(wall)
    assert not (expression.is_fixed and wall.fold)


@EXAMPLES
@given(expressions(), zones_and_moments())
def test_random_ones_are_as_cronsim_has_them(expression, where):
    """The next due times of a year, and a few after that, are those that cronsim gives."""
    name, now = where
    until = min(now + 400 * DAY, UNTIL)
    ours = due_times(parse_cron(expression.text), now, until, ZoneInfo(name))
    assert list(islice(ours, 5)) == list(islice(by_cronsim(expression.text, name, now, until), 5))


@EXAMPLES
@given(expressions(), zones_and_moments(), st.integers(0, 3 * DAY), st.floats(0, 1))
def test_nothing_is_due_before_the_next_due_time(expression, where, pause, share):
    """A later moment has a later or the same due time, and the same if that is still to come."""
    (_, now), zone = where, ZoneInfo(where[0])
    rule = parse_cron(expression.text)
    due = rule.next_after(now, zone=zone)
    assert due <= rule.next_after(now + pause, zone=zone)
    between = now + share * (due - now)
    assert rule.next_after(between, zone=zone) == due or between >= due
    assert rule.next_after(due - 0.001, zone=zone) == due < rule.next_after(due, zone=zone)


@EXAMPLES
@given(expressions(), zones_and_moments(), st.integers(0, DAY))
def test_the_last_due_time_is_the_last_of_all(expression, where, length):
    """`last_due` is what one finds by going through all due times of a day, both ends included."""
    (_, now), zone = where, ZoneInfo(where[0])
    rule, since = parse_cron(expression.text), int(now)
    *_, last = None, *due_times(rule, since - 0.001, since + length, zone)
    for until in (since + length, last or since):
        found = last_due(lambda moment: rule.next_after(moment, zone=zone), since, until)
        assert found == last


# Beside croniter ----------------------------------------------------------------------------------


@cache
def calm_times(month):
    """Return for each zone from when to when its clocks are left alone: from mid-month in 2025 on.

    Zones that agree about all of 2025 are one.
    """
    year, start, found = range(at(2025), at(2026)), at(2025, month, 15), {}
    for name in zones():
        changes = tuple(c.moment for c in changes_of(name) if c.moment in year)
        end = min([change for change in changes if change > start], default=year[-1]) - 1
        found.setdefault((offset_at(year[0], ZoneInfo(name)), changes), (name, start, end))
    return list(found.values())


def by_croniter(expression, name, after, until):
    """Give the due times after a moment, up to another, as croniter has them.

    Without `implement_cron_bug`, `*/2` would count as a restricted day.
    """
    start = datetime.fromtimestamp(after, ZoneInfo(name))
    text = without_short_ranges(expression)
    for found in croniter(text, start, datetime, implement_cron_bug=True):
        if found.timestamp() > until:
            return
        yield found.timestamp()


@pytest.mark.parametrize("month", range(1, 13))
@settings(max_examples=10, deadline=None, phases=set(Phase) - {Phase.explain})
@given(expressions())
def test_calm_times_are_as_croniter_has_them(month, expression):
    """Between changes of the clock, in every zone and month, the next times are croniter's too."""
    assume(not has_late_star(expression))
    rule = parse_cron(expression.text)
    for name, after, until in calm_times(month):
        ours = list(islice(due_times(rule, after, until, ZoneInfo(name)), 2))
        theirs = list(islice(by_croniter(expression.text, name, after, until), 2))
        assert ours == theirs, name


def has_late_star(expression):
    """Tell whether a field of days has a `*` that is not its beginning.

    To cron, and to us, such a field is restricted: `1,*` means each day, or a weekday that matches.
    croniter takes it, or the other field of days if that has all numbers, for one that is not.
    """
    texts = [field.text for field in expression.fields[2::2]]
    return any("*" in text and not text.startswith("*") for text in texts)


# The time on the wall -----------------------------------------------------------------------------


@settings(max_examples=500, deadline=None)
@given(zones_and_moments(), st.integers(0, 400 * DAY))
def test_changes_are_found(where, length):
    """From any moment on, the next change of offset is the one that our own search finds."""
    (name, after), zone = where, ZoneInfo(where[0])
    until = int(after) + length
    expected = [c.moment for c in changes_of(name) if after < c.moment <= until]
    assert next_change(after, until, zone) == (expected[0] if expected else None)


def test_every_change_is_found():
    """From a day before, from half a second before, and not from then on or up to a second less."""
    for name in zones():
        for moment in [change.moment for change in changes_of(name)]:
            zone = ZoneInfo(name)
            assert next_change(moment - DAY, moment + DAY, zone) == moment, name
            assert next_change(moment - 0.5, moment, zone) == moment, name
            assert next_change(moment, moment + DAY, zone) is None, name
            assert next_change(moment - DAY, moment - 1, zone) is None, name


def test_one_change_leads_to_the_next():
    """However far away the end is, the next change is found, and not one after it."""
    for name, changes in zones_with_changes():
        for change, later in pairwise(changes):
            assert next_change(change.moment, UNTIL, ZoneInfo(name)) == later.moment, name


@settings(max_examples=500, deadline=None)
@given(zones_and_moments())
def test_from_the_wall_and_back(where):
    """A time on the wall leads to its moment; one that is shown twice, to the first of two."""
    (_, moment), zone = where, ZoneInfo(where[0])
    wall = wall_time(moment, zone)
    shown = datetime.fromtimestamp(moment, zone)
    assert wall == shown.replace(tzinfo=None, fold=0)
    first = first_moment(wall, zone)
    assert abs(wall_time(first, zone) - wall) < timedelta(milliseconds=1)
    if shown.fold:
        assert first < moment
    else:
        assert first == pytest.approx(moment, abs=0.001)


def test_what_is_skipped_leads_to_the_change():
    """Each minute that the wall skips has the moment of the change for its own."""
    for name, changes in zones_with_changes():
        for change in changes:
            for wall in change.skipped():
                assert first_moment(wall, ZoneInfo(name)) == change.moment, (name, wall)


def test_a_change_after_the_end_is_not_found():
    """Half a second before a change is before it."""
    berlin = ZoneInfo("Europe/Berlin")
    change = at(2026, 3, 29, 1)
    assert next_change(change - 10, change - 0.5, berlin) is None


def test_a_due_time_before_the_beginning_is_not_the_last():
    """What was due a third of a second before `since` is not due since then."""
    assert last_due(EveryRule(60).next_after, since=60.3, until=90) is None


# The machine's zone -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin"),
        ("America/St_Johns", "America/St_Johns"),
        ("Australia/Lord_Howe", "Australia/Lord_Howe"),
    ],
)
def test_the_zone_of_the_machine_is_as_good_as_a_named_one(run_program, setting, name):
    """Whatever TZ says, and around all changes of a year, no zone is the zone of that name."""
    ended = run_program(
        """
        import os, sys, time
        os.environ["TZ"] = sys.argv[1]
        time.tzset()
        from zoneinfo import ZoneInfo
        from autocron.scheduling.cron import parse_cron

        zone, moments = ZoneInfo(sys.argv[2]), map(int, sys.argv[3:])
        rules = [parse_cron(text) for text in (
            "30 2 * * *", "45 1,2 * * *", "0 3 * * sun", "0 0 1,30,31 * *", "59 23 * * *",
            "*/15 * * * *", "30 * * * *", "* 2 * * *", "0 */2 * * *", "*/20 1-3 * * sun",
        )]
        for moment in moments:
            for now in range(moment - 100_000, moment + 100_000, 500):
                for rule in rules:
                    expected = rule.next_after(now, zone=zone)
                    assert rule.next_after(now) == expected, (str(rule), now)
        """,
        setting,
        name,
        *(c.moment for c in changes_of(name) if at(2025) < c.moment < at(2026)),
    )
    assert ended.returncode == 0, ended.stderr


# What autotask wrote ------------------------------------------------------------------------------


def due_in_2026(crontab):
    """Return when a crontab string of autotask is due in 2026, as datetimes."""
    zone, rule = timezone.utc, cron_from_autotask(crontab)
    found = due_times(rule, at(2026) - 1, at(2027) - 1, zone)
    return [datetime.fromtimestamp(due, zone) for due in found]


def days(times):
    """Return the days of some times, as text."""
    return [f"{time:%a %d %b}" for time in times]


def test_autotask_has_an_order_of_its_own():
    """Every minute of the 9th hour on Mondays and on the 10th to 15th, in April and July only."""
    found = due_in_2026("* 9 0 4,7 10-15")
    year = (datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=n) for n in range(525600))
    assert found == [
        time
        for time in year
        if time.hour == 9
        and time.month in {4, 7}
        and (time.weekday() == 0 or time.day in range(10, 16))
    ]
    assert days(found[::60]) == [
        *("Mon 06 Apr", "Fri 10 Apr", "Sat 11 Apr", "Sun 12 Apr", "Mon 13 Apr", "Tue 14 Apr"),
        *("Wed 15 Apr", "Mon 20 Apr", "Mon 27 Apr", "Mon 06 Jul", "Fri 10 Jul", "Sat 11 Jul"),
        *("Sun 12 Jul", "Mon 13 Jul", "Tue 14 Jul", "Wed 15 Jul", "Mon 20 Jul", "Mon 27 Jul"),
    ]
    assert (str(found[0]), str(found[59])) == (
        "2026-04-06 09:00:00+00:00",
        "2026-04-06 09:59:00+00:00",
    )


@pytest.mark.parametrize(
    ("crontab", "expected"),
    [
        ("0 0 0 1 *", ["Mon 05 Jan", "Mon 12 Jan", "Mon 19 Jan", "Mon 26 Jan"]),
        ("0 0 6 1 *", ["Sun 04 Jan", "Sun 11 Jan", "Sun 18 Jan", "Sun 25 Jan"]),
        ("0 0 mon 1 *", ["Mon 05 Jan", "Mon 12 Jan", "Mon 19 Jan", "Mon 26 Jan"]),
        ("0 0 SUN jan *", ["Sun 04 Jan", "Sun 11 Jan", "Sun 18 Jan", "Sun 25 Jan"]),
        ("0 0 5-6 2 *", ["Sun 01 Feb", "Sat 07 Feb", "Sun 08 Feb", "Sat 14 Feb"]),
        ("0 0 sat-sun 2 *", ["Sun 01 Feb", "Sat 07 Feb", "Sun 08 Feb", "Sat 14 Feb"]),
        ("0 0 0-6/3 1 *", ["Thu 01 Jan", "Sun 04 Jan", "Mon 05 Jan", "Thu 08 Jan"]),
        ("0 0 */3 1 *", ["Thu 01 Jan", "Sun 04 Jan", "Mon 05 Jan", "Thu 08 Jan"]),
        ("0 0 1,fri 1 *", ["Fri 02 Jan", "Tue 06 Jan", "Fri 09 Jan", "Tue 13 Jan"]),
        ("0 0 4 * 13", ["Fri 02 Jan", "Fri 09 Jan", "Tue 13 Jan", "Fri 16 Jan"]),
        ("0 0 * * 13", ["Tue 13 Jan", "Fri 13 Feb", "Fri 13 Mar", "Mon 13 Apr"]),
        ("0 0 4 * */13", ["Fri 27 Feb", "Fri 27 Mar", "Fri 01 May", "Fri 14 Aug"]),
        ("0 0 * 2-12/10 28,29", ["Sat 28 Feb", "Mon 28 Dec", "Tue 29 Dec"]),
    ],
)
def test_the_week_of_autotask_begins_on_monday(crontab, expected):
    """Monday is 0 and Sunday 6; ranges, steps, names and the rule of both days are as in cron."""
    assert days(due_in_2026(crontab)[:4]) == expected


def test_a_weekday_of_autotask_with_a_step_is_restricted():
    """Unlike in cron: with `*/2` either day may match, also a Tuesday that is a 6th."""
    assert days(due_in_2026("0 0 */2 1 6")[:4]) == [
        *("Fri 02 Jan", "Sun 04 Jan", "Mon 05 Jan", "Tue 06 Jan")
    ]


@pytest.mark.parametrize(
    ("crontab", "message"),
    [
        ("", "must be a string of five fields: minutes hours dow months dom"),
        ("   ", "must be a string of five fields"),
        ("* * * *", "must be a string of five fields"),
        ("* * * * * *", "must be a string of five fields"),
        ("@daily", "must be a string of five fields"),
        (None, "must be a string of five fields"),
        (b"* * * * *", "must be a string of five fields"),
        (["*"] * 5, "must be a string of five fields"),
        ("* * 7 * *", "day of week '7': must be from 0 to 6, or a name such as"),
        ("* * 0-7 * *", "day of week '0-7'"),
        ("* * 6-0 * *", "day of week '6-0': the range ends before it begins"),
        ("* * sun-mon * *", "the range ends before it begins"),
        ("* * 0/2 * *", "a step needs"),
        ("* * jan * *", "day of week 'jan'"),
        ("60 * * * *", "minute '60': must be from 0 to 59"),
        ("* 24 * * *", "hour '24'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 32", "day of month '32'"),
        ("* * * 2 30", "never be due|no day ever matches it"),
    ],
    ids=str,
)
def test_what_autotask_does_not_say_is_refused(crontab, message):
    """The error names the field as it was written, and what is allowed in it."""
    with pytest.raises(InvalidSchedule, match=message):
        cron_from_autotask(crontab)
