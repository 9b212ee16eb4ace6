from datetime import timezone
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
        ("", None),
        ("XYZ-1", None),
        ("/etc/localtime", None),
    ],
)
def test_the_environment_may_name_the_zone_of_the_machine(monkeypatch, variable, name):
    """Other things that it may hold have no name."""
    monkeypatch.setenv("TZ", variable)
    assert zone_of_machine() == name


def test_the_machine_may_have_a_link_to_its_zone(monkeypatch, tmp_path):
    """As with systemd; a copy of a zone's file has no name, and a machine may have nothing at all."""
    monkeypatch.delenv("TZ", raising=False)
    folder = tmp_path / "zoneinfo"
    berlin = folder / "Europe" / "Berlin"
    berlin.parent.mkdir(parents=True)
    berlin.touch()
    monkeypatch.setattr("zoneinfo.TZPATH", (str(folder),))
    link, copy = tmp_path / "localtime", tmp_path / "copy"
    link.symlink_to(berlin)
    copy.touch()
    assert zone_of_machine(str(link)) == "Europe/Berlin"
    assert zone_of_machine(str(copy)) is None
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
