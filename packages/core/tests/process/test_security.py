"""Who can read, reach and replace what autocron has: its files, sockets and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from process_harness import Site, wait_until

NOBODY = 65534


def all_processes(site: Site) -> set[int]:
    """Wait until the supervisor and a worker run, and return their ids."""
    return site.workers() | {site.supervisor()}


# What is refused ------------------------------------------------------------------------------


def test_a_database_that_is_a_symbolic_link_is_refused(app: Callable[..., Site]) -> None:
    """The error names what it leads to; nothing is made there or here."""
    site = app()
    target = site.folder / "elsewhere" / "real.db"
    target.parent.mkdir()
    site.database.symlink_to(target)
    assert f"is a symbolic link, which may be led elsewhere: name the file itself, {target}" in (
        site.error_of_start()
    )
    assert list(target.parent.iterdir()) == []
    assert not (site.folder / "site.db.autocron").exists()


def test_a_folder_may_be_reached_by_a_link(app: Callable[..., Site]) -> None:
    """Then database and run-time files are those of the folder, by whatever name it is reached."""
    site = app()
    (site.folder / "real").mkdir()
    (site.folder / "link").symlink_to("real")
    code = (site.folder / "site_app.py").read_text()
    site.write(code.replace("site.db", "link/site.db"), "by_link")
    site.write(code.replace("site.db", "real/site.db"), "by_name")
    webs = [site.web("by_link"), site.web("by_name")]
    assert [web.run("autocron.result(site.pid().id).wait(30) and 1") for web in webs] == [1, 1]
    assert len(site.processes("supervisor")) == 1


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_a_database_that_is_no_regular_file_is_refused(app: Callable[..., Site], kind: str) -> None:
    """And nobody waits for the other end of a FIFO."""
    site = app()
    make_special(site.database, kind)
    assert "name a regular file" in site.error_of_start()


def test_a_database_of_another_user_is_refused(app: Callable[..., Site]) -> None:
    """Also for root, which could write to it: the error says whose it is."""
    site = app(autostart=False)
    site.web().run("site.add(1).id")
    site.clean_up()
    os.chown(site.database, NOBODY, -1)
    words = site.error_of_start()
    assert "belongs to the user nobody, and this process runs as root" in words


@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=oct)
def test_a_folder_that_everybody_may_write_to_is_refused(
    app: Callable[..., Site], mode: int
) -> None:
    """With the sticky bit as well, as /tmp has it: the error tells how to make a better one."""
    site = app()
    site.folder.chmod(mode)
    words = site.error_of_start()
    assert f"everybody may write to {site.folder}" in words
    assert f"mkdir -m 700 {site.folder}/NAME" in words
    assert f"chmod o-w {site.folder}" in words
    assert not list(site.folder.glob("site.db*"))


def test_a_folder_whose_parent_everybody_may_write_to_is_refused(app: Callable[..., Site]) -> None:
    """Unless that is sticky, so that nobody can rename the folders of others."""
    site = app(autostart=False)
    parent = site.folder / "parent"
    (parent / "own").mkdir(parents=True)
    code = (site.folder / "site_app.py").read_text()
    site.write(code.replace("site.db", "parent/own/site.db"))
    parent.chmod(0o777)
    assert f"everybody may write to {parent}" in site.error_of_start()
    parent.chmod(0o1777)
    assert site.web().run("site.add(1).id")


@pytest.mark.parametrize("name", ["site.db-wal", "site.db-shm"])
def test_a_log_that_is_a_link_is_refused(app: Callable[..., Site], name: str) -> None:
    """What it leads to stays as it is."""
    site = app()
    victim = site.folder / "victim"
    victim.write_text("precious")
    (site.folder / "site.db").touch(0o600)
    (site.folder / name).symlink_to(victim)
    assert f"{name}: is no regular file" in site.error_of_start()
    assert victim.read_text() == "precious"


def make_special(path: Path, kind: str, victim: Path | None = None) -> None:
    """Put something else in the place of a file."""
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "socket":
        os.mknod(path, 0o600 | 0o140000)
    elif kind == "directory":
        path.mkdir()
    elif victim is not None and kind == "symbolic link":
        path.symlink_to(victim)
    elif victim is not None and kind == "hard link":
        os.link(victim, path)
    else:
        path.touch()
        os.chown(path, NOBODY, -1)


KINDS = ["symbolic link", "hard link", "fifo", "directory", "of another user"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["apps.lock", "callers.lock", "orders.json", "supervisor.sock"])
def test_what_is_planted_among_the_run_time_files_is_refused(
    app: Callable[..., Site], name: str, kind: str
) -> None:
    """Links, FIFOs, directories and files of others: the start says which, and touches no victim."""
    site = app()
    victim = site.folder / "victim"
    victim.write_text("precious")
    victim.chmod(0o644)
    folder = site.folder / "site.db.autocron"
    folder.mkdir(0o700)
    make_special(folder / name, kind, victim)
    words = site.error_of_start()
    assert f"{folder / name}: " in words
    assert "was not made by autocron: remove it" in words
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("precious", 0o644)


@pytest.mark.parametrize("kind", ["symbolic link", "of another user", "file"])
def test_a_run_time_folder_of_somebody_else_is_refused(app: Callable[..., Site], kind: str) -> None:
    """Whether it is one of another user, a link to a folder, or no folder at all."""
    site = app()
    folder = site.folder / "site.db.autocron"
    if kind == "symbolic link":
        (site.folder / "elsewhere").mkdir(0o700)
        folder.symlink_to("elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir(0o700)
        os.chown(folder, NOBODY, -1)
    assert "is not a folder of yours" in site.error_of_start()


def test_a_link_that_is_planted_later_is_not_followed(app: Callable[..., Site]) -> None:
    """A worker's lock that leads elsewhere keeps that worker from starting, and touches nothing."""
    site = app(workers=1)
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    victim = site.folder / "victim"
    victim.write_text("precious")
    victim.chmod(0o644)
    for number in (1, 2):
        lock = site.folder / "site.db.autocron" / f"worker-{number}.lock"
        make_special(lock, "symbolic link", victim)
    (worker,) = site.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "is a symbolic link" in web.errors.read_text(), "that it says so")
    assert (victim.read_text(), victim.stat().st_mode & 0o777) == ("precious", 0o644)


def command(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the admin tool on the site's database."""
    return subprocess.run(
        [sys.executable, "-m", "autocron", "--database", str(site.database), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_root_may_use_the_admin_tool_on_the_database_of_another_user(
    app: Callable[..., Site],
) -> None:
    """It makes nothing that the user could not use afterwards, and follows no link either."""
    site = app()
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers")
    for path in [*site.folder.glob("site.db*"), *site.folder.glob("site.db.autocron/*")]:
        os.chown(path, NOBODY, NOBODY)
    assert "supervisor      not running" in command(site, "status").stdout
    assert command(site, "set", "workers", "2").returncode == 0
    owners = {path.stat().st_uid for path in site.folder.rglob("site.db*")}
    assert owners == {NOBODY}
    real = site.folder / "real.db"
    site.database.rename(real)
    site.database.symlink_to(real)
    refused = command(site, "status")
    assert refused.returncode == 1
    assert f"name the file itself, {real}" in refused.stderr


# What others can see --------------------------------------------------------------------------


def test_no_port_is_opened(app: Callable[..., Site]) -> None:
    """No process of autocron has a socket of the network, and start() gives the web process none."""
    site = app(workers=2)
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    for pid in {*site.workers(2), site.supervisor(), web.pid}:
        assert sockets_of(pid) & network_sockets(pid) == set()
        assert sockets_of(pid), "it has those that it is woken by"


def sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            kind, _, inode = os.readlink(path).partition(":")
            if kind == "socket":
                found.add(inode.strip("[]"))
    return found


def network_sockets(pid: int) -> set[str]:
    """Return the inodes of all sockets of the network that the kernel knows."""
    return {
        line.split()[9]
        for name in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    }


def test_secrets_are_in_no_command_line_and_no_environment(app: Callable[..., Site]) -> None:
    """Neither the app's, nor arguments of calls; what it took out of its environment is out."""
    site = app(
        """
        PASSWORD = "hushhush-" + "of-the-app"
        sys.argv.append(PASSWORD)
        os.environ.pop("TAKEN_OUT", None)
        """
    )
    web = site.web(TAKEN_OUT="hushhush-that-was-taken-out", STAYS="hushhush-that-stays")
    assert web.run("site.add('hushhush-', 'argument').wait(30)") == "hushhush-argument"
    for pid in all_processes(site):
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"hushhush" not in line
        assert environment.count(b"hushhush") == 1  # what the app has left there for its children
        assert b"STAYS=hushhush-that-stays" in environment
    names = set(dict(line.split("=", 1) for line in environment_of(site.supervisor())))
    assert names <= set(os.environ) | {"STAYS", "LC_CTYPE"}


def environment_of(pid: int) -> list[str]:
    """Return the environment of a process, as it began."""
    return Path(f"/proc/{pid}/environ").read_text().strip("\0").split("\0")


# What reaches the workers ---------------------------------------------------------------------


LEADS = """
if "LEADS" in os.environ and os.getsid(0) != os.getpid():
    os.setpgid(0, 0)  # before it starts anything
    for number in (signal.SIGINT, signal.SIGQUIT):  # a shell that runs the tests in the background ignores them
        signal.signal(number, signal.SIG_DFL)
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1]
)
def test_signals_to_the_group_of_the_web_process_do_not_reach_the_workers(
    app: Callable[..., Site], number: int
) -> None:
    """Whatever a terminal or a server sends to all of its own, also to those that started them."""
    site = app(LEADS)
    leader = site.web(LEADS="1")
    assert leader.run("site.add(1).wait(30)") == 2
    processes = all_processes(site)
    stays = site.web(LEADS="1")
    os.killpg(leader.pid, number)
    assert leader.process.wait(30) != 0
    assert stays.run("site.pid().wait(30)") in processes
    assert all_processes(site) == processes


def test_input_and_open_files_of_the_web_process_stay_with_it(app: Callable[..., Site]) -> None:
    """Of its descriptors, also inheritable ones, the workers have its output and nothing else."""
    site = app(
        """
        import socket, tempfile
        kept = [socket.socketpair()[0], socket.socket(), tempfile.TemporaryFile()]
        kept += [open(fd, closefd=False) for fd in os.pipe()[:1]]
        for each in kept:
            os.set_inheritable(each.fileno(), True)

        def held():
            return [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                    if os.path.lexists(f"/proc/self/fd/{fd}") and int(fd) not in (1, 2)]
        """
    )
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    shared = {"/dev/null", str(site.database)}
    of_web = {link for link in web.run("site.held()") if "site.db" not in link} - shared
    assert any(link.startswith("socket:") for link in of_web)
    output = {os.readlink(f"/proc/{web.pid}/fd/{fd}") for fd in (1, 2)}
    for pid in all_processes(site):
        links = set()
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                links.add(os.readlink(path))
        assert links & (of_web - output) == set()
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
