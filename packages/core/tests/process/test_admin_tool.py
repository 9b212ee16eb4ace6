"""The admin tool on a system that runs: what each verb shows and changes there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from process_harness import Site, Web, is_alive, wait_until

from autocron.cli.arguments import VERBS

CODE = """
@autocron.delay
def where():
    return os.getpid()

@autocron.delay(retries=1, backoff=0.01)
def fail(text):
    raise ValueError(text)

@autocron.delay(queue="reports")
def report(name):
    return name

@autocron.delay
def count(name, total):
    for number in range(total):
        autocron.progress(number + 1, total, f"row {number}")
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.01)

@autocron.cron("0 3 1 1 *")
def yearly():
    note("yearly", 1)
"""


# Where a call is run; None if it is not run soon, since it was handed over just before a change.
WHERE = """[(result := site.where()), [site.time.sleep(0.01) for _ in range(50) if not result.ready],
result.ready and result.result][-1]"""


class Tool:
    """The command, used on one database."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.used: set[str] = set()

    def __call__(self, *arguments: object, status: int = 0, within: Sequence[str] = ()) -> str:
        """Run a verb, as a command of another one if there is one; return what it prints."""
        self.used.add(str(arguments[0]))
        ended = subprocess.run(
            [
                *within,
                sys.executable,
                "-m",
                "autocron",
                "--database",
                self._site.database,
                *map(str, arguments),
            ],
            cwd=self._site.folder,
            env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def ask(self, *arguments: object, status: int = 0) -> Any:
        """Run a verb with `--json`; return what it says."""
        return json.loads(self(*arguments, "--json", status=status))

    def status(self, job_id: str) -> str:
        """Return where a job stands."""
        return str(self.ask("job", job_id)["status"])

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers that are alive."""
        return [worker for worker in self.ask("status")["workers"] if worker["alive"]]


@pytest.fixture
def tool(site: Site) -> Tool:
    """The command on the site's database."""
    return Tool(site)


@pytest.fixture
def web(app: Callable[..., Site], site: Site) -> Iterator[Web]:
    """A web process of a site with one worker that is ready."""
    app(CODE, workers=1, shutdown_timeout=1)
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    return web


def go(site: Site, name: str) -> None:
    """Let jobs end that wait for it."""
    (site.folder / f"{name}.go").touch()


# Looking --------------------------------------------------------------------------------------


def test_status_shows_a_system_that_works(site: Site, web: Web, tool: Tool) -> None:
    """Its processes with their ids, what its worker is doing, its queues, and what has ended."""
    job = web.run("site.count('c', 8).id")
    web.run("[site.report('r').id, site.where.options(hours=1)().id]")
    wait_until(lambda: (tool.workers()[0]["job"] or {}).get("progress"), "progress")
    found = tool.ask("status")
    assert (found["web_processes"], found["supervisor_pid"]) == ([web.pid], site.supervisor())
    assert (found["enabled"], found["paused"]) == (True, False)
    (worker,) = found["workers"]
    assert ({worker["pid"]}, worker["job"]["id"]) == (site.workers(), job)
    assert 5 < worker["memory"] < 500
    queues = {
        queue["name"]: (queue["ready"], queue["later"], queue["running"])
        for queue in found["queues"]
    }
    assert queues == {"default": (0, 1, 1), "reports": (1, 0, 0)}
    assert found["ended"]["1 min"] == {"DONE": 1, "ERROR": 0, "CANCELLED": 0}
    text = tool("status")
    assert f"supervisor      running (pid {found['supervisor_pid']})" in text
    assert "site_app.count, " in text
    go(site, "c")


def test_progress_is_shown(site: Site, web: Web, tool: Tool) -> None:
    """By the handle, by `job` and by `jobs`, while it runs and after it."""
    job = web.run("site.count('c', 1000).id")
    result = f"site.autocron.result('{job}')"
    wait_until(
        lambda: web.run(f"{result}.progress and {result}.progress.done") == 1000, "the last value"
    )
    assert web.run(f"{result}.progress.fraction, {result}.progress.text") == [1.0, "row 999"]
    assert "progress   100 % (1000 of 1000) row 999" in tool("job", job)
    assert "100 % (1000 of 1000) row 999" in tool("jobs")
    go(site, "c")
    web.run(f"{result}.wait(30)")
    assert tool.ask("job", job)["progress"]["done"] == 1000


def test_jobs_are_found(web: Web, tool: Tool) -> None:
    """By status, task, queue and time; a page at a time; by a part of their ids."""
    first = web.run("site.report('a').id")
    failed = web.run("site.fail('no').id")
    wait_until(lambda: tool.status(failed) == "ERROR", "failure")
    assert [job["id"] for job in tool.ask("jobs", "--status", "error")] == [failed]
    assert [job["id"] for job in tool.ask("jobs", "--task", "report")] == [first]
    assert [job["id"] for job in tool.ask("jobs", "--queue", "reports", "--since", "5min")] == [
        first
    ]
    assert tool.ask("jobs", "--until", "5min") == []
    assert tool("jobs", "--until", "1h") == "No such jobs.\n"
    pages = [tool.ask("jobs", "--limit", "2", "--page", page)[0]["id"] for page in (1, 2)]
    assert pages[0] == failed
    assert "Page 1 of 2 (3 jobs)" in tool("jobs", "--limit", "2")
    assert tool.ask("job", failed[-12:])["id"] == failed


def test_a_job_tells_what_has_happened_to_it(web: Web, tool: Tool) -> None:
    """Each attempt with its traceback, and each change of its status, in order."""
    failed = web.run("site.fail('no').id")
    wait_until(lambda: tool.status(failed) == "ERROR", "failure")
    tool("retry", failed)
    wait_until(lambda: tool.ask("job", failed)["attempt"] == 4, "two more attempts")
    wait_until(lambda: tool.status(failed) == "ERROR", "failure")
    found = tool.ask("job", failed)
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["FAILED"] * 4
    statuses = [change["status"] for change in found["history"]]
    a_try = ["WAITING", "RUNNING", "WAITING", "RUNNING", "ERROR"]
    assert statuses == a_try * 2
    text = tool("job", failed)
    assert text.count("Traceback (most recent call last)") == 1  # it was the same each time
    assert "let begin anew" in text


def test_tasks_and_schedules_are_shown(web: Web, tool: Tool) -> None:
    """Those that the worker has imported, with what there is of each."""
    tasks = {task["task"]: task for task in tool.ask("tasks")}
    assert tasks["site_app.report"]["options"]["queue"] == "reports"
    assert tasks["site_app.add"]["jobs"]["DONE"] == 1
    assert tasks["site_app.yearly"]["schedule"] == "cron 0 3 1 1 *"
    (schedule,) = tool.ask("schedules")
    assert (schedule["schedule"]["name"], schedule["state"]) == ("site_app.yearly", "active")
    assert len(tool.ask("next-runs", "site_app.yearly", "--limit", "3")) == 3
    assert tool("ticks", "site_app.yearly") == "None yet.\n"
    assert len(tool.ask("cron", "@daily")) == 10


def test_settings_tell_where_they_come_from(web: Web, tool: Tool) -> None:
    """A default, the application, or the tool."""
    found = tool.ask("settings")
    assert found["shutdown_timeout"] == {"value": 1.0, "default": 8.0, "source": "app"}
    assert found["ttl"]["source"] == "default"
    tool("set", "ttl", "60")
    assert tool.ask("settings")["ttl"] == {"value": 60.0, "default": 1800.0, "source": "admin"}


# Why a job waits ------------------------------------------------------------------------------


def test_a_job_says_why_it_waits(site: Site, web: Web, tool: Tool) -> None:
    """It is not due, others run or come first, its queue or all is paused, or nobody is there."""

    def waits(job: str) -> str:
        return " / ".join(tool.ask("job", job)["waits"])

    busy = web.run("site.block('busy').id")
    site.wait_for_state(busy, 2)
    later = web.run("site.add.options(hours=1)(1).id")
    first, second = web.run("site.add(1).id"), web.run("site.report('a').id")
    assert waits(later).startswith("it is not due before 3")
    assert waits(first) == f"all workers are busy, with site_app.block (job {busy})"
    assert waits(second).endswith(" / 1 other will be taken before")
    tool("pause", "--queue", "reports")
    assert waits(second) == "its queue is paused: see the verb `resume`, with --queue reports"
    tool("resume", "--queue", "reports")
    tool("pause", "--all")
    paused = "all is paused: see the verb `resume`, with --all"
    assert waits(first) == paused
    tool("disable")
    assert waits(first) == f"autocron is disabled: see the verb `enable` / {paused}"
    web.end(signal.SIGKILL)
    go(site, "busy")
    wait_until(site.is_empty, "the end of all")
    tool("enable")
    tool("resume", "--all")
    assert waits(first).startswith("no process of the application is there")
    assert waits(busy) == ""


def test_a_run_says_for_which_other_it_waits(site: Site, web: Web, tool: Tool) -> None:
    """One at a time; the first of them waits for no other."""
    busy = web.run("site.block('busy').id")
    site.wait_for_state(busy, 2)
    first, second = [tool.ask("run-now", "site_app.yearly")["job"] for _ in range(2)]
    waits = tool.ask("job", second)["waits"]
    assert waits == [f"another run of its schedule has not ended (job {first})"]
    assert tool.ask("job", first)["waits"] == [
        f"all workers are busy, with site_app.block (job {busy})"
    ]
    go(site, "busy")


def test_a_job_says_that_no_worker_can_import_the_application(
    app: Callable[..., Site], site: Site, tool: Tool
) -> None:
    """And where to look for more."""
    app(f"{CODE}\nif autocron.app.in_worker(): raise ImportError('no luck')")
    job = site.web().run("site.add(1).id")
    wait_until(
        lambda: "cannot be imported" in str(tool.ask("job", job)["waits"]), "that it says so"
    )
    assert "see the verb `doctor`" in tool.ask("job", job)["waits"][0]


# Changing jobs --------------------------------------------------------------------------------


def test_jobs_are_cancelled_retried_and_deleted_by_filter(site: Site, web: Web, tool: Tool) -> None:
    """All that are chosen, and no others; it says how many."""
    web.run("[site.block(name).id for name in ('x', 'y', 'z')]")
    others = web.run("[site.report(str(number)).id for number in range(3)]")
    assert "say --yes if that is meant" in tool("cancel", "--queue", "reports", status=1)
    assert tool("cancel", "--queue", "reports", "--yes") == "3 jobs are cancelled.\n"
    assert {tool.status(job) for job in others} == {"CANCELLED"}
    for name in "xyz":
        go(site, name)
    assert tool("retry", "--task", "report", "--yes") == "3 jobs wait to be run.\n"
    wait_until(lambda: {tool.status(job) for job in others} == {"DONE"}, "the end of all three")
    assert tool("delete", "--queue", "reports", "--yes") == "3 jobs deleted.\n"
    assert tool.ask("jobs", "--queue", "reports") == []
    wait_until(lambda: tool.ask("status")["jobs"]["DONE"] == 4, "the end of the others")
    assert tool.ask("purge", "--yes") == {"deleted": 4, "left": 0}


def test_who_waits_for_a_job_that_is_deleted_is_told(web: Web, site: Site, tool: Tool) -> None:
    """It is gone, and nobody waits for ever."""
    web.run("site.block('x').id")
    job = web.run("site.report('a').id")
    web.run(
        f"""exec("import threading; said = []\\nresult = site.autocron.result('{job}')\\n"""
        """def wait():\\n try: result.wait(60)\\n except LookupError as error: said.append(str(error))\\n"""
        """threading.Thread(target=wait, daemon=True).start()", globals())"""
    )
    wait_until(
        lambda: site.query("SELECT awaited FROM autocron_jobs WHERE id = ?", job) == [(1,)],
        "that it is awaited",
    )
    tool("delete", job)
    wait_until(lambda: web.run("said"), "the end of the wait", 10)
    go(site, "x")


# What the running system takes over -------------------------------------------------------------


def test_the_number_of_workers_follows_the_setting(site: Site, web: Web, tool: Tool) -> None:
    """It grows, and shrinks without any harm to what runs: idle workers go first."""
    jobs = web.run("[site.block('busy').id]")
    site.wait_for_state(jobs[0], 2)
    (busy,) = site.workers()
    tool("set", "workers", "4")
    wait_until(lambda: len(site.processes("worker")) == 4, "four workers", 5)
    tool("set", "workers", "1")
    wait_until(lambda: site.processes("worker") == {busy}, "the end of the idle ones", 5)
    go(site, "busy")
    web.run(f"site.autocron.result('{jobs[0]}').wait(30)")
    assert site.workers() == {busy}
    tool("unset", "workers")
    assert len(tool.workers()) == 1


def test_workers_with_other_settings_are_replaced(site: Site, web: Web, tool: Tool) -> None:
    """Each of them after its job; what concerns only the supervisor replaces nobody."""
    before = site.workers()
    tool("set", "kill_after", "1")
    tool("set", "crash_limit", "1")
    job = web.run("site.block('b').id")
    site.wait_for_state(job, 2)
    assert site.workers() == before
    tool("set", "max_jobs_per_worker", "100")
    wait_until(lambda: len(site.processes("worker")) == 2, "a new worker beside the busy one")
    go(site, "b")
    wait_until(lambda: site.processes("worker").isdisjoint(before), "the end of the old one")
    assert web.run(f"site.autocron.result('{job}').wait(30)") == "b"
    assert web.run(f"site.autocron.result('{job}').attempts") == []


def test_what_is_disabled_runs_in_the_caller(site: Site, web: Web, tool: Tool) -> None:
    """Within a second, without a restart; when it is enabled again, a worker runs what was left."""
    job = web.run("site.block('b').id")
    site.wait_for_state(job, 2)
    left = web.run("site.add(5).id")
    tool("disable")
    wait_until(lambda: web.run(WHERE) == web.pid, "a call in the caller", 5)
    go(site, "b")
    wait_until(lambda: not site.processes("worker"), "the end of all workers")
    assert site.processes("supervisor")
    assert tool.status(left) == "WAITING"
    assert "autocron is disabled" in tool("status")
    tool("enable")
    wait_until(lambda: tool.status(left) == "DONE", "that it is run", 10)
    wait_until(lambda: web.run(WHERE) in site.workers(), "a call in a worker", 5)


def test_an_app_that_is_started_while_disabled_can_be_enabled(
    app: Callable[..., Site], site: Site, tool: Tool
) -> None:
    """Its supervisor waits for that."""
    app(CODE)
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    tool("disable")
    web.end(signal.SIGKILL)
    wait_until(site.is_empty, "the end of all")
    web = site.web()
    assert web.run("site.where().wait(30)") == web.pid
    site.supervisor()
    tool("enable")
    site.workers()
    wait_until(lambda: web.run(WHERE) in site.workers(), "a call in a worker", 5)


def test_an_app_that_disables_itself_starts_nothing_until_it_is_enabled(
    app: Callable[..., Site], site: Site, tool: Tool
) -> None:
    """What an administrator wants counts for more; the next call sees it."""
    app(CODE, enabled=False)
    web = site.web()
    assert web.run("site.where().wait(30)") == web.pid
    assert site.is_empty()
    tool("set", "enabled", "yes")
    wait_until(lambda: web.run(WHERE) in site.processes("worker"), "a worker", 10)
    tool("reset")
    wait_until(lambda: web.run(WHERE) == web.pid, "a call in the caller", 10)


def test_all_can_be_paused(site: Site, web: Web, tool: Tool) -> None:
    """Jobs are still accepted, but none begins, over a restart too; then all go on."""
    tool("pause", "--all")
    wait_until(lambda: not site.processes("worker"), "the end of all workers")
    job = web.run("site.add(1).id")
    assert "All is paused" in tool("status")
    assert tool.ask("run-now", "site_app.yearly")["outcome"] == "FIRED"
    web.end(signal.SIGKILL)
    wait_until(site.is_empty, "the end of all")
    web = site.web()
    site.supervisor()
    assert tool.status(job) == "WAITING"
    tool("resume", "--all")
    wait_until(lambda: tool.status(job) == "DONE", "that it is run")
    wait_until(lambda: site.lines("yearly") == ["1"], "the run of the schedule")


def test_a_queue_can_be_paused(web: Web, tool: Tool) -> None:
    """Its jobs wait, others run; the name must be right."""
    assert web.run("site.report('a').wait(30)") == "a"
    assert "did you mean reports?" in tool("pause", "--queue", "report", status=1)
    tool("pause", "--queue", "reports")
    job = web.run("site.report('b').id")
    assert web.run("site.add(1).wait(30)") == 2
    assert tool.status(job) == "WAITING"
    tool("resume", "--queue", "reports")
    wait_until(lambda: tool.status(job) == "DONE", "that it is run")


def test_a_schedule_can_be_paused(web: Web, tool: Tool) -> None:
    """And resumed; one has to be named, or all."""
    tool("pause", "site_app.yearly")
    assert tool.ask("schedules")[0]["state"] == "paused"
    tool("resume", "site_app.yearly")
    assert tool.ask("schedules")[0]["state"] == "active"
    assert "name a schedule, or a queue" in tool("pause", status=1)
    assert "name a schedule, or a queue" in tool("pause", "site_app.yearly", "--all", status=1)


def test_workers_are_restarted_gracefully(site: Site, web: Web, tool: Tool) -> None:
    """The new ones come at once and have the present code; the old one finishes its job."""
    job = web.run("site.block('b').id")
    site.wait_for_state(job, 2)
    (old,) = site.workers()
    assert tool.ask("restart") == {"restart": True}
    assert web.run("site.where().wait(30)") != old
    assert is_alive(old)
    go(site, "b")
    assert web.run(f"site.autocron.result('{job}').wait(30)") == "b"
    wait_until(lambda: old not in site.processes("worker"), "the end of the old one")
    web.end(signal.SIGKILL)
    wait_until(site.is_empty, "the end of all")
    assert "nothing runs that could be restarted" in tool("restart", status=1)


def test_a_setting_of_a_newer_version_stops_nothing(site: Site, web: Web, tool: Tool) -> None:
    """It is left out, and told; workers and web processes that start later go on without it."""
    site.query("INSERT INTO autocron_settings VALUES ('shiny', 'true'), ('ttl', '60')")
    tool("restart")
    (old,) = site.workers()
    tool("restart")
    wait_until(lambda: site.processes("worker") and old not in site.workers(), "another worker")
    assert web.run("site.add(1).wait(30)") == 2
    assert site.web().run("site.add(1).wait(30)") == 2
    assert tool.ask("settings")["ttl"]["value"] == 60
    assert (
        "this is left out, since it cannot be used: unknown setting shiny" in web.errors.read_text()
    )


def test_a_setting_that_was_written_by_hand_stops_nothing(site: Site, web: Web, tool: Tool) -> None:
    """What is no value is left out and told, and can be unset."""
    site.query(
        "INSERT INTO autocron_settings VALUES ('workers', 'two'), ('timezone', 'Europe/Rome')"
    )
    tool("restart")
    assert site.web().run("site.add(1).wait(30)") == 2
    (found,) = tool.ask("doctor", status=3)
    assert "left out: workers='two': must be a whole number" in found["problem"]
    assert tool.ask("settings")["timezone"]["value"] == "Europe/Rome"
    tool("unset", "workers")
    assert tool.ask("doctor") == []


@pytest.mark.parametrize("file", ["site.db", "site.db-wal", "site.db.autocron/log"])
def test_output_cannot_go_to_the_database(web: Web, tool: Tool, file: str) -> None:
    """That would destroy it."""
    said = tool("set", "log_file", file, status=1)
    assert "must be another file than those of the database" in said


# The database ---------------------------------------------------------------------------------


def test_a_backup_is_made_while_all_goes_on(site: Site, web: Web, tool: Tool) -> None:
    """It is a database of its own that holds every job of that moment, and is its owner's alone."""
    web.run("site.add.options(hours=1).enqueue_many([(n,) for n in range(2000)]) and 0")
    target = site.folder / "copy.db"
    found = tool.ask("backup", target)
    assert found == {"file": str(target), "bytes": target.stat().st_size}
    assert target.stat().st_mode & 0o777 == 0o600
    site.database, database = target, site.database
    assert tool.ask("status")["jobs"]["WAITING"] == 2000
    site.database = database
    assert "is there already" in tool("backup", target, status=1)
    shared = site.folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)  # as /tmp: where a database must not be, and a copy may
    assert tool.ask("backup", shared / "copy.db")["bytes"] == found["bytes"]
    assert "cannot be made (No such file" in tool("backup", site.folder / "none" / "x", status=1)


def test_half_a_backup_is_not_kept(site: Site, web: Web, tool: Tool) -> None:
    """What looks like one is one: the disk may be full."""
    web.run("site.add.options(hours=1).enqueue_many([(n,) for n in range(2000)]) and 0")
    target = site.folder / "copy.db"
    limit = ("sh", "-c", 'ulimit -f 200 && exec "$@"', "sh")  # in blocks of 512 bytes
    said = tool("backup", target, status=1, within=limit)
    assert f"{target}, copied from {site.database}: the disk does not do what it should" in said
    assert not target.exists()


def test_a_database_is_deleted_when_nothing_runs(site: Site, web: Web, tool: Tool) -> None:
    """With its log and its run-time files; not before, and not without being asked."""
    assert "the application runs: stop it first" in tool("delete-database", "--yes", status=1)
    web.end(signal.SIGKILL)
    wait_until(site.is_empty, "the end of all")
    said = tool("delete-database", status=1)
    assert "the 1 jobs in it will be deleted: say --yes" in said
    assert tool.ask("delete-database", "--yes") == {"deleted": str(site.database)}
    left = {path.name for path in site.folder.iterdir() if path.name.startswith("site.db")}
    assert left == set()


def test_a_database_with_tables_of_others_is_not_deleted(site: Site, web: Web, tool: Tool) -> None:
    """It says which these are."""
    site.query("CREATE TABLE customers (name TEXT)")
    web.end(signal.SIGKILL)
    wait_until(site.is_empty, "the end of all")
    said = tool("delete-database", "--yes", status=1)
    assert "has tables of another program, too (customers): nothing was deleted" in said
    assert tool.ask("status")["jobs"]["DONE"] == 1


def test_a_database_is_not_deleted_under_a_process_that_only_connects(
    app: Callable[..., Site], site: Site, tool: Tool
) -> None:
    """It holds none of the locks that tell who is there, but has the file open."""
    app(CODE, autostart=False)
    web = site.web()
    job = web.run("site.add(1).id")
    assert "another process uses" in tool("delete-database", "--yes", status=1)
    assert tool.status(job) == "WAITING"


# Without a web process ------------------------------------------------------------------------


class Kept:
    """`autocron run` in the site's folder; its output goes to a file, since its supervisor has it, too."""

    def __init__(self, site: Site, *arguments: str) -> None:
        self._output = site.folder / f"run-{time.monotonic_ns()}.txt"
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "autocron", "run", *arguments],
                cwd=site.folder,
                stdout=output,
                stderr=output,
            )
        self.pid = self.process.pid

    def said(self) -> str:
        """Return what it has printed up to now."""
        return self._output.read_text()

    def has_begun(self) -> str:
        """Wait until it has said so; return what."""
        return wait_until(lambda: "Ctrl-C" in self.said() and self.said(), "the beginning")

    def end(self, how: int | None = None) -> int:
        """Send a signal, if one is given; wait for the end, and return the exit status."""
        if how is not None:
            self.process.send_signal(how)
        return self.process.wait(30)


@pytest.fixture
def run(site: Site) -> Iterator[Callable[..., Kept]]:
    """Starts `autocron run` in the site's folder; ends it when the test has ended."""
    started: list[Kept] = []

    def start(*arguments: str) -> Kept:
        started.append(Kept(site, *arguments))
        return started[-1]

    yield start
    for kept in started:
        if kept.process.poll() is None:
            kept.process.kill()
        kept.process.wait()


def test_supervisor_and_workers_run_without_a_web_process(
    app: Callable[..., Site], site: Site, tool: Tool, run: Callable[..., Kept]
) -> None:
    """They run what a process hands over that starts none; HUP replaces workers, TERM ends all."""
    app(CODE, autostart=False, shutdown_timeout=1)
    kept = run("--app", "site_app")
    assert kept.has_begun().startswith(f"autocron runs for {site.database} (pid {kept.pid})")
    web = site.web()
    (worker,) = site.workers()
    assert web.run("site.where().wait(30)") == worker
    web.end()
    assert tool.ask("status")["web_processes"] == [kept.pid]
    kept.process.send_signal(signal.SIGHUP)
    wait_until(lambda: site.processes("worker") - {worker}, "another worker")
    supervisor = site.kill_supervisor()
    site.workers()
    assert kept.end(signal.SIGTERM) == 0
    assert kept.said().splitlines()[-1] == "autocron has ended."
    wait_until(lambda: not is_alive(supervisor) and site.is_empty(), "the end of all")


def test_a_reload_that_fails_ends_nothing(
    app: Callable[..., Site], site: Site, run: Callable[..., Kept]
) -> None:
    """Another program has locked the database: that is told, and all goes on."""
    app(CODE, autostart=False, shutdown_timeout=1)
    kept = run("--app", "site_app")
    kept.has_begun()
    workers = site.workers()
    with site.locked():
        kept.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "workers cannot be replaced just now" in kept.said(), "that it is told")
    web = site.web()
    assert web.run("site.where().wait(30)") in workers
    web.end()
    assert kept.end(signal.SIGTERM) == 0


def test_the_application_knows_how_its_own_processes_end(
    site: Site, run: Callable[..., Kept]
) -> None:
    """Nobody waits for them in its place."""
    site.write(
        """
        import autocron, subprocess, threading

        def watch():
            ended = [subprocess.run(["false"]).returncode for _ in range(30)]
            print("ended", set(ended), flush=True)

        threading.Thread(target=watch).start()
        autocron.start("site.db", shutdown_timeout=1)
        """
    )
    kept = run("--app", "site_app")
    wait_until(lambda: "ended {1}" in kept.said(), "their end")
    assert kept.end(signal.SIGTERM) == 0


def test_it_ends_without_what_goes_on_for_others(
    app: Callable[..., Site], site: Site, run: Callable[..., Kept]
) -> None:
    """A web process that has workers keeps them."""
    app(CODE, shutdown_timeout=1)
    kept = run("--app", "site_app")
    kept.has_begun()
    web = site.web()
    site.workers()
    assert kept.end(signal.SIGINT) == 0
    assert web.run("site.add(1).wait(30)") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the application: --app MODULE"),
        (["--app", "nowhere"], "--app nowhere: ModuleNotFoundError: No module named 'nowhere'"),
        (["--app", "site_app:nothing"], "--app site_app:nothing: AttributeError"),
        (["--app", "json"], "json does not start autocron: name the module"),
    ],
    ids=["none", "no module", "no name", "no start"],
)
def test_the_application_has_to_be_there(
    app: Callable[..., Site],
    run: Callable[..., Kept],
    arguments: list[str],
    message: str,
) -> None:
    """It says what is missing, and ends with status 1."""
    app(CODE, autostart=False)
    kept = run(*arguments)
    assert kept.end() == 1
    assert message in kept.said()


def test_a_factory_is_called(site: Site, tool: Tool, run: Callable[..., Kept]) -> None:
    """As servers do it: `module:name()`."""
    site.write(
        """
        import autocron

        @autocron.delay
        def add(a): return a + 1

        def create_app():
            autocron.start("site.db", shutdown_timeout=1)
        """
    )
    kept = run("--app", "site_app:create_app()", "--json")
    said = wait_until(lambda: kept.said().endswith("}\n") and kept.said(), "the beginning")
    assert json.loads(said) == {"database": str(site.database), "pid": kept.pid}
    site.workers()
    assert kept.end(signal.SIGQUIT) == 0


# All of it ------------------------------------------------------------------------------------


def test_no_verb_is_without_a_test_on_a_live_system() -> None:
    """Each is named in this file, or in that of the verb `doctor`."""
    text = Path(__file__).read_text()
    elsewhere = {"doctor": "test_doctor.py", "completion": "../cli/test_completion.py"}
    for verb in VERBS:
        if verb.name in elsewhere:
            text_of_other = (
                Path(__file__).with_name("x").parent.joinpath(elsewhere[verb.name]).read_text()
            )
            assert f'"{verb.name}"' in text_of_other
        else:
            assert f'"{verb.name}"' in text, verb.name
