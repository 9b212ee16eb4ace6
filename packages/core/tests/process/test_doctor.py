"""The verb `doctor` beside real faults; what it concludes from what it sees is in unit/test_doctor.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from process_harness import Site, is_alive, wait_until

import autocron
from autocron.model import NewJob
from autocron.stores.sqlite import SqliteAdminStore

NOBODY = 65534
AN_HOUR = 3600

TICK = """
@autocron.every(seconds=1)
def tick():
    pass
"""


def doctor(site: Site, *before: str, **environment: str) -> dict[str, tuple[str, str]]:
    """Run the verb; return problem and remedy of each finding, by its check."""
    command = before or (sys.executable, "-m", "autocron")
    ended = subprocess.run(
        [*command, "--database", str(site.database), "doctor", "--json"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stderr == ""
    findings = json.loads(ended.stdout)
    assert ended.returncode == (3 if findings else 0)
    assert all(finding["problem"] and finding["remedy"] for finding in findings)
    return {finding["check"]: (finding["problem"], finding["remedy"]) for finding in findings}


def wait_for(site: Site, check: str) -> tuple[str, str]:
    """Wait until a check finds something, and return what."""
    found: tuple[str, str] = wait_until(lambda: doctor(site).get(check), check)
    return found


def is_healthy(site: Site) -> bool:
    """Whether nothing is found."""
    return doctor(site) == {}


def follow(remedy: str) -> None:
    """Do what a remedy says, which begins with a command."""
    subprocess.run(remedy.partition(";")[0], shell=True, check=True)


@pytest.fixture
def running(app: Callable[..., Site]) -> Site:
    """A site that has run a job, with its web process, supervisor and worker."""
    site = app(TICK)
    assert site.web().run("site.add(1).wait(30)") == 2
    assert is_healthy(site)
    return site


@pytest.fixture
def resting(app: Callable[..., Site]) -> Site:
    """A site with a database and run-time files, of which no process is left."""
    site = app()
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    web.end()
    wait_until(site.is_empty, "the end of all")
    assert is_healthy(site)
    return site


# Health ---------------------------------------------------------------------------------------


def test_nothing_is_found_wrong_with_what_runs_well(app: Callable[..., Site]) -> None:
    """Jobs that run, wait their turn, are for later or have failed are no fault; people read a sentence."""
    site = app(TICK + "@autocron.delay\ndef fail(): raise ValueError\n")
    web = site.web()
    site.web()
    web.run("site.fail().id")
    web.run("site.add.options(seconds=3600)(1).id")
    web.run("site.block('one').id")
    web.run("site.block('two').id")
    wait_until(lambda: site.lines("one"), "a job that runs")
    assert is_healthy(site)
    command = [sys.executable, "-m", "autocron", "--database", str(site.database), "doctor"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == "Nothing wrong was found.\n"


# Files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["site.db-shm", "site.db.autocron", "site.db.autocron/apps.lock"])
def test_a_file_of_another_user_is_found(running: Site, name: str) -> None:
    """As after somebody has used the database as root; what it says to do is enough."""
    os.chown(running.folder / name, NOBODY, -1)
    problem, remedy = wait_for(running, "owner")
    assert "the database belongs to the user root, and these do not" in problem
    assert str(running.folder / name) in problem
    follow(remedy)
    assert is_healthy(running)


@pytest.mark.parametrize("mode", [0o640, 0o602], ids=oct)
@pytest.mark.parametrize("name", ["site.db", "site.db-wal", "site.db.autocron/orders.json"])
def test_a_file_that_others_can_get_at_is_found(running: Site, name: str, mode: int) -> None:
    """To read it or to write to it, the group or everybody; what it says to do is enough."""
    (running.folder / name).chmod(mode)
    found = doctor(running)
    assert list(found) == ["mode"]
    problem, remedy = found["mode"]
    assert f"other users can get at {running.folder / name}" in problem
    follow(remedy)
    assert is_healthy(running)


def test_a_folder_in_which_everybody_may_replace_files_is_found(resting: Site) -> None:
    """Though the database cannot be opened for it: the finding is the only one."""
    resting.folder.chmod(0o777)
    found = doctor(resting)
    assert list(found) == ["folder"]
    assert f"chmod o-w {resting.folder}" in found["folder"][1]
    resting.folder.chmod(0o700)
    assert is_healthy(resting)


def test_a_disk_that_is_almost_full_is_found(resting: Site) -> None:
    """Before it is; it says how much is left."""
    disk = resting.folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "autocron-test", str(disk)]
    subprocess.run(command, check=True)
    try:
        shutil.move(resting.database, disk)
        small = Site(disk)
        found = doctor(small)
        assert list(found) == ["disk"]
        assert f"the disk of {disk} is almost full: 1" in found["disk"][0]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


FAR = """
import os, struct, subprocess, sys

LOOKUP, FORGET, GETATTR, STATFS, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 17, 26, 36, 42
ATTRIBUTES = struct.pack("<QII 6Q 10I", 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40700, 2, 0, 0, 0, 4096, 0)
REPLIES = {
    INIT: struct.pack("<4I 2H 2I 2H I 28x", 7, 31, 65536, 0, 0, 0, 4096, 1, 0, 0, 0),
    GETATTR: ATTRIBUTES,
    STATFS: struct.pack("<5Q 4I 24x", 2**30, 2**30, 2**30, 2**20, 2**20, 4096, 255, 4096, 0),
}

device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
command = ["mount", "-i", "-t", "fuse.sshfs", "-o", options, "far:/", sys.argv[1]]
subprocess.run(command, check=True, pass_fds=[device])
print("mounted", flush=True)
while True:
    try:
        request = os.read(device, 65536)
    except OSError:  # it is unmounted
        break
    _, what, number = struct.unpack_from("<IIQ", request)
    if what in (FORGET, BATCH_FORGET, INTERRUPT):
        continue
    reply = REPLIES.get(what, b"")
    error = 0 if reply else -2 if what == LOOKUP else -38  # ENOENT, ENOSYS
    os.write(device, struct.pack("<IiQ", 16 + len(reply), error, number) + reply)
"""


def test_a_network_file_system_is_found(site: Site) -> None:
    """One that the kernel calls `fuse.sshfs`, here with nothing on it: where the database would be made."""
    far = site.folder / "far away"
    far.mkdir()
    with talking([sys.executable, "-c", FAR, str(far)], "mounted"):
        try:
            found = doctor(Site(far))
        finally:
            subprocess.run(["umount", "--lazy", str(far)], check=True)
    assert list(found) == ["network-file-system", "not-opened"]
    assert f"{far} lies on a network file system (fuse.sshfs)" in found["network-file-system"][0]
    assert "to a disk of this machine" in found["network-file-system"][1]


# A database that cannot be opened -------------------------------------------------------------


def test_what_is_no_database_is_a_finding(resting: Site) -> None:
    """With what the error says, taken apart; so is one that is not there."""
    resting.database.write_text("no database at all\n" * 100)
    found = doctor(resting)
    assert list(found) == ["not-opened"]
    problem, remedy = found["not-opened"]
    assert problem.endswith("is not an SQLite database")
    assert remedy == "name another file"
    resting.database.unlink()
    assert doctor(resting)["not-opened"][0].endswith("there is no such file")


AS_NOBODY = """
import os, sys
from autocron.cli import main
from autocron.cli.arguments import parser
parser("").format_help()  # imports what it needs, in case that the other user may not read it
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def reachable(site: Site) -> Iterator[Site]:
    """A site in a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        site.folder, site.database = Path(folder), Path(folder, "site.db")
        yield site
        site.clean_up()


def test_another_user_is_told_what_can_be_seen_from_outside(
    app: Callable[..., Site], reachable: Site
) -> None:
    """Whose it is, and what could not be examined, and as whom to do so."""
    assert app().web().run("site.add(1).wait(30)") == 2
    found = doctor(reachable, sys.executable, "-c", AS_NOBODY)
    assert list(found) == ["not-opened", "not-examined"]
    assert "belongs to the user root, and this process runs as nobody" in found["not-opened"][0]
    problem, remedy = found["not-examined"]
    assert problem.endswith("could not be examined: permission denied")
    assert "as root, or as the user who owns the database" in remedy


RUNS_AS_NOBODY = """
import fcntl, os, sqlite3, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM autocron_jobs").fetchall()
lock = open(f"{sys.argv[1]}.autocron/supervisor.lock")
fcntl.flock(lock, fcntl.LOCK_EX)
print("runs", flush=True)
sys.stdin.read()
"""


def test_root_can_examine_what_is_another_users(app: Callable[..., Site], reachable: Site) -> None:
    """Its processes, files and store, as if they were its own; and leaves no file of root's."""
    site = app()
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    web.end()
    wait_until(site.is_empty, "the end of all")
    files = [site.folder, *site.folder.rglob("*")]
    for path in files:
        os.chown(path, NOBODY, NOBODY)
    command = [sys.executable, "-c", RUNS_AS_NOBODY, str(site.database)]
    with talking(command, "runs") as pid:
        assert is_healthy(site)
        os.kill(pid, signal.SIGSTOP)
        assert f"the supervisor, process {pid} (python" in doctor(site)["stopped"][0]
    assert is_healthy(site)
    assert {path.stat().st_uid for path in site.folder.rglob("*")} == {NOBODY}


@contextmanager
def talking(command: list[str], word: str) -> Iterator[int]:
    """Have a program run that has said a word, and give its id."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == f"{word}\n"
            yield process.pid
        finally:
            process.kill()


# Processes ------------------------------------------------------------------------------------


@contextmanager
def program(*arguments: str, **more: Any) -> Iterator[int]:
    """Have a program run, and give its id."""
    with subprocess.Popen([*arguments], **more) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["site.db", "site.db.autocron/apps.lock"])
def test_a_process_of_another_user_is_found(running: Site, name: str) -> None:
    """That has the database or a lock open; it is named, and as whom it should run."""
    sleep = ("sleep", "600")
    with (running.folder / name).open() as file, program(*sleep, stdin=file, user=NOBODY) as pid:
        problem, remedy = wait_for(running, "other-user")
        assert problem.endswith(f"in use by processes of nobody: {pid} (sleep)")
        assert remedy == "end them, and run them as root"
    assert is_healthy(running)


def all_threads_are_stopped(pid: int) -> bool:
    """Whether every thread of a process was stopped."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(text.rpartition(")")[2].split()[0] == "T" for text in stats)


def test_a_supervisor_that_is_missing_is_found(running: Site) -> None:
    """As long as nobody can start another, here because all others are stopped."""
    (pid,) = running.workers()
    web = running._webs[0].pid
    os.kill(web, signal.SIGSTOP)
    # Or a thread of it might stop in the midst of starting the next one, with the lock.
    wait_until(lambda: all_threads_are_stopped(web), "that all of it stands still")
    os.kill(running.supervisor(), signal.SIGKILL)  # first, or it would start another worker
    os.kill(pid, signal.SIGKILL)
    wait_until(running.is_empty, "the end of supervisor and worker")
    found = doctor(running)
    assert {"no-supervisor", "stopped"} <= set(found)
    assert f"a process of the application, process {web} (python" in found["stopped"][0]
    os.kill(web, signal.SIGCONT)
    wait_until(lambda: is_healthy(running), "health")


@pytest.mark.parametrize("role", ["supervisor", "worker"])
def test_a_process_that_is_stopped_is_found(running: Site, role: str) -> None:
    """It keeps its lock, so that nobody takes its place; what it says to do is enough."""
    (pid,) = running.workers() if role == "worker" else {running.supervisor()}
    os.kill(pid, signal.SIGSTOP)
    problem, remedy = wait_for(running, "stopped")
    assert f"{role}" in problem
    assert f"process {pid} (python" in problem
    follow(remedy)
    wait_until(lambda: is_healthy(running), "health")


def test_versions_that_differ_are_found(app: Callable[..., Site], tmp_path: Path) -> None:
    """As after an upgrade: the web process goes on with the old code, and the next supervisor has the new one."""
    copy = tmp_path / "installed"
    source = Path(autocron.__file__).parent
    shutil.copytree(source, copy / "autocron", ignore=shutil.ignore_patterns("__pycache__"))
    site = app()
    web = site.web(PYTHONPATH=str(copy))
    assert web.run("autocron.__file__") == str(copy / "autocron" / "__init__.py")
    assert web.run("site.add(1).wait(30)") == 2
    assert is_healthy(site)
    init = copy / "autocron" / "__init__.py"
    old = f'__version__ = "{autocron.__version__}"'
    assert old in init.read_text()
    init.write_text(init.read_text().replace(old, '__version__ = "99.0"'))
    site.kill_supervisor()
    problem, remedy = wait_for(site, "version")
    assert problem.startswith(f"the application runs autocron {autocron.__version__}, but worker ")
    assert problem.endswith(" runs 99.0")
    assert "restart all processes of the application" in remedy
    web.end()
    wait_until(site.is_empty, "the end of all")
    site.web(PYTHONPATH=str(copy)).run("site.add(1).wait(30)")
    assert list(doctor(site)) == ["tool-version"]
    assert is_alive(site.supervisor())


# Tasks, schedules and jobs --------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["RuntimeError: no such table: shop", "SystemExit: no key"])
def test_an_application_that_cannot_be_imported_is_found(
    app: Callable[..., Site], fault: str
) -> None:
    """With the last line of the traceback, until a worker has imported it; leaving is no better."""
    site = app()
    site.web()
    site.workers()
    code = (site.folder / "site_app.py").read_text()
    kind, _, words = fault.partition(": ")
    site.write(f"{code}\nraise {kind}({words!r})\n")
    os.kill(site.supervisor(), signal.SIGKILL)
    problem, remedy = wait_for(site, "not-imported")
    assert problem == f"no worker can import the application: {fault}"
    assert str(site.folder / "site.db.autocron" / "load-error.txt") in remedy
    site.write(code)
    wait_until(lambda: is_healthy(site), "health")


def test_jobs_of_a_task_that_was_removed_are_found(app: Callable[..., Site]) -> None:
    """Whether they wait or have failed."""
    site = app("@autocron.delay\ndef old(): pass\n", autostart=False)  # while nobody could run it
    web = site.web()
    web.run("site.old.options(seconds=3600)().id")
    web.run("site.old.options(seconds=1)().id")
    web.end()
    app()
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    (site.folder / "site.db.autocron" / "tasks" / "site_app.old").unlink()
    assert "jobs wait for the task site_app.old" in wait_for(site, "unknown-task")[0]
    site.query("DELETE FROM autocron_jobs WHERE delay > 60")
    problem, _ = wait_until(
        lambda: "failed" in (found := wait_for(site, "unknown-task"))[0] and found, "a failure"
    )
    assert problem.startswith("jobs have failed since no worker has the task site_app.old")


def test_a_schedule_that_is_due_though_nobody_fires_it_is_found(app: Callable[..., Site]) -> None:
    """By a supervisor that stands still; to see it an hour later takes a clock that is ahead."""
    from libfaketime import get_reload_information

    site = app(TICK)
    assert site.web().run("site.add(1).wait(30)") == 2
    wait_until(lambda: site.query("SELECT 1 FROM autocron_ticks"), "a tick")
    os.kill(site.supervisor(), signal.SIGSTOP)
    _, environment = get_reload_information()
    found = doctor(site, **environment, FAKETIME=f"+{AN_HOUR}")
    assert {"stopped", "schedule-overdue"} <= set(found)
    problem, _ = found["schedule-overdue"]
    assert "the schedule site_app.tick has been due for 3" in problem


def test_jobs_that_wait_though_a_worker_is_idle_are_found(app: Callable[..., Site]) -> None:
    """As if nobody had been woken for them, and the next check was far off."""
    site = app(check_interval=AN_HOUR)
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    site.query("UPDATE autocron_workers SET started_at = started_at - 60")
    assert is_healthy(site)
    with closing(SqliteAdminStore(site.database, turn=nullcontext())) as store:
        store.enqueue([NewJob("a", "site_app.add", "[[1],{}]")], time.time() - 60)
    found = doctor(site)
    assert list(found) == ["idle-workers"]
    assert found["idle-workers"][0] == "jobs wait in default, though these workers are idle: 1"
    web.run("site.add(1).wait(30)")
    assert is_healthy(site)


def test_jobs_that_nobody_is_there_for_are_found(resting: Site) -> None:
    """Until the application is started."""
    resting.query("UPDATE autocron_jobs SET state = 1")
    assert "no process of the application is there" in doctor(resting)["no-application"][0]
    resting.web()
    wait_until(lambda: is_healthy(resting), "health")


def test_what_an_administrator_has_switched_off_is_found(running: Site) -> None:
    """All, and by a pause or a setting; it says which verb ends it."""
    tool = [sys.executable, "-m", "autocron", "--database", str(running.database)]
    for off, on, check in [
        (["pause", "--all"], ["resume", "--all"], "paused"),
        (["disable"], ["enable"], "disabled"),
    ]:
        subprocess.run([*tool, *off], check=True, capture_output=True)
        found = doctor(running)
        assert list(found) == [check]
        assert f"`{on[0]}`" in found[check][1]
        subprocess.run([*tool, *on], check=True, capture_output=True)
        wait_until(lambda: is_healthy(running), "health")


def test_a_clock_that_was_set_back_is_found(running: Site) -> None:
    """Since what was noted before is yet to come by it."""
    from libfaketime import get_reload_information

    _, environment = get_reload_information()
    found = doctor(running, **environment, FAKETIME=f"-{AN_HOUR}")
    assert list(found) == ["clock"]
    assert "the clock is wrong, or was: by it, job" in found["clock"][0]


# The database's lock --------------------------------------------------------------------------


HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript(sys.argv[2])
print("holds", flush=True)
sys.stdin.read()
"""


def holder(site: Site, sql: str) -> AbstractContextManager[int]:
    """Have another program hold the database in some way, and give its id."""
    return talking([sys.executable, "-c", HOLDS, str(site.database), sql], "holds")


def test_a_program_that_does_not_end_its_transaction_is_found(running: Site) -> None:
    """It is named, as the kernel knows who has the lock."""
    with holder(running, "BEGIN IMMEDIATE") as pid:
        found = doctor(running)
        assert list(found) == ["foreign-lock"]
        assert (
            f"nobody else can write: by process {pid} ({sys.executable} -c"
            in found["foreign-lock"][0]
        )
    wait_until(lambda: is_healthy(running), "health")


def test_a_program_that_has_the_database_for_itself_is_found(resting: Site) -> None:
    """So that it cannot even be opened."""
    sql = "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"
    with holder(resting, sql) as pid:
        found = doctor(resting)
        assert list(found) == ["foreign-lock", "not-opened"]
        assert f"by process {pid} ({sys.executable} -c" in found["foreign-lock"][0]
    with closing(sqlite3.connect(resting.database)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert is_healthy(resting)
