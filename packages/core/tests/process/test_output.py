"""What supervisor and workers print and log, and where that goes."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from process_harness import Site, Web, wait_until

TALKS = """
@autocron.delay
def say(text, end="\\n"):
    print(text, file=sys.stderr, end=end)

@autocron.delay
def say_to_output(text):
    print(text)

@autocron.delay
def say_and_stay(text):
    print(text, file=sys.stderr, end="")
    note("said", text)
    while True:
        time.sleep(0.1)

@autocron.delay
def chatter(letter):
    note("chatting", letter)
    while not (HERE / "chat.go").exists():
        time.sleep(0.01)
    for _ in range(20):
        print(letter * 20_000)

@autocron.delay
def fail():
    raise ValueError("not so")
"""


def said(web: Web) -> str:
    """Return what was written to the standard error of the app."""
    return web.errors.read_text()


def read(path: Path) -> str:
    """Return the text of a file; nothing if there is none."""
    return path.read_text() if path.exists() else ""


def wait_for_line(read_all: Callable[[], str], level: str, pid: int, words: str) -> None:
    """Wait for a log line of a process with its time, its level and words."""
    line = rf"^\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}} {level} autocron\[{pid}\]: {words}"
    wait_until(lambda: re.search(line, read_all(), re.MULTILINE), f"{line!r}")


# What tasks print -----------------------------------------------------------------------------


def test_what_a_task_prints_goes_where_the_output_of_the_app_goes(app: Callable[..., Site]) -> None:
    """At once, though that is no terminal."""
    web = app(TALKS).web()
    web.run("site.say('to error').wait(30)")
    assert said(web) == "to error\n"


def test_a_line_that_a_task_does_not_end_is_seen_when_the_task_ends(
    app: Callable[..., Site],
) -> None:
    """Though its worker goes on, and prints nothing more."""
    web = app(TALKS).web()
    web.run("site.say('half a line', end='').wait(30)")
    assert "half a line" in said(web)


def test_a_line_that_was_begun_is_seen_when_the_worker_ends_in_the_midst_of_it(
    app: Callable[..., Site],
) -> None:
    """The end of the app cuts a task short, and not what it has said."""
    site = app(TALKS, shutdown_timeout=0.2)
    web = site.web()
    web.run("site.say_and_stay('half a line').id")
    wait_until(lambda: site.lines("said"), "the start of the job")
    assert "half a line" not in said(web)
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    assert "half a line" in said(web)


def test_lines_of_several_workers_are_whole(app: Callable[..., Site]) -> None:
    """However long they are, and though all go to one pipe."""
    site = app(TALKS, workers=4)
    web = site.web()
    web.run("[site.chatter(letter).id for letter in 'abcd']")
    wait_until(lambda: len(site.lines("chatting")) == 4, "the start of all jobs")
    (site.folder / "chat.go").touch()
    assert web.process.stdout is not None
    lines = sorted(islice(web.process.stdout, 80))
    assert lines == [f"{letter * 20_000}\n" for letter in "abcd" for _ in range(20)]


# A file for it --------------------------------------------------------------------------------


def test_output_goes_to_a_file(app: Callable[..., Site]) -> None:
    """Beside the database, its owner's alone; the app's own output stays where it was."""
    site = app(TALKS, log_file="site.log")
    web = site.web()
    web.run("site.say('to error').wait(30)")
    web.run("site.say_to_output('to output').wait(30)")
    web.run("print('of the app', file=site.sys.stderr)")
    file = site.folder / "site.log"
    assert file.read_text() == "to error\nto output\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert said(web) == "of the app\n"


def test_all_that_is_logged_goes_to_the_file(app: Callable[..., Site]) -> None:
    """From the first line on."""
    site = app(log_file="site.log", log_level="info")
    web, log = site.web(), site.folder / "site.log"
    wait_for_line(lambda: read(log), "INFO", site.supervisor(), "supervisor runs")
    (worker,) = site.workers()
    wait_for_line(lambda: read(log), "INFO", worker, "worker 1 is ready")
    assert said(web) == ""


def test_output_goes_to_the_file_of_the_newest_process(app: Callable[..., Site]) -> None:
    """A changed setting is heeded by the supervisor that runs, and by the next one."""
    site = app(TALKS, log_file="first.log")
    first = site.web()
    first.run("site.say('one').wait(30)")
    site = app(TALKS, log_file="second.log")
    second = site.web()
    wait_until(lambda: second.run("site.say('two').wait(30)") or read(site.folder / "second.log"))
    site.kill_supervisor()
    wait_until(
        lambda: (
            second.run("site.say('three').wait(30)") or "three" in read(site.folder / "second.log")
        )
    )
    app(TALKS)
    third = site.web()
    wait_until(
        lambda: third.run("site.say('four').wait(30)") or "four" in said(first) + said(second)
    )
    assert "four" not in said(third)


def test_a_file_that_cannot_be_opened_stops_nothing(app: Callable[..., Site]) -> None:
    """The log says why, and output goes where it would without the setting."""
    site = app(TALKS, log_file="missing/site.log")
    web = site.web()
    web.run("site.say('all the same').wait(30)")
    words = r"supervisor: output cannot go to .*/missing/site.log \(No such file or directory\)"
    wait_for_line(lambda: said(web), "ERROR", site.supervisor(), words)
    assert "all the same\n" in said(web)


# Log lines ------------------------------------------------------------------------------------


def test_log_lines_have_time_level_and_process(app: Callable[..., Site]) -> None:
    """Those of a worker, and those of the supervisor."""
    site = app(TALKS)
    web = site.web()
    job = web.run("site.fail().id")
    site.wait_for_state(job, 4)
    (worker,) = site.workers()
    failed = rf"job {job} \(site_app.fail\) failed: ValueError: not so\nTraceback "
    wait_for_line(lambda: said(web), "ERROR", worker, failed)
    os.kill(worker, signal.SIGKILL)
    wait_for_line(lambda: said(web), "ERROR", site.supervisor(), "worker 1 .* was killed")


def test_the_level_says_what_is_logged(app: Callable[..., Site]) -> None:
    """With "info" each job that is done has its line, and by itself it has none."""
    site = app(log_level="info")
    web = site.web()
    worker, supervisor = web.run("site.pid().wait(30)"), site.supervisor()
    wait_for_line(lambda: said(web), "INFO", worker, r"job .* \(site_app.pid\) done in ")
    for words in ("supervisor runs", "worker 1 started"):
        wait_for_line(lambda: said(web), "INFO", supervisor, words)
    assert "DEBUG" not in said(web)
    app()
    quiet = site.web()
    wait_until(lambda: quiet.run("site.pid().wait(30)") != worker, "a worker that says less")
    before = said(web)
    quiet.run("site.pid().wait(30)")
    quiet.run("site.pid().wait(30)")
    assert (said(web), said(quiet)) == (before, "")


def test_logging_of_the_app_is_left_alone(app: Callable[..., Site]) -> None:
    """In its own processes nothing is configured, and what it configures holds in the workers, too."""
    site = app(
        """
        import logging
        logging.basicConfig(format="own %(message)s", level="INFO")
        logging.getLogger("shop").info("of the shop")
        """
    )
    web = site.web()
    web.run("site.add(1).wait(30)")
    wait_until(lambda: re.search(r"^own job .* done in ", said(web), re.MULTILINE), "its own line")
    assert said(web).count("own of the shop") == 2  # once by the app, once by the worker
    assert web.run("site.logging.lastResort is site.logging._defaultLastResort")
    assert web.run("site.logging.getLogger('autocron').level") == 0
    assert web.run("type(site.sys.stdout.buffer).__module__") == "_io"
