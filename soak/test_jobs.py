"""Jobs under steady load, while web processes, supervisors and workers are killed at random.

It ends with figures. How long it takes is said by AUTOCRON_SOAK_MINUTES; five minutes if that is not set.
"""

import itertools
import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field

import httpx
import pytest
from soaked_site import MINUTES, Site

from autocron.testing.processes import Project, wait_until

CALLERS = 4
CALLS_PER_SECOND = 40

# The application keeps its own table in the file that has its jobs, and writes to it with each request
# and in each job.
APPLICATION = """
import os, sqlite3, time
from contextlib import closing
from flask import Flask, request
import autocron

app = Flask(__name__)
autocron.start("project.db", workers=4, ttl=86400, handover="wait")

def note(name, *words):
    line = " ".join(map(str, words)) + "\\n"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, line.encode())   # in one piece, however many do so
    os.close(descriptor)

def write(text):
    try:
        with closing(sqlite3.connect("project.db", timeout=30)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS own (text)")
            connection.execute("INSERT INTO own VALUES (?)", (text,))
    except sqlite3.OperationalError as error:
        note("refused.txt", error)

@autocron.delay
def work(seconds):
    job = autocron.current_job()
    note("runs.txt", "began", job.id, job.attempt, time.time())
    write(f"job {job.id}")
    time.sleep(seconds)
    note("runs.txt", "ended", job.id, job.attempt, time.time())

@autocron.every(seconds=5, catch_up="all", overlap="queue")
def tick():
    job = autocron.current_job()
    note("ticks.txt", f"{job.due.timestamp():.0f}", job.attempt)

@app.post("/")
def call():
    write("request")
    return work(float(request.args["seconds"])).id
"""

EVENTS = [
    *["kill_worker"] * 4,
    *["kill_web_process"] * 2,
    *["kill_supervisor"] * 2,
    *("kill_all_workers", "reload", "reload_with_new_code", "restart", "lose_power"),
]


@dataclass
class Load:
    """Callers that make requests at a steady pace, and note which calls were accepted."""

    site: Site
    chance: random.Random
    accepted: list[str] = field(default_factory=list)
    answers: Counter = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    def start(self):
        """Start the callers; return them."""
        seeds = [self.chance.random() for _ in range(CALLERS)]
        callers = [threading.Thread(target=self._call, args=(seed,), daemon=True) for seed in seeds]
        for caller in callers:
            caller.start()
        return callers

    def _call(self, seed):
        chance = random.Random(seed)
        while not self.is_over.wait(CALLERS / CALLS_PER_SECOND):
            seconds = chance.choice([0, 0, 0.001, 0.01, 0.05, 0.2])
            try:
                url = f"http://127.0.0.1:{self.site.port}/"
                answer = httpx.post(url, params={"seconds": seconds}, timeout=60)
            except httpx.TransportError:  # whoever was to answer has been killed
                self.answers["none"] += 1
                continue
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.accepted.append(answer.text)


def rows(project, sql):
    """Return the rows of a query on the database."""
    with closing(sqlite3.connect(project.folder / "project.db", timeout=60)) as connection:
        return connection.execute(sql).fetchall()


def notes(project, name):
    """Return the lines that were noted, as words."""
    path = project.folder / name
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def report(project, load):
    """Return the figures."""
    noted = notes(project, "runs.txt")
    began = Counter(job for what, job, *_ in noted if what == "began")
    ended = {job for what, job, *_ in noted if what == "ended"}
    first = {}
    for what, job, _, moment in noted:
        if what == "began":
            first.setdefault(job, float(moment))
    stored = {
        job: (state, enqueued, attempt)
        for job, state, enqueued, attempt in rows(
            project,
            "SELECT id, state, enqueued_at, attempt FROM autocron_jobs WHERE schedule IS NULL",
        )
    }
    deaths = Counter(
        job
        for (job,) in rows(
            project,
            "SELECT job.id FROM autocron_attempts AS attempt JOIN autocron_jobs AS job ON job.seq = attempt.job",
        )
    )
    failed = {job for job, (state, *_) in stored.items() if state == 4}
    doubled = {job for job, count in began.items() if count > 1}
    locked = [line for line in project.output.splitlines() if "locked" in line]
    return {
        "accepted": len(load.accepted),
        "run": len(ended & set(load.accepted)),
        "lost": sum(job not in ended and job not in failed for job in load.accepted),
        "ERROR": len(failed),
        "doubled": len(doubled),
        "doubled though no worker died": sum(began[job] - 1 > deaths[job] for job in doubled),
        "longest wait": round(max(first[job] - stored[job][1] for job in first), 1),
        "database is locked": len(locked) + len(notes(project, "refused.txt")),
        "answers": dict(load.answers),
    }


@pytest.mark.timeout(MINUTES * 60 + 300)
def test_no_accepted_job_is_lost(tmp_path):
    """Each runs, and a second time only if its worker died in the midst of it; nobody meets a locked database.

    In the end there is one supervisor with its workers, and nothing is left after the server.
    """
    chance = random.Random(MINUTES)  # the same each time
    with closing(Project(tmp_path)) as project:
        site = Site(project, APPLICATION, chance)
        site.serve()
        wait_until(lambda: site.pids("worker"), or_show=lambda: project.output)
        load = Load(site, chance)
        callers, happened = load.start(), Counter()
        end = time.time() + MINUTES * 60
        for _ in itertools.count():
            until = min(end, time.time() + chance.uniform(0.5, 4))
            wait_until(lambda until=until: time.time() >= until, within=60)
            if time.time() >= end:
                break
            what = chance.choice(EVENTS)
            getattr(site, what)()
            happened[what] += 1
        load.is_over.set()
        for caller in callers:
            caller.join(60)
        unended = (
            "SELECT id, task, state FROM autocron_jobs WHERE state IN (1, 2) AND schedule IS NULL"
        )
        wait_until(lambda: not rows(project, unended), within=120, or_show=lambda: project.output)
        figures = report(project, load)
        print(f"\n{MINUTES} minutes, {sum(happened.values())} blows: {dict(happened)}")
        print("\n".join(f"{name:>30}: {figure}" for name, figure in figures.items()))
        assert figures["lost"] == 0
        assert figures["database is locked"] == 0
        assert figures["doubled though no worker died"] == 0
        assert figures["accepted"] > MINUTES * 60  # however slow the machine is
        roles = ["supervisor"] + ["worker"] * 4
        wait_until(
            lambda: sorted(each.role for each in project.autocron_processes()) == roles,
            or_show=project.autocron_processes,
        )
        site.server.end()
        wait_until(lambda: not project.autocron_processes(), within=10)
        due = {int(moment) for moment, _ in notes(project, "ticks.txt")}
        assert due == set(range(min(due), max(due) + 5, 5))
