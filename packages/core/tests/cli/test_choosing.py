"""Which jobs are meant on the command line."""

import argparse
import time
from datetime import datetime

import pytest

from autocron.cli.selecting import moment
from autocron.model import Failed, NewJob

NOW = 1_795_000_000.0
IDS = ["aaa-11-end", "bbb-11-end", "ccc-22-end"]


@pytest.fixture
def jobs(store):
    """Three jobs that have failed."""
    store.enqueue([NewJob(job_id, "shop.mail", "[[],{}]") for job_id in IDS], NOW)
    for _ in IDS:
        store.settle(store.claim(1, NOW), Failed("no", "T"), NOW)
    return store


def test_times_may_be_so_long_ago():
    """In seconds, minutes, hours, days or weeks."""
    now = time.time()
    ago = {"90s": 90, "5min": 300, "5m": 300, "1.5 h": 5400, "2d": 172800, "1w": 604800}
    for text, seconds in ago.items():
        assert abs(now - seconds - moment(text)) < 5


def test_times_may_be_dates():
    """With a time or without one, in the machine's zone or with their own; a time alone is of today."""
    assert moment("2026-11-26") == datetime(2026, 11, 26).astimezone().timestamp()
    assert moment("2026-11-26 03:15") == datetime(2026, 11, 26, 3, 15).astimezone().timestamp()
    assert moment("1970-01-01T01:00:00+01:00") == 0
    today = datetime.now().astimezone().replace(hour=3, minute=5, second=0, microsecond=0)
    assert moment("03:05") == moment("3:05") == today.timestamp()


@pytest.mark.parametrize("text", ["", "soon", "5 years", "-5min", "25:00", "2026-13-01", "nan"])
def test_other_times_are_refused(text):
    """With examples of what is possible."""
    with pytest.raises(argparse.ArgumentTypeError, match="must be like 30min, 2h, 7d"):
        moment(text)


def test_a_job_may_be_named_by_a_part_of_its_id(jobs, ask):
    """If it is the only one that begins or ends so."""
    assert ask("job", "aaa")["id"] == IDS[0]
    assert ask("job", "22-end")["id"] == IDS[2]
    assert ask("retry", "bbb")[0]["job"] == IDS[1]


def test_a_part_that_several_jobs_have_is_refused(jobs, command, path):
    """It says which two, and nothing happens to any."""
    ended = command("--database", path, "retry", "aaa", "11-end")
    assert ended.returncode == 1
    assert (
        "several jobs have 11-end in their ids, among them aaa-11-end and bbb-11-end"
        in ended.stderr
    )
    assert {job.status for job in jobs.latest(9)} == {"ERROR"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry"], "which jobs? Name them by their ids, choose them with --status"),
        (["cancel"], "which jobs?"),
        (["delete"], "which jobs?"),
        (
            ["retry", "aaa", "--task", "mail"],
            "name jobs by their ids, or choose them, but not both",
        ),
        (["delete", "aaa", "--all"], "but not both"),
        (
            ["retry", "--status", "done", "--yes"],
            "jobs that are DONE cannot be meant, only ERROR, CANCELLED",
        ),
        (["delete", "--status", "running", "--yes"], "jobs that are RUNNING cannot be meant"),
        (["purge", "--status", "waiting", "--yes"], "jobs that are WAITING cannot be meant"),
        (["delete", "--all"], "3 jobs will be deleted: say --yes if that is meant"),
    ],
    ids=" ".join,
)
def test_it_must_be_clear_which_jobs_are_meant(jobs, command, path, arguments, message):
    """An error says what is missing, and nothing happens."""
    ended = command("--database", path, *arguments)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert len(jobs.latest(9)) == 3


def test_every_job_can_be_meant(jobs, ask, command, path):
    """With `--all`; where there are none it says so, and that is no error."""
    assert len(ask("retry", "--all", "--yes")) == 3
    assert {job.status for job in jobs.latest(9)} == {"WAITING"}
    assert len(ask("cancel", "--all", "--yes")) == 3
    assert ask("delete", "--all", "--yes") == {"deleted": 3, "left": 0}
    assert command("--database", path, "delete", "--all").stdout == "No such jobs.\n"
    assert command("--database", path, "retry", "--task", "none").stdout == "No such jobs.\n"


def test_all_named_jobs_are_retried_or_none(jobs, command, path):
    """One of them that cannot be keeps the others from it, too."""
    jobs.try_again(IDS[2], NOW)
    ended = command("--database", path, "retry", *IDS)
    assert ended.returncode == 1
    assert f"job {IDS[2]} is WAITING: only one that has ended as ERROR" in ended.stderr
    assert jobs.get(IDS[0]).status == "ERROR"


def test_what_is_running_is_not_deleted(jobs, command, path):
    """It says so."""
    jobs.try_again(IDS[0], NOW)
    jobs.claim(1, NOW)
    ended = command("--database", path, "delete", *IDS)
    assert ended.returncode == 0
    assert ended.stdout.startswith("2 jobs deleted.\n1 job left: running, or gone already.")
    assert jobs.get(IDS[0]).status == "RUNNING"


def test_settings_can_all_be_left_to_the_application(store, ask, command, path):
    """It says which had been set, so that it can be undone."""
    store.change_settings({"workers": 3, "from_the_future": 1})
    text = command("--database", path, "reset").stdout
    assert "workers was 3, and is what the application says.\n" in text
    assert store.settings() == {}
    assert ask("reset") == {}


def test_the_database_may_be_named_after_the_verb(jobs, command, path):
    """And JSON may be asked for before it."""
    assert command("jobs", "--database", path).returncode == 0
    ended = command("--database", path, "--json", "jobs")
    assert ended.stdout.startswith("[")
