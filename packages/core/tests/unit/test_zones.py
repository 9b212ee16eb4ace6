import time
import zoneinfo
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autocron.zones import zone_name, zone_named, zone_of_machine


def test_zones_are_known_by_name():
    """None is the zone of the machine."""
    assert zone_named("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    assert zone_named(None) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (ZoneInfo("Asia/Tokyo"), "Asia/Tokyo"),
        (timezone.utc, "UTC"),
        ("UTC", "UTC"),
    ],
)
def test_a_zone_may_be_given_by_name_or_as_such(value, name):
    """It is its name that is stored."""
    assert zone_name(value) == name


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("EUROPE/BERLIN", "did you mean Europe/Berlin"),
        ("Europe", "name of a time zone"),
        ("", "name of a time zone"),
        ("/etc/localtime", "name of a time zone"),
        ("../UTC", "name of a time zone"),
        ("a\0b", "name of a time zone"),
        ("x" * 10_000, "name of a time zone"),
        (5, "name of a time zone"),
        (None, "name of a time zone"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_anything_else_is_refused(value, message):
    """With the zone that may have been meant."""
    with pytest.raises(ValueError, match=message):
        zone_name(value)


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("", "UTC"),
        ("XYZ-1", "XYZ-1"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3"),
        ("Europe/Berln", None),
        ("/nowhere", None),
    ],
)
def test_the_environment_may_name_the_zone_of_the_machine(monkeypatch, variable, name):
    """Or say its rule, which will do as a name; what is neither has none."""
    monkeypatch.setenv("TZ", variable)
    assert zone_of_machine() == name


@pytest.mark.parametrize("prefix", ["", ":"])
def test_the_environment_may_lead_to_the_file_of_a_zone(monkeypatch, prefix):
    """Its name is then the rest of the path."""
    folder = next(folder for folder in zoneinfo.TZPATH if Path(folder, "Europe/Berlin").exists())
    monkeypatch.setenv("TZ", f"{prefix}{folder}/Europe/Berlin")
    assert zone_of_machine() == "Europe/Berlin"


@pytest.mark.parametrize(
    ("rule", "offsets"),
    [
        ("CET-1CEST,M3.5.0,M10.5.0/3", (1, 2)),
        ("EST5EDT,M3.2.0,M11.1.0", (-5, -4)),
        ("<+0330>-3:30", (3.5, 3.5)),
        ("UTC-3", (3, 3)),
    ],
)
def test_a_rule_says_what_it_says_to_the_machine(monkeypatch, rule, offsets):
    """Ahead of UTC by how many hours, in winter and in summer; the C library agrees."""
    monkeypatch.setenv("TZ", rule)
    time.tzset()
    try:
        for month, hours in zip((1, 7), offsets, strict=True):
            moment = datetime(2026, month, 1, tzinfo=zone_named(rule))
            assert moment.utcoffset() == timedelta(hours=hours)
            assert time.localtime(moment.timestamp()).tm_gmtoff == hours * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "CET-1\nfoo", "\0", "ü-1", "XXX"])
def test_what_is_no_rule_is_no_zone(text):
    """Whoever has written it into the database."""
    with pytest.raises(ValueError, match="must be the name of a time zone"):
        zone_named(text)


def test_a_rule_is_no_name_to_users():
    """They would take UTC-3 for three hours behind UTC, and it is three hours ahead."""
    with pytest.raises(ValueError, match="must be the name of a time zone"):
        zone_name("UTC-3")


def test_a_machine_without_a_name_for_its_zone_is_looked_at_quickly(monkeypatch):
    """It is done for each schedule and each of its jobs: no text is made that nobody reads."""
    monkeypatch.setenv("TZ", "/nowhere")
    began = time.process_time()
    for _ in range(100):
        zone_of_machine()
    assert time.process_time() - began < 0.1


def test_the_machine_may_have_a_link_to_its_zone(monkeypatch, tmp_path):
    """As with systemd; a copy of a zone's file has no name, and a machine may have nothing at all."""
    monkeypatch.delenv("TZ", raising=False)
    folder = tmp_path / "zoneinfo"
    berlin, unknown = folder / "Europe" / "Berlin", folder / "leapseconds"
    berlin.parent.mkdir(parents=True)
    berlin.touch()
    unknown.touch()
    monkeypatch.setattr("zoneinfo.TZPATH", (str(folder),))
    link, copy = tmp_path / "localtime", tmp_path / "copy"
    link.symlink_to(berlin)
    copy.touch()
    assert zone_of_machine(str(link)) == "Europe/Berlin"
    assert zone_of_machine(str(copy)) is None
    assert zone_of_machine(str(unknown)) is None
    assert zone_of_machine(str(tmp_path / "nothing")) is None


def test_it_is_said_when_there_are_no_zones(run_program):
    """A slim container may lack them: the error says what to install."""
    ended = run_program(
        """
        import sys, zoneinfo
        zoneinfo.reset_tzpath([])
        sys.modules["tzdata"] = None
        import autocron
        try:
            autocron.cron("@daily", timezone="Europe/Berlin")
        except autocron.AutocronError as error:
            print(error)
        autocron.cron("@daily")
        """
    )
    assert ended.stdout == (
        "timezone 'Europe/Berlin': cannot be found, since there is no time zone data here: "
        "install tzdata\n"
    ), ended.stderr
