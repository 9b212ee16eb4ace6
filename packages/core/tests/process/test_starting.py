"""Who starts whom, and that all of it ends with the application."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from process_harness import Site, is_alive, wait_until

import autocron


def test_a_job_runs_in_a_worker_process(app: Callable[..., Site]) -> None:
    """A call returns a handle at once, and a worker process runs the function."""
    site = app(workers=1)
    web = site.web()
    ran_in = web.run("site.pid().wait(30)")
    assert ran_in != web.pid
    assert site.workers() == {ran_in}


@pytest.mark.parametrize(
    "how", [None, signal.SIGTERM, signal.SIGKILL], ids=["exit", "TERM", "KILL"]
)
def test_everything_ends_with_the_last_web_process(
    app: Callable[..., Site], how: int | None
) -> None:
    """However the application ends, supervisor and workers are gone soon after."""
    site = app(workers=2)
    web = site.web()
    site.workers(2)
    web.end(how)
    wait_until(site.is_empty, "the end of supervisor and workers", 10)


def test_stop_ends_the_workers_while_the_process_goes_on(app: Callable[..., Site]) -> None:
    """After stop() no process is left, and start() brings them back."""
    site = app()
    web = site.web()
    site.workers()
    web.run("autocron.stop()")
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    web.run("autocron.start('site.db')")
    assert web.run("site.add(1).wait(30)") == 2


def test_many_web_processes_have_one_supervisor(app: Callable[..., Site]) -> None:
    """Of processes that start at the same time, one starts the supervisor."""
    site = app(workers=2)
    webs = [site.web() for _ in range(4)]
    assert [web.run("site.add(1).wait(30)") for web in webs] == [2] * 4
    site.supervisor()
    site.workers(2)


def test_no_web_process_owns_the_workers(app: Callable[..., Site]) -> None:
    """The process that started the supervisor may end; the workers stay for the others."""
    site = app()
    first = site.web()
    supervisor, workers = site.supervisor(), site.workers()
    second = site.web()
    first.end(signal.SIGKILL)
    assert second.run("site.pid().wait(30)") in workers
    assert (site.supervisor(), site.workers()) == (supervisor, workers)
    second.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)


def test_a_killed_supervisor_is_replaced(app: Callable[..., Site]) -> None:
    """Another supervisor takes over, with new workers; the old ones end, and no job is lost."""
    site = app(workers=2)
    webs = [site.web() for _ in range(2)]
    old_supervisor, old_workers = site.supervisor(), site.workers(2)
    assert site.kill_supervisor() != old_supervisor
    wait_until(lambda: not any(map(is_alive, old_workers)), "the end of the old workers")
    assert [web.run("site.add(1).wait(30)") for web in webs] == [2, 2]


CONFIGURED = """
import os, sys, time
import autocron

@autocron.delay
def add(a, b=1):
    return a + b

@autocron.delay
def block():
    while not os.path.exists("go"):
        time.sleep(0.01)
    return os.getpid()

autocron.start("site.db", **eval(os.environ["SETTINGS"]))
"""


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05, 0.1, 0.3])
def test_the_settings_of_the_newest_process_count(site: Site, pause: float) -> None:
    """Also if it comes while the first one's supervisor is only just starting."""
    site.write(CONFIGURED)
    site.web(SETTINGS="dict(workers=1)")
    time.sleep(pause)  # not to wait for something, but to come at different moments of the start
    site.web(SETTINGS="dict(workers=2)")
    assert len(site.workers(2)) == 2


def test_a_change_of_settings_lets_a_job_finish(site: Site) -> None:
    """Its worker is replaced when the job has ended, however long that takes."""
    site.write(CONFIGURED)
    web = site.web(SETTINGS="dict(shutdown_timeout=0.1)")
    (worker,) = site.workers(1)
    job = web.run("site.block().id")
    site.wait_for_state(job, 2)
    other = site.web(SETTINGS="dict(shutdown_timeout=0.2)")
    assert other.run("site.add(1).wait(30)") == 2  # by a new worker
    assert site.job(job)["state"] == 2
    (site.folder / "go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == worker
    assert site.job(job)["attempt"] == 1
    wait_until(lambda: not is_alive(worker), "the end of the old worker")


def test_a_long_command_line_is_no_hindrance(site: Site) -> None:
    """A script that was given thousands of files may import the application."""
    site.write(f"import sys\nsys.argv += ['x' * 100] * 5000\n{CONFIGURED}")
    webs = [site.web(SETTINGS="{}") for _ in range(2)]
    assert [web.run("site.add(1).wait(30)") for web in webs] == [2, 2]
    supervisor, workers = site.supervisor(), site.workers(1)
    site.web(SETTINGS="{}").end()
    assert webs[0].run("site.add(1).wait(30)") == 2
    assert (site.supervisor(), site.workers(1)) == (supervisor, workers)


def test_the_supervisor_imports_no_code_of_the_app(app: Callable[..., Site]) -> None:
    """Only web process and workers import the application."""
    site = app("note('imported', os.getpid())")
    web = site.web()
    web.run("site.add(1).wait(30)")
    imported = {int(line) for line in site.lines("imported")}
    assert imported == {web.pid, *site.workers()}


def test_a_module_of_the_app_cannot_shadow_the_standard_library_in_the_supervisor(
    app: Callable[..., Site],
) -> None:
    """A `queue.py` beside the application does not keep the supervisor from running."""
    site = app()
    (site.folder / "selectors.py").write_text("raise RuntimeError('shadowed')")
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2


def test_a_backport_beside_autocron_does_not_shadow_the_standard_library(tmp_path: Path) -> None:
    """The supervisor imports its own package from where it lies, and nothing else from there."""
    shutil.copytree(Path(autocron.__file__).parent, tmp_path / "autocron")
    (tmp_path / "dataclasses.py").write_text("raise RuntimeError('shadowed')")
    (tmp_path / "autocron" / "selectors.py").write_text("raise RuntimeError('shadowed')")
    ended = subprocess.run(
        [sys.executable, tmp_path / "autocron" / "boot.py", "supervisor", tmp_path / "site.db"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "shadowed" not in ended.stderr
    assert "orders.json" in ended.stderr  # which nobody has given it


def test_all_of_many_idle_workers_are_woken(app: Callable[..., Site]) -> None:
    """Also if the queue of the socket that they wait on is shorter than there are workers."""
    site = app(workers=14, check_interval=60)
    web = site.web()
    site.workers(14)
    web.run("[r.wait(30) for r in site.add.enqueue_many([(1,)] * 100)] and 1")
    web.run("len(site.block.enqueue_many([('one',)] * 14))")
    wait_until(lambda: len(site.lines("one")) == 14, "all jobs at the same time", 20)
    (site.folder / "one.go").touch()


def test_a_fork_of_a_started_process_hands_over(app: Callable[..., Site]) -> None:
    """A child that was forked after start(), as with gunicorn --preload, stores its jobs as well."""
    site = app(
        """
        def call_in_child():
            reading, writing = os.pipe()
            if os.fork() == 0:
                os.write(writing, add(20, 22).id.encode())
                os._exit(0)
            os.wait()
            return os.read(reading, 100).decode()
        """
    )
    web = site.web()
    web.run("site.add(1).wait(30)")
    job = web.run("site.call_in_child()")
    assert web.run(f"autocron.result({job!r}).wait(30)") == 42


def test_a_forked_child_that_stays_does_not_keep_the_workers(app: Callable[..., Site]) -> None:
    """A child process of the application that never uses autocron does not count as one of it."""
    site = app(
        """
        def fork():
            child = os.fork()
            if child == 0:
                os.close(1)
                time.sleep(600)
                os._exit(0)
            return child
        """
    )
    web = site.web()
    site.workers()
    child = web.run("site.fork()")
    try:
        web.end(signal.SIGKILL)
        wait_until(site.is_empty, "the end of supervisor and workers", 10)
        assert is_alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_files_are_the_owners_alone(site: Site, umask: int) -> None:
    """Database, log, locks, sockets and their folder can be used by their owner only."""
    site.write(
        f"""
        import os
        os.umask({umask})
        import autocron
        @autocron.delay
        def one(): return 1
        autocron.start("site.db")
        """
    )
    site.web().run("site.one().wait(30)")
    files = [path for path in site.folder.rglob("*") if "site.db" in str(path)]
    assert len(files) > 8
    for path in files:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == expected, path


def test_the_host_is_left_alone(app: Callable[..., Site]) -> None:
    """start() changes no signal handler, logging, directory or environment of its process."""
    site = app(autostart=False)
    code = """
        import logging, os, signal, sys
        def state():
            return (
                [signal.getsignal(number) for number in signal.valid_signals()],
                logging.getLogger().handlers[:], logging.getLogger("autocron").handlers[:],
                os.getcwd(), dict(os.environ), sys.path[:], signal.pthread_sigmask(0, []),
            )
        before = state()
        import autocron
        assert state() == before
        autocron.start("host.db")
        @autocron.delay
        def one(): return 1
        same = state() == before
    """
    site.write(code, "host")
    assert site.web("host").run("site.same") is True


def open_files(pid: int) -> list[str]:
    """Return what the file descriptors of a process lead to, of those that it keeps open."""
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            links.append(os.readlink(path))
    return links


def test_workers_inherit_nothing_of_the_web_process(app: Callable[..., Site]) -> None:
    """Sockets and files that the web process has open, also inheritable ones, stay with it."""
    site = app(
        """
        import socket
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        os.set_inheritable(listener.fileno(), True)
        inode = os.fstat(listener.fileno()).st_ino
        """
    )
    web = site.web()
    web.run("site.add(1).wait(30)")
    inode = web.run("site.inode")
    for pid in site.workers() | {site.supervisor()}:
        links = open_files(pid)
        assert f"socket:[{inode}]" not in links
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    """A database may lie deeper than the address of a Unix socket is long."""
    folder = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 6)
    folder.mkdir(parents=True)
    site = Site(folder)
    site.write(
        """
        import autocron
        @autocron.delay
        def one(): return 1
        autocron.start("site.db")
        """
    )
    try:
        assert site.web().run("site.one().wait(30)") == 1
    finally:
        site.clean_up()


@pytest.mark.parametrize("command", [["program.py"], ["-m", "program"]], ids=["file", "module"])
def test_tasks_of_a_main_module_work(site: Site, command: list[str]) -> None:
    """A program that is run as a file or with -m can have its tasks in itself."""
    site.write(
        """
        import os, sys
        import autocron

        @autocron.delay
        def where(): return [os.getpid(), __name__, sys.argv[1:]]

        autocron.start("site.db")

        if __name__ == "__main__":
            pid, name, arguments = where().wait(30)
            assert pid != os.getpid()
            assert name == "__mp_main__", name
            assert arguments == ["--flag"], arguments
            print(where.name)
        """,
        "program",
    )
    done = subprocess.run(
        [sys.executable, *command, "--flag"],
        cwd=site.folder,
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "program.where\n"
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
