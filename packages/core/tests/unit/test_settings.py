import math
import os
import sys
from dataclasses import fields
from datetime import timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autocron.errors import SettingsError, shown
from autocron.settings import Settings, Source, load_settings

GIVEN = {"database": "jobs.db"}


def test_only_the_database_must_be_given():
    """Every other setting has a default, and its source says so."""
    loaded = load_settings(GIVEN)
    assert loaded.settings == Settings(database=Path.cwd() / "jobs.db")
    assert loaded.sources.pop("database") is Source.APP
    assert set(loaded.sources.values()) == {Source.DEFAULT}
    with pytest.raises(SettingsError, match="database is missing: name the file"):
        load_settings({})


def test_every_setting_is_documented():
    """Below each field of `Settings` stands what it is for."""
    text = Path(sys.modules[Settings.__module__].__file__).read_text()
    for field in fields(Settings):
        after = text.split(f"\n    {field.name}: ")[1]
        assert after.splitlines()[1].strip().startswith('"""')


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("workers", 64, 64),
        ("workers", " 3 ", 3),
        ("durability", "normal", "normal"),
        ("autostart", "off", False),
        ("autostart", "YES", True),
        ("enabled", False, False),
        ("enabled", "0", False),
        ("enqueue_on_commit", "on", True),
        ("handover", "background", "background"),
        ("ttl", 0, 0.0),
        ("ttl", "90.5", 90.5),
        ("shutdown_timeout", 3600, 3600.0),
        ("busy_timeout", 0.01, 0.01),
        ("kill_after", 0, 0.0),
        ("crash_limit", "1", 1),
        ("max_jobs_per_worker", 0, 0),
        ("max_memory_per_worker", "512", 512),
        ("check_interval", 1, 1.0),
        ("log_file", None, None),
        ("log_file", "jobs.log", "jobs.log"),
        ("log_file", Path("/var/log/jobs.log"), "/var/log/jobs.log"),
        ("log_level", "debug", "debug"),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("timezone", ZoneInfo("Asia/Tokyo"), "Asia/Tokyo"),
        ("timezone", timezone.utc, "UTC"),
        ("timezone", None, None),
        ("python", None, None),
        ("python", sys.executable, sys.executable),
    ],
)
def test_values_are_taken_as_they_are_or_from_text(name, value, read):
    """Configuration files and environment variables only have strings; these will do."""
    loaded = load_settings({**GIVEN, name: value})
    found = getattr(loaded.settings, name)
    assert found == read
    assert type(found) is type(read)
    assert loaded.sources[name] is Source.APP


NOT_SECONDS = [-1, math.nan, math.inf, True, None, "soon", [], 10**400, 10**5000]
BAD = {
    "workers": [0, -1, 65, 1.0, True, None, "two", "", "-1", "1.5", "\u0661", [], 10**30],
    "durability": ["FULL", "", None, True, "half", []],
    "autostart": [1, 0, None, "maybe", "", []],
    "enabled": [2, None, "nope", {}],
    "enqueue_on_commit": [2, None, "nope", {}],
    "handover": ["later", None, True, ""],
    "ttl": [*NOT_SECONDS, 101 * 366 * 86400],
    "shutdown_timeout": [*NOT_SECONDS, 3601],
    "busy_timeout": [*NOT_SECONDS, 0, 3601],
    "check_interval": [*NOT_SECONDS, 0, 0.9, 3601],
    "kill_after": [*NOT_SECONDS, 3601],
    "crash_limit": [0, -1, 1001, 1.5, True, None, "three"],
    "max_jobs_per_worker": [-1, 10**9 + 1, 1.5, True, None, "many"],
    "max_memory_per_worker": [-1, 10**6 + 1, 1.5, True, None, "512M"],
    "log_file": [5, b"jobs.log", "", "  ", "logs/", "logs/..", "a\0b", True],
    "log_level": ["INFO", "", None, True, 20, "critical"],
    "timezone": ["Europe/Berln", "europe/berlin", "", 2, "/etc/localtime", True],
    "python": ["/no/such/python", "", 3, __file__],
    "database": [None, 5, b"jobs.db", "", "  ", "a\0b", ":memory:", "sqlite:///a.db", True],
}


def test_every_setting_has_bad_values_here():
    """No setting is left out below."""
    assert set(BAD) == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD.items() for value in values],
    ids=shown,
)
def test_impossible_values_are_refused(name, value):
    """The error begins with the name and the value, and says what would be right."""
    with pytest.raises(SettingsError) as caught:
        load_settings({**GIVEN, name: value})
    assert str(caught.value).startswith(f"{name}={shown(value)}: must ")
    assert len(caught.value.problems) == 1


def test_all_problems_are_reported_at_once():
    """Who has three wrong settings learns of all three at the first attempt."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"worker": 2, "ttl": -1, "durability": "half"})
    problems = caught.value.problems
    assert len(problems) == 4
    assert all(
        part in str(caught.value) for part in ("worker ", "ttl=-1", "durability=", "database")
    )


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("worker", "workers"),
        ("data_base", "database"),
        ("Workers", "workers"),
        ("autoStart", "autostart"),
        ("busytimeout", "busy_timeout"),
    ],
)
def test_an_unknown_setting_gets_the_nearest_known_one(wrong, right):
    """A misspelt name is answered with the one that was probably meant."""
    with pytest.raises(SettingsError, match=rf"unknown setting {wrong} \(did you mean {right}\?\)"):
        load_settings({**GIVEN, wrong: 1})


def test_a_name_that_is_near_to_none_gets_the_list():
    """There is always something to go on with."""
    with pytest.raises(SettingsError, match=r"known are database, workers, .*python"):
        load_settings({**GIVEN, "zzz": 1})


def test_names_are_those_of_the_framework():
    """With a framework's prefix, messages show the keys as they stand in its configuration."""
    with pytest.raises(SettingsError) as caught:
        load_settings({"worker": 1, "ttl": -1}, prefix="AUTOCRON_")
    text = str(caught.value)
    assert "unknown setting AUTOCRON_WORKER (did you mean AUTOCRON_WORKERS?)" in text
    assert "AUTOCRON_TTL=-1: must" in text
    assert "AUTOCRON_DATABASE is missing" in text


def test_the_administrator_wins():
    """What was set with the tool stands above what the application configures."""
    loaded = load_settings({**GIVEN, "workers": 2, "ttl": 5}, {"workers": 3})
    assert (loaded.settings.workers, loaded.sources["workers"]) == (3, Source.ADMIN)
    assert (loaded.settings.ttl, loaded.sources["ttl"]) == (5, Source.APP)


@pytest.mark.parametrize("name", ["database", "autostart", "enqueue_on_commit", "python"])
def test_what_makes_the_app_is_the_apps(name):
    """The administrator cannot move the database, nor choose the interpreter."""
    with pytest.raises(SettingsError, match=f"{name} belongs to the app's configuration"):
        load_settings(GIVEN, {name: "x"})


def test_a_relative_path_starts_where_we_are_now(tmp_path, monkeypatch):
    """A later change of directory does not move the database."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"database": Path("jobs.db")}).settings
    monkeypatch.chdir(os.sep)
    assert settings.database == tmp_path / "jobs.db"
