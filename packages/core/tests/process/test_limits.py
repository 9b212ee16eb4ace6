"""Time limits, and running jobs that are cancelled: what becomes of them, and of their workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from process_harness import Site, Web, wait_until

WAITING, RUNNING, DONE, ERROR, CANCELLED = 1, 2, 3, 4, 5

CODE = """
import asyncio, itertools, socket

def stay(name, wait):
    note(name, os.getpid())
    try:
        while not (HERE / f"{name}.go").exists():
            wait(0.01)
    finally:
        note(f"{name}.tidied", 1)

@autocron.delay(timeout=0.3)
def asleep(name):
    note(name, os.getpid())
    try:
        time.sleep(600)
    finally:
        note(f"{name}.tidied", 1)

@autocron.delay(timeout=0.3)
def handles_errors(name):
    note(name, os.getpid())
    while True:
        try:
            time.sleep(600)
        except Exception:
            pass

@autocron.delay(timeout=0.3)
def reads(name):
    note(name, os.getpid())
    ours, theirs = socket.socketpair()
    ours.recv(1)

@autocron.delay(timeout=0.3)
async def awaits(name):
    note(name, os.getpid())
    try:
        await asyncio.gather(asyncio.sleep(600), asyncio.sleep(600))
    finally:
        note(f"{name}.tidied", 1)

@autocron.delay(timeout=0.3)
async def computes(name):
    note(name, os.getpid())
    async def count():
        while True:
            await asyncio.sleep(0)
    await asyncio.create_task(count())

@autocron.delay(timeout=0.3)
def stubborn(name):
    note(name, os.getpid())
    while not (HERE / f"{name}.go").exists():
        try:
            time.sleep(600)
        except BaseException:
            pass

@autocron.delay(timeout=0.3)
def in_c_code(name):
    note(name, os.getpid())
    sum(itertools.repeat(0))  # holds the interpreter: no thread of this process can run

@autocron.delay(timeout=0.3, retries=1, backoff=0)
def slow_at_first(name):
    note(name, os.getpid())
    if autocron.current_job().attempt == 1:
        time.sleep(600)
    return "quick"

@autocron.delay(timeout=600)
def quick():
    return os.getpid()

@autocron.delay
def long(name):
    note(name, os.getpid())
    while not autocron.current_job().cancel_requested:
        time.sleep(0.01)
    raise autocron.Cancel("as you like")

@autocron.delay(retries=5)
def forever(name):
    note(name, os.getpid())
    while True:
        time.sleep(600)

@autocron.delay
def forever_in_c_code(name):
    note(name, os.getpid())
    sum(itertools.repeat(0))

def outcome(job):
    try:
        return autocron.result(job).wait(30)
    except autocron.AutocronError as error:
        return type(error).__name__
"""


def begin(site: Site, web: Web, task: str) -> tuple[str, int]:
    """Hand over a task's call, wait until it has begun; return the job's id and the worker's."""
    job = web.run(f"site.{task}({task!r}).id")
    return job, int(wait_until(lambda: site.lines(task), f"the start of {task}")[-1])


def attempts(site: Site, web: Web, job: str) -> list[Any]:
    """Return how the attempts at a job have ended, and with which error."""
    return list(web.run(f"[[str(a.outcome), a.error] for a in autocron.result({job!r}).attempts]"))


@pytest.mark.parametrize("task", ["asleep", "handles_errors", "reads", "awaits", "computes"])
def test_a_job_that_takes_too_long_is_interrupted(app: Callable[..., Site], task: str) -> None:
    """Whatever it does and waits for, an exception ends it, and its worker goes on."""
    site = app(CODE)
    web = site.web()
    job, worker = begin(site, web, task)
    assert web.run(f"site.outcome({job!r})") == "JobFailed"
    error = "TimeLimitExceeded: it ran for longer than its timeout of 0.3 s"
    assert site.job(job)["error"] == error
    assert attempts(site, web, job) == [["TIMED_OUT", error]]
    if task in ("asleep", "awaits"):
        assert site.lines(f"{task}.tidied") == ["1"]
    assert web.run("site.quick().wait(30)") == worker
    assert f"in {task}" in web.run(f"autocron.result({job!r}).traceback")


@pytest.mark.parametrize("task", ["stubborn", "in_c_code"])
def test_a_worker_whose_job_does_not_heed_its_time_limit_is_killed(
    app: Callable[..., Site], task: str
) -> None:
    """After the time to tidy up, also if no other thread of it can run; this is no crash."""
    site = app(CODE, kill_after=0.3)
    web = site.web()
    job, worker = begin(site, web, task)
    assert web.run(f"site.outcome({job!r})") == "JobFailed"
    assert "did not end when it was told to, and its worker was killed" in site.job(job)["error"]
    assert [outcome for outcome, _ in attempts(site, web, job)] == ["TIMED_OUT"]
    assert site.job(job)["crashes"] == 0
    assert web.run("site.quick().wait(30)") != worker
    assert f"since job {job} did not end" in web.errors.read_text()


def test_a_job_that_took_too_long_is_tried_again(app: Callable[..., Site]) -> None:
    """If it has retries, as after any failure."""
    site = app(CODE)
    web = site.web()
    job = web.run("site.slow_at_first('x').id")
    assert web.run(f"site.outcome({job!r})") == "quick"
    assert [outcome for outcome, _ in attempts(site, web, job)] == ["TIMED_OUT"]


def test_a_time_limit_is_for_its_own_job_only(app: Callable[..., Site]) -> None:
    """Of many quick jobs with limits, one after the other and beside a slow one, none is interrupted."""
    site = app(CODE, workers=2)
    web = site.web()
    slow, _ = begin(site, web, "asleep")
    for _ in range(100):
        assert web.run("site.quick().wait(30)")
    assert web.run(f"site.outcome({slow!r})") == "JobFailed"
    counts = dict(site.query("SELECT state, count(*) FROM autocron_jobs GROUP BY state"))
    assert counts == {DONE: 100, ERROR: 1}


def test_a_time_limit_holds_though_the_supervisor_has_much_time(app: Callable[..., Site]) -> None:
    """It does not wait until it would have looked anyway."""
    site = app(CODE, check_interval=3600)
    web = site.web()
    web.run("site.quick().wait(30)")
    job, _ = begin(site, web, "asleep")
    assert web.run(f"site.outcome({job!r})") == "JobFailed"


def test_a_time_limit_holds_though_the_database_is_locked(app: Callable[..., Site]) -> None:
    """The job is interrupted in time, and its end is stored when that can be done."""
    site = app(CODE, busy_timeout=0.2)
    web = site.web()
    web.run("site.quick().wait(30)")
    job, _ = begin(site, web, "asleep")
    with site.locked():
        wait_until(lambda: site.lines("asleep.tidied"), "the interruption")
    assert web.run(f"site.outcome({job!r})") == "JobFailed"
    assert "TimeLimitExceeded" in site.job(job)["error"]


# Cancelling -----------------------------------------------------------------------------------


def test_a_job_that_waits_is_cancelled(app: Callable[..., Site]) -> None:
    """It never runs, and what comes after it does."""
    site = app()
    web = site.web()
    web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the first job")
    job = web.run("site.block('two').id")
    assert web.run(f"autocron.result({job!r}).cancel()") is True
    (site.folder / "one.go").touch()
    assert web.run("site.add(1).wait(30)") == 2
    assert site.lines("two") == []
    assert site.job(job)["state"] == CANCELLED


def test_a_running_job_that_is_asked_to_stop_can_do_so(app: Callable[..., Site]) -> None:
    """It sees that it was asked, and ends as it likes."""
    site = app(CODE)
    web = site.web()
    job, worker = begin(site, web, "long")
    assert web.run(f"autocron.result({job!r}).cancel()") is False
    assert web.run(f"site.outcome({job!r})") == "JobCancelled"
    assert site.job(job)["error"] == "Cancel: as you like"
    assert web.run("site.pid().wait(30)") == worker


@pytest.mark.parametrize("task", ["forever", "forever_in_c_code"])
def test_a_running_job_is_stopped_by_force(app: Callable[..., Site], task: str) -> None:
    """By an exception, or else by killing its worker; it does not run again."""
    site = app(CODE, kill_after=0.3)
    web = site.web()
    job, worker = begin(site, web, task)
    assert web.run(f"autocron.result({job!r}).cancel(force=True)") is False
    assert web.run(f"site.outcome({job!r})") == "JobCancelled"
    assert site.job(job)["error"].startswith("it was cancelled by force")
    was_killed = "its worker was killed" in site.job(job)["error"]
    assert was_killed == (task == "forever_in_c_code")
    assert (web.run("site.pid().wait(30)") != worker) == was_killed
    assert len(site.lines(task)) == 1
    assert [outcome for outcome, _ in attempts(site, web, job)] == ["CANCELLED"]


def test_a_cancelled_job_does_not_come_back_when_its_worker_dies(app: Callable[..., Site]) -> None:
    """It was asked to stop, and it has."""
    site = app(CODE)
    web = site.web()
    job, worker = begin(site, web, "forever")
    web.run(f"autocron.result({job!r}).cancel()")
    os.kill(worker, signal.SIGKILL)
    assert web.run(f"site.outcome({job!r})") == "JobCancelled"
    assert web.run("site.pid().wait(30)") != worker
    assert len(site.lines("forever")) == 1


def test_the_next_run_of_a_schedule_goes_on_when_the_one_before_is_cancelled(
    app: Callable[..., Site],
) -> None:
    """It was held until that had ended."""
    site = app(
        """
        @autocron.every(seconds=1, overlap="queue")
        def often():
            note("often", autocron.current_job().id)
            while not autocron.current_job().cancel_requested and len(site_lines()) == 1:
                time.sleep(0.01)
            if len(site_lines()) == 1:
                raise autocron.Cancel

        def site_lines():
            return (HERE / "often").read_text().splitlines()
        """
    )
    web = site.web()
    first = wait_until(lambda: site.lines("often"), "the first run")[0]
    wait_until(lambda: site.query("SELECT 1 FROM autocron_jobs WHERE state = -1"), "a held run")
    web.run(f"autocron.result({first!r}).cancel()")
    wait_until(lambda: len(site.lines("often")) > 1, "the next run")
