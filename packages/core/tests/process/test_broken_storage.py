"""What becomes of jobs, calls and processes when the disk or the database file fails them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from process_harness import Site, Web, wait_until

from autocron.model import NewJob, Released
from autocron.stores.sqlite import SqliteStore

DONE = 3
MIB = 1024 * 1024


class Disk:
    """A small disk, mounted in the folder of a test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def mount(self, **options: object) -> None:
        """Have the disk there; fails where that is not possible."""
        self.folder.mkdir()
        words = ",".join(f"{name}={value}" for name, value in options.items())
        run("mount", "-t", "tmpfs", "-o", f"mode=0700,{words}", "autocron-test", self.folder)

    def unmount(self) -> None:
        """Have it gone, whatever is on it."""
        command = ["umount", str(self.folder)]
        # A process that has just been killed closes its files a moment after it is seen to be gone.
        wait_until(lambda: subprocess.run(command, check=False).returncode == 0, "the unmounting")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Have whoever opens a file find the disk read-only; what is open stays as it is.

        The disk itself cannot be made read-only while somebody has a file open to write.
        """
        run("mount", "--bind", self.folder, self.folder)
        try:
            run("mount", "-o", "remount,bind,ro", self.folder)
            yield
        finally:
            run("umount", "--lazy", self.folder)  # processes may have files open there

    @property
    def room(self) -> int:
        """How many bytes are free."""
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, *, leave: int = 0) -> None:
        """Leave no room, or only a little."""
        with self._filling.open("ab", buffering=0) as file, suppress(OSError):
            while self.room > leave or not leave:
                file.write(b"\0" * max(4096, min(MIB, self.room - leave)))
        assert self.room <= leave

    def make_room(self) -> None:
        """Have room again."""
        self._filling.unlink()

    def fill_with_files(self) -> list[Path]:
        """Leave no room for another file, and return those that are in the way."""
        made: list[Path] = []
        with suppress(OSError):
            while True:
                path = self.folder / f"file-{len(made)}"
                path.touch()
                made.append(path)
        assert os.statvfs(self.folder).f_favail == 0
        return made


def run(*command: object) -> None:
    """Run a command as root, and fail with its own words if that is not possible."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr} (these tests have to mount disks)"


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Disk]]:
    """Mounts a disk; it is gone at the end of the test, however that ends."""
    disks: list[Disk] = []

    def mount(**options: object) -> Disk:
        disk = Disk(tmp_path / "disk")
        disk.mount(**options)
        disks.append(disk)
        return disk

    yield mount
    for disk in disks:
        disk.unmount()


MORE = """
def call_until_it_raises(*sizes):
    ids, error = [], None
    for size in sizes:
        try:
            while True:
                ids.append(add("x" * size, "").id)
        except autocron.AutocronError as raised:
            error = f"{type(raised).__name__}: {raised}"
    return [ids, error]

def error_of_call():
    try:
        return add(1).id and None
    except autocron.AutocronError as error:
        return f"{type(error).__name__}: {error}"

def error_of_wait(id, seconds):
    try:
        return autocron.result(id).wait(seconds) and None
    except autocron.AutocronError as error:
        return f"{type(error).__name__}: {error}"

waited = []

def wait_in_background(id):
    import threading
    threading.Thread(target=lambda: waited.append(autocron.result(id).wait(60)), daemon=True).start()

def be_told(id):
    from autocron import app
    app._process.default.when_ended(id, lambda: waited.append("told"))

def error_of_storing(result):
    import asyncio
    try:
        return asyncio.run(result.stored())
    except autocron.AutocronError as error:
        return f"{type(error).__name__}: {error}"

def results_of(ids):
    return [autocron.result(id).wait(60) is not None for id in ids].count(True)
"""


SCHEDULED = """
@autocron.every(seconds=1)
def tick():
    note("ticks", 1)
"""


@pytest.fixture
def app_on(mounted: Callable[..., Disk], app: Callable[..., Site]) -> Callable[..., Site]:
    """Writes the usual application, with its database on a disk of its own."""

    def write(disk: Disk, **settings: object) -> Site:
        site = app(MORE, **settings)
        site.database = disk.folder / "site.db"
        code = (site.folder / "site_app.py").read_text()
        site.write(code.replace('"site.db"', repr(str(site.database))))
        return site

    return write


@pytest.fixture
def broken_app(app: Callable[..., Site]) -> Callable[..., Site]:
    """Writes the usual application, and what tests of its database need."""
    return lambda **settings: app(MORE, **settings)


def logged(web: Web, *words: str) -> int:
    """Return how many lines of the log have all these words."""
    return sum(all(word in line for word in words) for line in web.errors.read_text().splitlines())


def let_it_last(seconds: float) -> None:
    """Let an outage last so long that whoever tries again has done so a few times."""
    # Not to wait for something: what is looked for afterwards is that nothing came.
    time.sleep(seconds)


def seconds_of_work(pid: int) -> float:
    """Return for how long a process has used a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def leave_no_room(site: Site, web: Web) -> None:
    """Use up what the log has reserved on a full disk, to the last page."""
    web.run("site.call_until_it_raises(20000, 2000, 10)")
    with closing(sqlite3.connect(site.database, timeout=10, isolation_level=None)) as other:
        other.execute("PRAGMA wal_autocheckpoint=0")
        while True:
            try:
                other.execute("UPDATE autocron_queues SET name = name")
            except sqlite3.OperationalError as error:
                # Of the index, which may have no room either, it says "I/O".
                if "full" in str(error) or "I/O" in str(error):
                    return
                raise


def begin_blocking(site: Site, web: Web) -> str:
    """Have a worker begin a job that does not end by itself."""
    job = web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the first attempt")
    return str(job)


def copy_of(site: Site, name: str = "copy.db") -> Path:
    """Make a copy of the database as a backup does."""
    path = site.folder / name
    with (
        closing(sqlite3.connect(site.database)) as source,
        closing(sqlite3.connect(path)) as target,
    ):
        source.backup(target)
    path.chmod(0o600)
    return path


def serving(site: Site) -> Web:
    """Start a web process, and return it when a job of its has been run."""
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    return web


def assert_goes_on(site: Site, web: Web) -> None:
    """See to it that jobs run, and that the database is not damaged."""
    assert web.run("site.add(1).wait(30)") == 2
    assert_whole(site)


def assert_whole(site: Site) -> None:
    """See to it that the database is not damaged."""
    assert site.query("PRAGMA integrity_check") == [("ok",)]


# A full disk ----------------------------------------------------------------------------------


def test_a_call_that_finds_no_room_raises_and_the_others_are_kept(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """The error names the file and the remedy; when there is room, all accepted jobs run."""
    disk = mounted(size="64m")
    site = app_on(disk)
    web = serving(site)
    disk.fill()
    ids, error = web.run("site.call_until_it_raises(20000, 2000, 10)")
    assert "StoreError" in error
    assert f"{site.database}: its disk is full" in error
    assert f"make room in {disk.folder}" in error
    assert len(ids) > 10  # the log had its room already
    disk.make_room()
    assert web.run(f"site.results_of({ids!r})") == len(ids)
    assert_goes_on(site, web)


def test_what_ended_on_a_full_disk_is_stored_later_and_runs_once(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """The worker keeps the outcome until there is room; it says so once, and once that it works."""
    disk = mounted(size="64m")
    site = app_on(disk)
    web = site.web()
    job = begin_blocking(site, web)
    disk.fill()
    leave_no_room(site, web)
    (site.folder / "one.go").touch()
    wait_until(lambda: logged(web, "worker 1", "its disk is full"), "a worker that tries again")
    let_it_last(4)
    assert logged(web, "worker 1", "its disk is full", str(site.database), "make room") == 1
    assert logged(web, "supervisor:", "its disk is full") <= 1
    disk.make_room()
    assert web.run(f"autocron.result({job!r}).wait(10)") == "one"
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)
    wait_until(lambda: logged(web, "worker 1", "works again"), "the end of the outage")
    assert web.run("site.add(1).wait(60)") == 2
    assert logged(web, "worker 1", "works again") == logged(web, "worker 1", "disk is full") == 1


def test_a_reload_on_a_full_disk_does_not_run_a_job_twice(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """A worker that is to be replaced first stores what its last job has brought."""
    disk = mounted(size="64m")
    site = app_on(disk)
    web = site.web()
    job = begin_blocking(site, web)
    (site.folder / "site_app.py").write_text(
        (site.folder / "site_app.py").read_text() + "\n# new\n"
    )
    other = site.web()
    disk.fill()
    leave_no_room(site, web)
    (site.folder / "one.go").touch()
    wait_until(lambda: logged(web, "worker 1", "its disk is full"), "a worker that tries again")
    disk.make_room()
    assert other.run(f"autocron.result({job!r}).wait(10)") == "one"
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)


def test_a_small_disk_is_not_filled_by_a_log_that_might_be_needed(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """Where 8 MB are much, they are not taken before they are needed."""
    disk = mounted(size="10m")
    site = app_on(disk, check_interval=1)
    web = site.web()
    assert web.run("site.results_of([site.add(i).id for i in range(50)])") == 50
    assert Path(f"{site.database}-wal").stat().st_size < 2 * MIB
    assert disk.room > 7 * MIB


def test_a_log_that_cannot_grow_is_used_again(mounted: Callable[..., Disk]) -> None:
    """As long as the database itself needs no more room, a full disk keeps nobody from working."""
    disk = mounted(size="16m")
    path = disk.folder / "jobs.db"
    with closing(SqliteStore(path, turn=nullcontext())) as store:
        store.migrate()
        store.enqueue([NewJob(str(number), "t", "[[],{}]") for number in range(100)], 1.0)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        disk.fill(leave=MIB // 4)
        for _ in range(300):
            job = store.claim(1, 1.0)
            assert job is not None
            assert store.settle(job, Released(), 1.0).status == "WAITING"
        assert Path(f"{path}-wal").stat().st_size <= MIB // 4
        assert len(store.latest(200)) == 100


def test_a_process_that_starts_on_a_full_disk_goes_on_when_there_is_room(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """That the supervisor cannot be told of it is said once, and it is told later on."""
    disk = mounted(size="64m")
    site = app_on(disk)
    first = site.web()
    assert first.run("site.add(1).wait(30)") == 2
    before = (disk.folder / "site.db.autocron" / "orders.json").stat().st_ino
    disk.fill()
    web = site.web()
    wait_until(lambda: logged(web, "cannot be told of this process"), "that it says so")
    let_it_last(2)
    assert logged(web, "cannot be told of this process", "No space left") == 1
    disk.make_room()
    orders = disk.folder / "site.db.autocron" / "orders.json"
    wait_until(lambda: orders.stat().st_ino != before, "new orders")
    wait_until(lambda: logged(web, "has been told of this process"), "that it says so")
    assert not [
        path.name for path in orders.parent.iterdir() if path.name.startswith("orders.json.")
    ]


def test_a_supervisor_that_dies_on_a_full_disk_is_replaced(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """The next one has no room for its sockets: it says so once, and begins when there is some."""
    disk = mounted(size="64m", nr_inodes=200)
    site = app_on(disk)
    web = serving(site)
    files = disk.fill_with_files()
    site.kill_supervisor()
    wait_until(lambda: logged(web, "supervisor:", "No space left"), "that it says so")
    let_it_last(2)
    assert logged(web, "supervisor:", "No space left") == 1
    assert "Traceback" not in web.errors.read_text()
    for file in files:
        file.unlink()
    assert web.run("site.add(1).wait(30)") == 2
    assert logged(web, "supervisor:", "works again") == 1


def test_an_app_that_cannot_be_imported_on_a_full_disk_is_told_once(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """Also if there is no room to note that the traceback has been logged."""
    disk = mounted(size="64m", nr_inodes=200)
    site = app_on(disk)
    web = site.web()
    (worker,) = site.workers()
    files = disk.fill_with_files()
    (site.folder / "site_app.py").write_text("raise RuntimeError('it is broken')")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: logged(web, "cannot import the app either") >= 2, "two more attempts")
    assert (
        logged(web, "RuntimeError: it is broken") - logged(web, "cannot import the app either") == 1
    )
    for file in files:
        file.unlink()


def test_waiting_where_there_is_no_room_for_a_socket_raises(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """wait() tells its caller what is wrong, and can be called again later."""
    disk = mounted(size="64m", nr_inodes=200)
    site = app_on(disk, autostart=False)
    web = site.web()
    job = web.run("site.add(1).id")
    files = disk.fill_with_files()
    assert "no socket can be made (No space left" in web.run(f"site.error_of_wait({job!r}, 5)")
    for file in files:
        file.unlink()
    assert "WaitTimeout" in web.run(f"site.error_of_wait({job!r}, 0.1)")


# A disk that is read-only ---------------------------------------------------------------------


def test_a_start_on_a_read_only_disk_is_refused(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """The error names the file and what to do with its disk."""
    disk = mounted(size="64m")
    site = app_on(disk, autostart=False)
    job = site.web().run("site.add(1).id")
    site.clean_up()
    with disk.read_only():
        assert "its disk is mounted read-only, mount it to be written" in site.error_of_start()
    assert_whole(site)
    assert site.job(job)["state"] == 1


def test_processes_that_begin_on_a_read_only_disk_wait_for_a_better_one(
    mounted: Callable[..., Disk], app_on: Callable[..., Site]
) -> None:
    """The supervisor says once what is wrong; then it begins, and runs what was accepted before."""
    disk = mounted(size="64m")
    site = app_on(disk)
    web = site.web()
    job = begin_blocking(site, web)
    (worker,) = site.workers()
    with disk.read_only():
        site.kill_supervisor()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: logged(web, "supervisor:", "Read-only"), "that it says so")
        let_it_last(2)
        assert logged(web, "supervisor:", "Read-only file system") == 1
    (site.folder / "one.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert "Traceback" not in web.errors.read_text()


# A file that is gone --------------------------------------------------------------------------


def test_a_file_that_is_moved_away_and_put_back(broken_app: Callable[..., Site]) -> None:
    """Calls raise meanwhile and make no new file; workers wait, and lose and repeat nothing."""
    site = broken_app()
    web = site.web()
    job = begin_blocking(site, web)
    waiting = web.run("site.add(5).id")
    away = site.folder / "away.db"
    site.database.rename(away)
    for _ in range(3):
        error = web.run("site.error_of_call()")
        assert f"StoreError: {site.database}: the file is gone" in error
        assert "put it back, or restart the application to begin with a new one" in error
    (site.folder / "one.go").touch()
    wait_until(lambda: logged(web, "worker 1", "the file is gone"), "a worker that waits")
    let_it_last(2)
    assert not site.database.exists()
    assert logged(web, "worker 1", "the file is gone") == 1
    away.rename(site.database)
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert web.run(f"autocron.result({waiting!r}).wait(30)") == 6
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)
    assert_goes_on(site, web)


def test_calls_in_the_background_that_fail_are_told_once(broken_app: Callable[..., Site]) -> None:
    """Each of their callers can know, and the log has the first of them, and in the end how many."""
    site = broken_app(handover="background", autostart=False)
    web = site.web()
    assert web.run("site.error_of_storing(site.add(1))") is None
    away = site.folder / "away.db"
    site.database.rename(away)
    for _ in range(5):
        assert "the file is gone" in web.run("site.error_of_storing(site.add(1))")
    away.rename(site.database)
    assert web.run("site.error_of_storing(site.add(1))") is None
    wait_until(lambda: logged(web, "calls are stored again"), "the end of the outage")
    assert logged(web, "calls could not be stored", "the file is gone") == 1
    assert logged(web, "calls are stored again", "in which 5 could not be stored") == 1


def test_whoever_waits_while_the_file_is_gone_is_told_afterwards(
    broken_app: Callable[..., Site],
) -> None:
    """The thread that waits for all says once that it cannot look, and goes on looking."""
    site = broken_app(check_interval=1)
    web = site.web()
    job = begin_blocking(site, web)
    web.run(f"site.wait_in_background({job!r})")
    wait_until(lambda: site.query("SELECT 1 FROM autocron_jobs WHERE awaited"), "one who waits")
    away = site.folder / "away.db"
    site.database.rename(away)
    (site.folder / "one.go").touch()
    wait_until(lambda: logged(web, "waiting for jobs", "the file is gone"), "that it says so")
    web.run(f"site.be_told({job!r})")  # which wakes the thread
    before = seconds_of_work(web.pid)
    let_it_last(3)
    assert seconds_of_work(web.pid) - before < 1  # it sleeps in between
    assert logged(web, "waiting for jobs", "the file is gone") == 1
    away.rename(site.database)
    wait_until(lambda: set(web.run("site.waited")) == {"one", "told"}, "the result")
    assert logged(web, "waiting for jobs works again") == 1


def test_no_process_but_a_new_one_of_the_app_makes_a_new_file(app: Callable[..., Site]) -> None:
    """Neither a new supervisor nor a new worker does; after a restart there is one, for all."""
    site = app(MORE + SCHEDULED, check_interval=1)
    old = site.web()
    (worker,) = site.workers()
    for file in site.folder.glob("site.db*"):
        if file.is_file():
            file.unlink()
    assert "the file is gone" in old.run("site.error_of_call()")
    os.kill(worker, signal.SIGKILL)
    site.kill_supervisor()
    wait_until(lambda: logged(old, "supervisor:", "the file is gone"), "a supervisor that waits")
    let_it_last(1)
    assert not site.database.exists()
    new = site.web()
    assert new.run("site.add(1).wait(30)") == 2
    assert old.run("site.add(2).wait(30)") == 3  # which begins with the new one as well
    ticks = len(site.lines("ticks"))
    wait_until(lambda: len(site.lines("ticks")) > ticks + 1, "runs of the schedule")
    assert_whole(site)


# Another file in its place --------------------------------------------------------------------


def test_a_backup_that_is_put_in_place_is_gone_on_with(app: Callable[..., Site]) -> None:
    """Its jobs run, also one that was running when it was made; new ones do, and schedules go on."""
    site = app(MORE + SCHEDULED)
    web = site.web()
    wait_until(lambda: site.lines("ticks"), "the schedule's first run")
    running = begin_blocking(site, web)
    waiting = web.run("site.block('two').id")
    copy = copy_of(site)
    (site.folder / "two.go").touch()
    (site.folder / "one.go").touch()
    later = web.run("site.add(1).id")
    assert web.run(f"autocron.result({later!r}).wait(30)") == 2
    os.replace(copy, site.database)
    assert web.run("site.add(20).wait(30)") == 21
    assert web.run(f"autocron.result({running!r}).wait(30)") == "one"
    assert web.run(f"autocron.result({waiting!r}).wait(30)") == "two"
    assert len(site.lines("one")) == len(site.lines("two")) == 2
    assert site.query("SELECT 1 FROM autocron_jobs WHERE id = ?", later) == []
    ticks = len(site.lines("ticks"))
    wait_until(lambda: len(site.lines("ticks")) > ticks + 2, "more runs of the schedule")
    assert logged(web, "is another file than before") >= 1
    assert_whole(site)


def test_the_log_of_the_file_before_is_kept_and_not_taken_for_that_of_the_new_one(
    broken_app: Callable[..., Site],
) -> None:
    """Put beside its own database it has all jobs that had been accepted."""
    site = broken_app(autostart=False)
    web = site.web()
    first = web.run("site.add(1).id")
    copy = copy_of(site)
    second = web.run("site.add(2).id")
    moved = site.folder / "moved.db"
    site.database.rename(moved)
    copy.rename(site.database)
    third = web.run("site.add(3).id")
    assert {row[0] for row in site.query("SELECT id FROM autocron_jobs")} == {first, third}
    assert_whole(site)
    (kept,) = site.folder.glob("site.db-wal.old-*")
    assert logged(web, "is kept as", str(kept)) == 1
    kept.rename(f"{moved}-wal")
    site.database = moved
    assert {row[0] for row in site.query("SELECT id FROM autocron_jobs")} == {first, second}
    assert_whole(site)


def test_a_file_that_cannot_be_used_is_refused_until_a_better_one_comes(
    broken_app: Callable[..., Site],
) -> None:
    """One of a newer autocron and one that is no database: calls raise, processes wait."""
    site = broken_app(check_interval=1)
    web = serving(site)
    good, newer, text = copy_of(site), copy_of(site, "newer.db"), site.folder / "text"
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version=99")
    os.replace(newer, site.database)
    assert "NewerSchema" in web.run("site.error_of_call()")
    wait_until(lambda: logged(web, "has schema version 99"), "that processes say so")
    text.write_bytes(b"hello" * 1000)
    os.replace(text, site.database)
    assert "is not an SQLite database" in web.run("site.error_of_call()")
    wait_until(lambda: logged(web, "supervisor:", "is not an SQLite database"), "that they say so")
    os.replace(good, site.database)
    assert_goes_on(site, web)
    assert "Traceback" not in web.errors.read_text()


# A file that is damaged -----------------------------------------------------------------------


def test_a_file_that_is_cut_off_is_told_once_until_a_backup_is_there(
    broken_app: Callable[..., Site],
) -> None:
    """Calls raise and name the remedy, processes wait, and all go on with the backup."""
    site = broken_app(check_interval=1)
    web = site.web()
    web.run("site.results_of([site.add(i).id for i in range(50)])")
    copy = copy_of(site)
    site.query("PRAGMA wal_checkpoint(TRUNCATE)")
    os.truncate(site.database, 4096)
    error = wait_until(lambda: web.run("site.error_of_call()"), "a call that raises")
    assert "is damaged" in error
    assert "stop the application and restore a backup" in error
    assert ".recover" in error
    wait_until(lambda: logged(web, "is damaged"), "that the processes say so")
    let_it_last(2)
    for who in ("worker 1:", "supervisor:"):
        assert logged(web, who, "is damaged") <= 1
    os.replace(copy, site.database)
    assert_goes_on(site, web)


def test_a_file_that_is_emptied_does_not_become_a_new_database(
    broken_app: Callable[..., Site],
) -> None:
    """Neither in the processes that use it, nor at a start as long as it has a log."""
    site = broken_app(check_interval=1)
    web = serving(site)
    copy = copy_of(site)
    with closing(sqlite3.connect(site.database)) as other:  # or the last of them removes the log
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        os.truncate(site.database, 0)
        assert "has been emptied" in web.run("site.error_of_call()")
        assert "has been emptied" in site.error_of_start()
    wait_until(lambda: logged(web, "supervisor:", "has been emptied"), "that it says so")
    assert site.database.stat().st_size == 0
    os.replace(copy, site.database)
    assert_goes_on(site, web)


def test_what_the_log_still_has_of_an_emptied_file_is_not_lost(
    broken_app: Callable[..., Site],
) -> None:
    """When all have let go of a file that is younger than its log, it has its content again."""
    site = broken_app(check_interval=1)
    web = site.web()
    job = begin_blocking(site, web)
    ids = [web.run("site.add(1).id") for _ in range(5)]
    os.truncate(site.database, 0)
    assert "has been emptied" in web.run("site.error_of_call()")
    (site.folder / "one.go").touch()
    wait_until(lambda: web.run("site.error_of_call()") is None, "a call that is stored")
    assert web.run(f"site.results_of({[*ids, job]!r})") == 6
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)
    assert_whole(site)


def test_a_log_that_is_deleted_alone_takes_no_job_with_it(broken_app: Callable[..., Site]) -> None:
    """Calls raise instead of being written to it; what it had is in the database, and all goes on."""
    site = broken_app(autostart=False)
    web = site.web()
    ids = [web.run("site.add(1).id") for _ in range(5)]
    Path(f"{site.database}-wal").unlink()
    assert "site.db-wal or site.db-shm, which are parts of it, were deleted" in web.run(
        "site.error_of_call()"
    )
    ids.append(web.run("site.add(1).id"))
    assert {row[0] for row in site.query("SELECT id FROM autocron_jobs")} >= set(ids)
    assert_whole(site)


def test_a_log_that_is_deleted_while_workers_use_it(broken_app: Callable[..., Site]) -> None:
    """Nobody begins another one beside them; when all have let go, they go on together."""
    site = broken_app(check_interval=1)
    web = site.web()
    ids = [web.run("site.add(1).id") for _ in range(5)]
    job = begin_blocking(site, web)
    Path(f"{site.database}-wal").unlink()
    assert "were deleted" in web.run("site.error_of_call()")
    (site.folder / "one.go").touch()
    wait_until(lambda: web.run("site.error_of_call()") is None, "a call that is stored")
    assert web.run(f"site.results_of({[*ids, job]!r})") == 6
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)
    assert_whole(site)


# A lock of somebody else ----------------------------------------------------------------------


def test_a_foreign_lock_that_lasts_longer_than_anybody_waits(
    broken_app: Callable[..., Site],
) -> None:
    """A call within `busy_timeout` is stored, one beyond it raises; workers go on after it, and say so once."""
    site = broken_app(busy_timeout=1.0)
    web = site.web()
    job = begin_blocking(site, web)
    with site.locked():
        (site.folder / "one.go").touch()
        assert "StoreBusy" in web.run("site.error_of_call()")
        wait_until(lambda: logged(web, "worker 1", "was locked by another"), "a worker that waits")
        let_it_last(3)
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert (len(site.lines("one")), site.job(job)["attempt"]) == (1, 1)
    assert logged(web, "worker 1", "was locked by another program") == 1
    wait_until(lambda: logged(web, "worker 1", "works again"), "the end of the outage")


def test_a_call_waits_for_a_foreign_lock_of_half_a_minute(broken_app: Callable[..., Site]) -> None:
    """With `busy_timeout` beyond it nothing raises, nothing is lost and nothing is logged."""
    site = broken_app(busy_timeout=60.0)
    web = site.web()
    job = begin_blocking(site, web)
    with site.locked():
        began = time.monotonic()
        assert web.process.stdin is not None
        web.process.stdin.write("site.add(1).id\n")
        web.process.stdin.flush()
        (site.folder / "one.go").touch()
        let_it_last(31)
    waited_for = web._read()[1]
    assert time.monotonic() - began > 30
    assert web.run(f"site.results_of({[job, waited_for]!r})") == 2
    assert len(site.lines("one")) == 1
    assert logged(web, "locked") == 0
