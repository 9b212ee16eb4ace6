"""Schedules in real processes: each due time once, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from process_harness import Site, wait_until

TICK = """
@autocron.every(seconds=1, start_now=True, {options})
def tick():
    note("ticks", autocron.current_job().due.timestamp())
"""


def ticks_of(site: Site, outcome: str = "FIRED") -> list[float]:
    """Return the due times that had that outcome."""
    if not site.database.exists():
        return []
    sql = "SELECT due FROM autocron_ticks WHERE outcome = ? ORDER BY due"
    return [due for (due,) in site.query(sql, outcome)]


def times_run(site: Site) -> list[float]:
    """Return the due times of the runs, as the task has noted them."""
    return sorted(float(line) for line in site.lines("ticks"))


def tool(site: Site, *arguments: str) -> str:
    """Run the admin tool on the site's database, and return what it says."""
    command = [sys.executable, "-m", "autocron", "--database", str(site.database), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def is_without_gaps(times: list[float]) -> bool:
    """Whether there is a time for each second from the first to the last."""
    return all(later - earlier == 1 for earlier, later in pairwise(times))


def test_a_schedule_runs_once_per_due_time(app: Callable[..., Site]) -> None:
    """Two web processes and two workers run it once a second, without drift."""
    site = app(TICK.format(options='overlap="queue"'), workers=2)
    webs = [site.web() for _ in range(2)]
    wait_until(lambda: len(times_run(site)) >= 4, "four ticks")
    assert is_without_gaps(times_run(site))
    for web in webs:
        web.end()


def test_a_schedule_goes_on_after_a_restart(app: Callable[..., Site]) -> None:
    """Its due times are counted from its first registration, not from the latest start."""
    site = app(
        """
        @autocron.every(seconds=2, start_now=True)
        def tick(): note("ticks", autocron.current_job().due.timestamp())
        """
    )
    for count in (1, 2):
        web = site.web()
        wait_until(lambda count=count: len(times_run(site)) >= count, "a tick")
        web.end()
        wait_until(site.is_empty, "the end of supervisor and workers", 10)
    first, second = times_run(site)[:2]
    assert (second - first) % 2 == 0


def test_no_due_time_is_lost_or_doubled_when_processes_are_killed(
    app: Callable[..., Site],
) -> None:
    """Supervisors and web processes are killed one after the other; all due times are made up for."""
    site = app(TICK.format(options='catch_up="all", overlap="queue"'), workers=2)
    webs = [site.web(), site.web()]
    for number in range(4):
        count = len(times_run(site))
        wait_until(lambda count=count: len(times_run(site)) >= count + 1, "a tick")
        site.kill_supervisor()
        webs.append(site.web())
        webs[number].end(signal.SIGKILL)
    count = len(times_run(site))
    wait_until(lambda: len(times_run(site)) >= count + 2, "two more ticks")
    assert is_without_gaps(times_run(site))


def test_what_was_missed_is_made_up_for(app: Callable[..., Site]) -> None:
    """After a time without processes, all of it or the last of it, as was wanted; the rest is recorded."""
    site = app(
        TICK.format(options='catch_up="all", overlap="queue"')
        + """
@autocron.every(seconds=1, start_now=True)
def last(): note("last", autocron.current_job().due.timestamp())
"""
    )
    web = site.web()
    wait_until(lambda: times_run(site) and site.lines("last"), "a run of each")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    latest = times_run(site)[-1]
    wait_until(lambda: time.time() > latest + 4, "four seconds without processes")
    site.web()
    wait_until(lambda: len(site.lines("last")) >= 3, "runs of both")
    wait_until(lambda: times_run(site)[-1] > latest + 4, "runs that make up for it")
    assert is_without_gaps(times_run(site))
    gaps = {later - earlier for earlier, later in pairwise(map(float, site.lines("last")))}
    assert max(gaps) >= 4
    assert ticks_of(site, "MISSED")


OVERLAP = """
@autocron.every(seconds=1, start_now=True, overlap={overlap!r})
def slow():
    note("slow", autocron.current_job().due.timestamp())
    while not (HERE / "go").exists():
        time.sleep(0.01)
    note("slow", "end")
"""


def test_a_run_is_skipped_while_another_is_at_work(app: Callable[..., Site]) -> None:
    """It is recorded; when that has ended, the next due time has its run."""
    site = app(OVERLAP.format(overlap="skip"), workers=2)
    site.web()
    wait_until(lambda: len(ticks_of(site, "SKIPPED")) >= 2, "two that are skipped")
    assert len(site.lines("slow")) == 1
    (site.folder / "go").touch()
    wait_until(lambda: len(site.lines("slow")) >= 4, "another run")
    assert site.lines("slow")[1] == "end"
    assert set(ticks_of(site)).isdisjoint(ticks_of(site, "SKIPPED"))


def test_queued_runs_come_one_after_the_other(app: Callable[..., Site]) -> None:
    """As soon as the one before has ended, though another worker was idle, and nothing else is due."""
    slow = OVERLAP.format(overlap="queue").replace("seconds=1", "hours=1")
    site = app(slow, workers=2, check_interval=3600)
    site.web()
    wait_until(lambda: site.lines("slow"), "the first run")
    for _ in range(3):
        tool(site, "run-now", "site_app.slow")
    assert len(site.lines("slow")) == 1
    (site.folder / "go").touch()
    wait_until(lambda: len(site.lines("slow")) == 8, "four runs")
    assert site.lines("slow")[1::2] == ["end"] * 4


def test_runs_may_be_at_work_beside_each_other(app: Callable[..., Site]) -> None:
    """If that is allowed."""
    site = app(OVERLAP.format(overlap="allow"), workers=2)
    site.web()
    wait_until(lambda: len(site.lines("slow")) == 2, "two runs at a time")
    (site.folder / "go").touch()


# Registration ---------------------------------------------------------------------------------


def is_confirmed(site: Site) -> bool:
    """Whether the present workers have registered all schedules."""
    return not site.query("SELECT 1 FROM autocron_schedules WHERE NOT confirmed")


def generation(site: Site) -> int:
    """Return the number of the present generation of workers."""
    ((number,),) = site.query("SELECT generation FROM autocron_state")
    return int(number)


def states(site: Site) -> dict[str, Any]:
    """Return by the name of each function what its schedule's rule is, and whether it is retired."""
    rows = site.query("SELECT name, rule, retired FROM autocron_schedules ORDER BY name")
    return {name.rpartition(".")[2]: (rule, bool(retired)) for name, rule, retired in rows}


def test_schedules_are_those_of_the_code(app: Callable[..., Site]) -> None:
    """At the next start a changed one is due by its new rule, and one that is gone is retired."""
    site = app("@autocron.every(hours=1)\ndef a(): ...\n\n@autocron.cron\ndef b(): ...\n")
    web = site.web()
    web.run("site.add(1).wait(30)")
    assert states(site) == {"a": ("every 3600", False), "b": ("cron * * * * *", False)}
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    site = app("@autocron.every(seconds=1)\ndef a(): note('a', 1)\n")
    site.web()
    wait_until(lambda: site.lines("a"), "a run by the new rule")
    assert states(site) == {"a": ("every 1", False), "b": ("cron * * * * *", True)}
    assert "retired" in tool(site, "schedules")


def test_changed_schedules_come_with_a_reload(app: Callable[..., Site]) -> None:
    """A new process of the app has the workers look at their files, and these have changed."""
    site = app("@autocron.every(hours=1)\ndef a(): note('a', 1)\n")
    site.web().run("site.add(1).wait(30)")
    app("@autocron.every(seconds=1)\ndef a(): note('a', 1)\n")
    site.web()
    wait_until(lambda: site.lines("a"), "a run by the new rule")


SLOW_IMPORT = """
from autocron import app
if app.in_worker():
    (HERE / "loading").touch()
    while not (HERE / "loaded").exists():
        time.sleep(0.01)
"""


def test_old_code_that_is_still_loading_registers_nothing(app: Callable[..., Site]) -> None:
    """When newer code has come meanwhile, it is that one's schedules that count, whoever is last."""
    site = app("@autocron.every(seconds=1)\ndef old(): note('old', 1)\n" + SLOW_IMPORT)
    site.web()
    wait_until((site.folder / "loading").exists, "a worker that loads")
    app("@autocron.every(seconds=1)\ndef new(): note('new', 1)\n", ttl=1000)
    site.web()
    wait_until(lambda: site.lines("new"), "a run of the new code")
    (site.folder / "loaded").touch()
    site.workers(1)
    count = len(site.lines("new"))
    wait_until(lambda: len(site.lines("new")) >= count + 2, "more runs")
    assert states(site) == {"new": ("every 1", False)}


def test_nothing_of_the_old_code_is_due_while_the_new_one_loads(
    app: Callable[..., Site],
) -> None:
    """With a reload that only finds changed files, too."""
    site = app(TICK.format(options='overlap="allow"'))
    site.web()
    wait_until(lambda: times_run(site), "a tick")
    app("@autocron.every(seconds=1)\ndef new(): note('new', 1)\n" + SLOW_IMPORT)
    site.web()
    wait_until((site.folder / "loading").exists, "a worker that loads")
    began = time.time()
    wait_until(lambda: time.time() > began + 2.5, "due times that pass")
    (site.folder / "loaded").touch()
    wait_until(lambda: site.lines("new"), "a run of the new code")
    ((latest,),) = site.query(
        "SELECT max(due) FROM autocron_ticks WHERE schedule = 'site_app.tick'"
    )
    assert latest < began


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_job_holds_up_no_schedule_when_the_code_changes(
    app: Callable[..., Site], workers: int
) -> None:
    """Its worker has the old code until it ends; another takes its place at once, however often that is."""
    # Of a schedule that makes up for everything, so that a busy machine may be late, and not one due time is lost.
    code = TICK.format(options='overlap="allow", catch_up="all"')
    site = app(code, workers=workers)
    job = site.web().run("site.block('long').id")
    wait_until(lambda: site.lines("long"), "the start of the long job")
    for number in range(2):
        app(f"{code}\nVERSION = {number}\n", workers=workers)
        site.web()
        site.workers(workers + 1)
    web = site.web()  # which finds nothing changed
    assert web.run("site.add(1).wait(30)") == 2
    began = time.time()
    wait_until(lambda: any(due > began + 2 for due in times_run(site)), "due times by the new code")
    (site.folder / "long.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "long"
    site.workers(workers)
    assert not ticks_of(site, "MISSED")
    due = ticks_of(site)
    assert due == [due[0] + number for number in range(len(due))]


def test_old_code_that_looks_late_holds_up_no_schedule(app: Callable[..., Site]) -> None:
    """A job may keep its worker from looking until another with the new code has registered it."""
    code = TICK.format(options='overlap="allow"') + (
        """
@autocron.delay
def stop():
    note("stopped", os.getpid())
    os.kill(os.getpid(), signal.SIGSTOP)  # as if it did not let go of the interpreter
"""
    )
    site = app(code, workers=2)
    web = site.web()
    web.run("site.stop().id")
    (stopped,) = wait_until(lambda: site.lines("stopped"), "a worker that does not react")
    old = generation(site)
    app(code + "\nNEW = True\n", workers=2)
    site.web()
    new = wait_until(lambda: (now := generation(site)) > old and is_confirmed(site) and now, "it")
    os.kill(int(stopped), signal.SIGCONT)
    wait_until(lambda: int(stopped) not in site.processes("worker"), "the end of the old code")
    assert (generation(site), is_confirmed(site)) == (new, True)
    began = time.time()
    wait_until(lambda: any(due > began + 2 for due in times_run(site)), "due times by the new code")


def test_a_database_that_is_locked_at_the_start_changes_nothing(
    app: Callable[..., Site],
) -> None:
    """What a supervisor has to do at its beginning is done when it can be: here, to put a run back."""
    site = app(
        """
        @autocron.every(seconds=1, start_now=True)
        def slow():
            note("slow", 1)
            while (HERE / "block").exists():
                time.sleep(0.01)
        """,
        busy_timeout=0.3,
        workers=2,
    )
    (site.folder / "block").touch()
    web = site.web()
    wait_until(lambda: site.lines("slow"), "a run")
    for pid in (web.pid, *site.processes("supervisor"), *site.processes("worker")):
        with suppress(ProcessLookupError):  # it has ended with another
            os.kill(pid, signal.SIGKILL)
    wait_until(site.is_empty, "the end of all processes")
    (site.folder / "block").unlink()
    count = len(site.lines("slow"))
    # Of a worker of which there will be none now, so that only this puts it back.
    site.query("UPDATE autocron_jobs SET worker = 9 WHERE state = 2")
    (site.folder / "site.db.autocron" / "worker-9.lock").touch()
    with site.locked():
        web = site.web()
        wait_until(lambda: "trying again" in web.errors.read_text(), "a supervisor that waits")
    wait_until(lambda: len(site.lines("slow")) >= count + 3, "more runs")


def test_a_schedule_that_was_removed_is_not_made_up_for(app: Callable[..., Site]) -> None:
    """The new code is asked before anything is due: nothing runs that it does not have."""
    site = app(TICK.format(options=""))
    web = site.web()
    wait_until(lambda: times_run(site), "a tick")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    count = len(ticks_of(site))
    wait_until(lambda: time.time() > times_run(site)[-1] + 2, "a due time that passes")
    site = app()
    assert site.web().run("site.add(1).wait(30)") == 2
    assert (states(site)["tick"][1], len(ticks_of(site))) == (True, count)


def test_a_schedule_is_paused_resumed_and_run_by_the_tool(app: Callable[..., Site]) -> None:
    """In the running system, at once; a pause outlasts a restart."""
    site = app(TICK.format(options=""), check_interval=3600)
    web = site.web()
    wait_until(lambda: times_run(site), "a tick")
    tool(site, "pause", "site_app.tick")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    count = len(times_run(site))
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    wait_until(lambda: time.time() > times_run(site)[-1] + 2, "a due time that passes")
    assert len(times_run(site)) == count
    tool(site, "run-now", "site_app.tick")
    wait_until(lambda: len(times_run(site)) == count + 1, "the run that was asked for")
    tool(site, "resume", "site_app.tick")
    wait_until(lambda: len(times_run(site)) >= count + 3, "ticks again")


# The due time ---------------------------------------------------------------------------------


def test_a_task_knows_its_due_time(app: Callable[..., Site]) -> None:
    """In the zone of its schedule; a job without a schedule has none."""
    site = app(
        """
        @autocron.cron("* * * * *", timezone="Asia/Kathmandu")
        def zoned(): return autocron.current_job().due

        @autocron.every(seconds=1, start_now=True)
        def local(): return autocron.current_job().due

        @autocron.delay
        def plain(): return autocron.current_job().due
        """,
        timezone="Asia/Tokyo",
    )
    web = site.web()
    assert web.run("site.plain().wait(30)") is None
    wait_until(lambda: ticks_of(site), "a tick")
    tool(site, "run-now", "site_app.zoned")
    for name, offset in (("zoned", "+0545"), ("local", "+0900")):
        sql = "SELECT id, scheduled_for FROM autocron_jobs WHERE schedule = ? ORDER BY seq LIMIT 1"
        ((job, due),) = site.query(sql, f"site_app.{name}")
        text = web.run(f"autocron.result({job!r}).wait(30).isoformat()")
        assert abs(datetime.fromisoformat(text).timestamp() - due) < 0.001
        assert datetime.fromisoformat(text).strftime("%z") == offset


def test_an_application_may_choose_its_zone_when_it_is_imported(app: Callable[..., Site]) -> None:
    """As Django does: schedules without a zone go by that, though the supervisor does not know of it."""
    site = app(
        """
        os.environ["TZ"] = "Asia/Kathmandu"
        time.tzset()

        @autocron.cron("0 0 * * *")
        def midnight(): ...
        """
    )
    site.web(TZ="UTC").run("site.add(1).wait(30)")
    assert "T00:00:00+05:45" in tool(site, "next-runs", "site_app.midnight", "--json")


def test_a_zone_that_only_the_application_knows_is_that_of_all_due_times(
    app: Callable[..., Site],
) -> None:
    """TZ may hold a rule instead of a name: the supervisor and the tool go by it, too."""
    site = app(
        """
        os.environ["TZ"] = "XXX-5:30"
        time.tzset()

        @autocron.cron(minutes=range(60), hours=range(24))
        def minutely(): return autocron.current_job().due

        @autocron.cron("0 0 * * *")
        def midnight(): ...
        """
    )
    web = site.web(TZ="UTC")
    web.run("site.add(1).wait(30)")
    ((planned,),) = site.query(
        "SELECT next_at FROM autocron_schedules WHERE rule = 'cron 0 0 * * *'"
    )
    assert (planned + 5.5 * 3600) % 86400 == 0
    # As when it is due: the supervisor works out the next time.
    site.query("UPDATE autocron_schedules SET next_at = next_at - 86400 WHERE next_at = ?", planned)
    web.run("site.pid.options(seconds=0.1)().wait(30)")
    wait_until(
        lambda: site.query("SELECT 1 FROM autocron_ticks WHERE due = ?", planned - 86400), "it"
    )
    assert site.query("SELECT next_at FROM autocron_schedules WHERE rule = 'cron 0 0 * * *'") == [
        (planned,)
    ]
    assert "T00:00:00+05:30" in tool(site, "next-runs", "site_app.midnight", "--json")


# The clock ------------------------------------------------------------------------------------


def shifted_clock(site: Site) -> dict[str, str]:
    """Return the environment in which the file `clock` says by how much the clock is ahead."""
    from libfaketime import get_reload_information

    (site.folder / "clock").write_text("+0")
    _, environment = get_reload_information()
    return environment | {"FAKETIME_TIMESTAMP_FILE": str(site.folder / "clock")}


def set_clock(site: Site, seconds: int) -> None:
    """Set the clock of the site's processes that far ahead of the real one."""
    fresh = site.folder / "clock.new"
    fresh.write_text(f"{seconds:+d}")
    os.replace(fresh, site.folder / "clock")


def test_all_goes_on_when_the_clock_is_set(app: Callable[..., Site]) -> None:
    """By a day, to and fro: schedules go on at once, delays last as long as they should.

    A job without a due time does not wait, and outcomes are kept.
    """
    site = app(TICK.format(options=""), check_interval=1, workers=2)
    web = site.web(**shifted_clock(site))
    wait_until(lambda: times_run(site), "a tick")
    day = 86400
    for ahead in (-day, day, -day, 0):
        delayed = web.run("site.pid.options(seconds=4)().id")
        began = time.monotonic()
        set_clock(site, ahead)
        assert web.run("site.add(1).wait(30)") == 2
        assert abs(web.run("site.time.time()") - time.time() - ahead) < 5

        def ticks_now(ahead: int = ahead) -> list[float]:
            return [due for due in times_run(site) if abs(due - time.time() - ahead) < 3]

        wait_until(lambda: len(ticks_now()) >= 2, f"ticks with the clock {ahead} s ahead", 10)
        assert web.run(f"bool(autocron.result({delayed!r}).wait(30))")
        assert 3 < time.monotonic() - began < 15
    times = times_run(site)
    assert len(times) == len(set(times))
