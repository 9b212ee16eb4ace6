"""What the command does with schedules, on a database that is there."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from autocron.cli import main
from autocron.model import Options, Schedule, Succeeded
from autocron.running import scheduler

NAME = "shop.report"


@pytest.fixture
def registered(store):
    """Register a few schedules, one of which is gone by now; return the store."""
    now = datetime.now(timezone.utc).timestamp()
    report = Schedule(NAME, NAME, "cron 30 7 * * mon-fri", timezone="Asia/Tokyo")
    refresh = Schedule("shop.refresh", "shop.refresh", "every 3600", Options(queue="night"))
    gone = Schedule("shop.gone", "shop.gone", "every 60")
    scheduler.register(store, [report, refresh, gone], now - 1)
    scheduler.register(store, [report, refresh], now)
    return store


@pytest.fixture
def run(path, capsys, monkeypatch):
    """A function that runs the command, and returns its status and what it wrote."""
    monkeypatch.delenv("COLUMNS", raising=False)  # as wide as it takes

    def run(*arguments, database=True):
        given = ["--database", str(path)] if database else []
        try:
            status = main([*given, *arguments])
        except SystemExit as error:
            status = error.code
        written = capsys.readouterr()
        return status, written.out + written.err

    return run


def test_schedules_are_shown(run, registered):
    """With rule, zone, state, and the time at which each is due next, in its own zone."""
    status, text = run("schedules")
    assert status == 0
    heads, *rows = text.splitlines()
    assert heads.split() == ["SCHEDULE", "STATE", "NEXT", "RULE", "ZONE", "LATEST"]
    report, refresh, gone = sorted(
        rows, key=lambda row: "report refresh gone".index(row.split()[0][5:])
    )
    assert report.split()[:2] == ["shop.report", "active"]
    assert "07:30:00+09:00  cron 30 7 * * mon-fri  Asia/Tokyo  -" in report
    assert refresh.split()[-4:] == ["every", "3600", "-", "-"]  # it has no zone
    assert gone.split()[:3] == ["shop.gone", "retired", "-"]


def test_the_latest_outcome_is_shown(run, registered):
    """What came of the latest due time."""
    scheduler.run_due(registered, registered.next_due, bool)
    _, text = run("schedules")
    assert "FIRED 20" in text


def test_schedules_are_shown_to_programs(ask, registered):
    """With all that is known of them."""
    found = {row["schedule"]["name"]: row for row in ask("schedules")}
    assert {name: row["state"] for name, row in found.items()} == {
        "shop.report": "active",
        "shop.refresh": "active",
        "shop.gone": "retired",
    }
    assert found["shop.refresh"]["schedule"]["options"]["queue"] == "night"
    assert found["shop.report"]["due"] > found["shop.report"]["planned_at"]


def test_the_coming_times_are_shown(run, ask, registered):
    """As many as wanted, in the schedule's zone, with the day."""
    status, text = run("next-runs", NAME, "--limit", "3")
    assert status == 0
    heads, *rows = text.splitlines()
    assert (heads.split(), len(rows)) == (["DAY", "TIME"], 3)
    assert all(row.endswith("07:30:00+09:00") for row in rows)
    assert len(ask("next-runs", NAME)) == 10


def test_a_schedule_that_is_not_due_says_why(run, registered):
    """It is paused or retired."""
    run("pause", NAME)
    assert run("next-runs", NAME) == (0, f"{NAME} is paused, and not due at any time.\n")
    _, text = run("next-runs", "shop.gone")
    assert text == "shop.gone is retired, and not due at any time.\n"


def test_an_expression_can_be_tried_out(run):
    """Without any database."""
    arguments = ["cron", "0 12 29 2 *", "--timezone", "Asia/Tokyo", "--limit", "2"]
    status, text = run(*arguments, database=False)
    assert status == 0
    assert [row.split()[1:] for row in text.splitlines()[1:]] == [
        ["2028-02-29", "12:00:00+09:00"],
        ["2032-02-29", "12:00:00+09:00"],
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0 25 * * *"], "hour '25': must be from 0 to 23"),
        (["@daily", "--timezone", "Berlin"], "timezone 'Berlin': must be the name of a time zone"),
        (["@daily", "--timezone", "UTC-3"], "timezone 'UTC-3': must be the name of a time zone"),
    ],
)
def test_an_expression_that_is_wrong_is_explained(run, arguments, message):
    """As it is at decoration."""
    status, text = run("cron", *arguments, database=False)
    assert status == 1
    assert message in text


def test_a_schedule_is_paused_and_resumed(run, registered):
    """It says when it is due next."""
    assert run("pause", NAME) == (0, f"{NAME} is paused.\n")
    assert scheduler.find(registered, NAME).paused
    status, text = run("resume", NAME)
    assert status == 0
    assert text.startswith(f"{NAME} goes on, and is due next at 20")
    assert not scheduler.find(registered, NAME).paused


def test_to_resume_what_was_not_paused_changes_nothing(run, registered):
    """It says so, and when it is due; or that it was, since nothing runs."""
    status, text = run("resume", NAME)
    assert status == 0
    assert text.startswith(f"{NAME} was not paused, and is due next at 20")
    stored = registered.schedule("shop.refresh")
    long_ago = replace(stored, due=1_700_000_000.0)
    registered.register([replace(long_ago, schedule=replace(stored.schedule, rule="every 60"))])
    _, text = run("resume", "shop.refresh")
    assert "was not paused, and has been due since the application ended, first at 2023" in text


def test_what_was_missed_before_a_pause_is_shown(run, registered):
    """Nobody has run it since the application ended."""
    stored = registered.schedule("shop.refresh")
    changed = replace(stored.schedule, rule="every 60")
    registered.register([replace(stored, due=stored.anchor - 3600, schedule=changed)])
    run("pause", "shop.refresh")
    _, text = run("ticks", "shop.refresh")
    assert "MISSED   -    nothing ran then, nor since" in text
    assert text.endswith("; then it was paused\n")


def test_a_schedule_that_no_worker_has_imported_yet_is_not_loaded(run, registered):
    """Since the code has changed, nothing is due before one has."""
    registered.await_registration()
    _, text = run("schedules")
    assert "shop.report   not loaded  20" in text
    assert run("next-runs", NAME) == (0, f"{NAME} is not loaded, and not due at any time.\n")


def test_it_is_said_that_nothing_runs_while_autocron_is_disabled(run, registered):
    """Beside the schedules, and to whoever wants one run now."""
    run("set", "enabled", "false")
    _, text = run("schedules")
    assert text.startswith("autocron is disabled for this application: no schedule runs.\n")
    _, text = run("run-now", NAME)
    assert text.endswith(" was put in, and waits: autocron is disabled for this application.\n")


def test_a_job_shows_the_due_time_for_which_it_was_run(run, registered):
    """Which may be long before it was put in."""
    due = registered.next_due()
    scheduler.run_due(registered, lambda: due + 30, bool)
    _, text = run("job", registered.claim(1, due).id)
    words = datetime.fromtimestamp(due).astimezone().isoformat(" ", "seconds")
    assert f"scheduled for  {words}" in text


def test_a_schedule_is_run_now(run, registered):
    """Its job can be claimed; a second one waits for the first."""
    status, text = run("run-now", NAME)
    job = registered.claim(1, 0)
    assert (status, text) == (0, f"Job {job.id} was put in.\n")
    status, text = run("run-now", NAME)
    assert status == 0
    assert text.endswith(f" waits for its turn: the run before (job {job.id}) had not ended.\n")
    registered.settle(job, Succeeded("null"), 0)
    assert registered.release_held() == 1


def test_there_are_limits_to_what_can_be_run_now(run, registered):
    """A hundred may wait: what comes then is left out, and that is said."""
    for _ in range(101):
        tick = scheduler.run_now(registered, NAME, 1_795_000_000.5)
        assert tick.outcome == "FIRED"
    assert run("run-now", NAME) == (0, "Nothing was put in: 100 runs were waiting already.\n")


def test_a_schedule_that_cannot_be_read_is_shown_all_the_same(run, registered):
    """As another program has written it: with why it is never due."""
    stored = registered.schedule(NAME)
    changed = replace(stored.schedule, timezone="At/Sea", rule="cron 1 2 * * *")
    registered.register([replace(stored, schedule=changed, due=1.0)])
    scheduler.run_due(registered, lambda: 2.0, bool)
    _, text = run("schedules")
    assert "At/Sea" in text
    assert "unusable" in text
    _, text = run("next-runs", NAME)
    assert text.startswith(
        f"{NAME} is unusable, and not due at any time: timezone 'At/Sea': must be"
    )


def test_what_came_of_due_times_is_shown(run, registered):
    """Latest first, with the job, or why there was none."""
    run("run-now", NAME)
    due = scheduler.find(registered, NAME).due
    scheduler.run_due(registered, lambda: due, bool)
    status, text = run("ticks", NAME)
    assert status == 0
    latest, first = text.splitlines()[1:]
    assert "SKIPPED  -" in latest
    assert "the run before (job " in latest
    assert "FIRED" in first


@pytest.mark.parametrize("verb", ["next-runs", "ticks", "pause", "resume", "run-now"])
def test_an_unknown_schedule_is_an_error(run, registered, verb):
    """It names the one that may be meant."""
    status, text = run(verb, "shop.reprot")
    assert status == 1
    assert "there is no schedule 'shop.reprot' (did you mean shop.report?)" in text


@pytest.mark.parametrize("verb", ["pause", "resume", "run-now"])
def test_nothing_can_be_done_with_a_retired_schedule(run, registered, verb):
    """The code does not have it any more."""
    status, text = run(verb, "shop.gone")
    assert (status, "shop.gone is retired" in text) == (1, True)
