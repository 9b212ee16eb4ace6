"""Schedules, while everything happens to a site that does on servers.

How long it takes is said by AUTOCRON_SOAK_MINUTES; five minutes if that is not set.
"""

import itertools
import random
import time
from contextlib import closing

import pytest
from soaked_site import MINUTES, Site

from autocron.testing.processes import Project, wait_until

APPLICATION = """
from flask import Flask
import autocron

app = Flask(__name__)
autocron.start("project.db", workers=2)

def note(name, text):
    with open(name, "a") as file:
        file.write(f"{text}\\n")

@autocron.cron("* * * * *")
def every_minute():
    job = autocron.current_job()
    note("minutes.txt", f"{job.due.timestamp():.0f} {job.attempt}")

@autocron.every(seconds=7, catch_up="all", overlap="queue")
def often():
    job = autocron.current_job()
    note("often.txt", f"{job.due.timestamp():.0f} {job.attempt}")

@app.route("/")
def index():
    return "here"
"""


GENTLE = ["reload", "reload_with_new_code", "kill_supervisor", "kill_web_process", "restart"]
ROUGH = ["replace", "lose_power"]


def next_moment(chance):
    """Return when something is to happen next: often about a full minute."""
    later = time.time() + chance.uniform(4, 12)
    full_minute = later // 60 * 60
    return full_minute + chance.uniform(-0.3, 0.3) if full_minute > time.time() else later


def times(path):
    """Return the due times that a task has noted, and with which attempts."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return [int(due) for due, _ in rows], {attempt for _, attempt in rows}


def is_complete(due, interval):
    """Whether there is a run for each due time from the first to the last."""
    return set(due) == set(range(min(due), max(due) + interval, interval))


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_each_minute_has_its_run_exactly_once(tmp_path):
    """While servers and processes are reloaded, restarted and killed every few seconds, also at the full minute.

    Power is lost only between two minutes: a run that is interrupted by that is run again, as it must be.
    """
    chance = random.Random(MINUTES)  # the same each time
    with closing(Project(tmp_path)) as project:
        site = Site(project, APPLICATION, chance)
        site.serve()
        minutes = project.folder / "minutes.txt"
        wait_until(lambda: site.pids("worker"), or_show=lambda: project.output)
        end = time.time() + MINUTES * 60
        happened = []
        for number in itertools.count():
            until = min(end, next_moment(chance))
            wait_until(lambda until=until: time.time() >= until, within=60)
            if time.time() >= end:
                break
            is_between = 5 < time.time() % 60 < 50
            what = chance.choice(GENTLE + ROUGH * is_between) if number else "kill_supervisor"
            getattr(site, what)()
            happened.append(what)
        last = time.time() // 60 * 60
        wait_until(
            lambda: minutes.exists() and str(int(last)) in minutes.read_text(),
            or_show=lambda: project.output,
        )
        due, attempts = times(minutes)
        assert len(due) >= MINUTES - 1
        assert due == list(range(due[0], int(last) + 60, 60)), (due, happened)
        assert attempts == {"1"}
        with project.store("project.db") as store:
            ticks = store.ticks("application.every_minute", 1000)
        assert [tick.due for tick in reversed(ticks)] == due
        assert {str(tick.outcome) for tick in ticks} == {"FIRED"}
        wait_until(lambda: is_complete(times(project.folder / "often.txt")[0], 7))
        print(f"{len(due)} minutes, {len(happened)} times: {sorted(set(happened))}")
