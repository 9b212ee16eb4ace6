"""What is special to gunicorn: recycling, and a new binary beside the old one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_harness import DATABASE, Serve, Site, edit, kill, processes_of_group

from autocron.testing.processes import Project, wait_until

# In the background, since WINCH is ignored otherwise; and as a program, since gunicorn starts itself anew
# by the path of its file. What started it stays, so that there is somebody to be waited for.
DAEMON = (
    "-c 'import signal, subprocess, sys; subprocess.run(sys.argv[1:], check=True); signal.pause()'"
    f" {sys.executable} {Path(sys.executable).with_name('gunicorn')}"
    " --bind 127.0.0.1:{port} --workers 2 --daemon --enable-stdio-inheritance --pid gunicorn.pid"
)


@pytest.mark.parametrize("name", ["gunicorn", "gunicorn-gthread", "gunicorn-preload"])
def test_recycling_does_not_touch_the_workers(serve: Serve, name: str) -> None:
    """With --max-requests each web process ends after a few calls; every call has its run by the same workers."""
    site = serve(name, "--max-requests 2 --max-requests-jitter 6")
    for _ in range(5):
        site.call_until_recycled(2)
    site.end()
    site.wait_for_end_of_workers()


def test_a_job_goes_on_while_all_web_processes_are_recycled(project: Project, serve: Serve) -> None:
    """The one that has started everything is gone, and at moments there is none; each call has its run."""
    project.environ["PATIENCE"] = "60"
    site = serve("gunicorn", "--max-requests 1")
    job = site.begin_blocking("one")
    for number in range(12):
        assert site.call("echo", str(number)) == str(number)
    site.unblock("one")
    assert site.ended(job).result == '"one"'
    assert len(site.lines("one")) == 1


class Upgrade:
    """A gunicorn in the background, and a new binary beside it, with new code."""

    def __init__(self, project: Project, options: str) -> None:
        self.site = Site.of(project, f"{DAEMON} {options} application:application", DATABASE)
        self.old = int((project.folder / "gunicorn.pid").read_text())
        self.group = os.getpgid(self.old)
        assert self.site.call("echo", "new") == "new"
        edit(project)
        os.kill(self.old, signal.SIGUSR2)
        pid = project.folder / "gunicorn.pid.2"
        wait_until(lambda: pid.exists() and pid.read_text(), or_show=self.site.show)
        self.new = int(pid.read_text())
        self.wait_for_processes(6)
        wait_until(self.site.runs_new_code, or_show=self.site.show)

    def wait_for_processes(self, count: int) -> None:
        """Wait until so many are left of the two masters with two web processes each."""
        wait_until(lambda: len(processes_of_group(self.group)) == count, or_show=self.site.show)

    def finish(self, *masters: int) -> None:
        """End what serves, and see that nothing is left."""
        self.site.generation()
        for master in masters:
            os.kill(master, signal.SIGTERM)
        self.wait_for_processes(0)
        self.site.wait_for_end_of_workers()


@pytest.fixture
def upgrade(project: Project) -> Iterator[Callable[[str], Upgrade]]:
    """A function that makes an upgrade; nothing of it is left at the end."""
    made = []

    def make(options: str) -> Upgrade:
        made.append(Upgrade(project, options))
        return made[-1]

    yield make
    pid = project.folder / "gunicorn.pid"
    for group in {upgrade.group for upgrade in made} or {os.getpgid(int(pid.read_text()))}:
        kill(processes_of_group(group))


@pytest.mark.parametrize("options", ["", "--preload"], ids=["import", "preload"])
def test_a_new_binary_takes_over(upgrade: Callable[[str], Upgrade], options: str) -> None:
    """USR2, then WINCH and TERM to the old one: each call has its run, and one generation is left."""
    change = upgrade(options)
    os.kill(change.old, signal.SIGWINCH)
    change.wait_for_processes(4)
    assert change.site.call("echo", "new") == "NEW"
    os.kill(change.old, signal.SIGTERM)
    change.wait_for_processes(3)
    assert {change.site.call("echo", "new") for _ in range(10)} == {"NEW"}
    change.finish(change.new)


def test_a_new_binary_may_be_given_up(upgrade: Callable[[str], Upgrade]) -> None:
    """HUP brings back the old one's web processes, and the new one is ended: calls have their runs."""
    change = upgrade("")
    os.kill(change.old, signal.SIGWINCH)
    change.wait_for_processes(4)
    os.kill(change.old, signal.SIGHUP)
    change.wait_for_processes(6)
    os.kill(change.new, signal.SIGTERM)
    change.wait_for_processes(3)
    assert {change.site.call("echo", "new") for _ in range(10)} == {"NEW"}
    change.finish(change.old)
