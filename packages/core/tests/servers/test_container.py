"""A server that is process 1 of a container: the kernel kills all others as soon as it has ended."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
from server_harness import DATABASE, SERVERS, Serve, Site

from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held
from autocron.testing.processes import Project, wait_until

UNSHARE = "unshare --user --map-root-user --pid --fork --mount-proc --kill-child"


def contain(project: Project, name: str) -> tuple[Site, int]:
    """Serve in a process namespace of its own; return the site, and the id of process 1 as seen from here."""
    run = f"-c 'import os, sys; os.execvp(sys.argv[1], sys.argv[1:])' {UNSHARE}"
    command = f"{run} {sys.executable} {SERVERS[name].command}"
    site = Site.of(project, command, DATABASE)
    children = Path(f"/proc/{site.server.pid}/task/{site.server.pid}/children").read_text().split()
    first = int(children[0])
    assert Path(f"/proc/{first}/status").read_text().partition("\nNSpid:")[2].split()[1] == "1"
    return site, first


# The kernel spares process 1 what it has no handler for, as waitress for SIGTERM.
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gunicorn", signal.SIGTERM),
        ("gunicorn", signal.SIGINT),
        ("gunicorn", signal.SIGKILL),
        ("uwsgi", signal.SIGTERM),
        ("waitress", signal.SIGINT),
        ("uvicorn", signal.SIGTERM),
    ],
    ids=str,
)
def test_nothing_is_left_and_the_next_start_runs_the_rest(
    project: Project, serve: Serve, name: str, number: signal.Signals
) -> None:
    """What was running begins anew, and what was waiting runs, in another container or outside."""
    site, first = contain(project, name)
    assert site.call("echo", "inside") == "inside"
    site.generation()
    jobs = [site.begin_blocking("one"), site.begin_blocking("two"), site.hand_over("echo", "three")]
    os.kill(first, number)
    wait_until(lambda: not site.web_processes, or_show=site.show)
    site.wait_for_end_of_workers()
    site.unblock("one")
    site.unblock("two")
    following = serve(name)
    assert [following.ended(job).result for job in jobs] == ['"one"', '"two"', '"three"']


JOBS = """
import pathlib, time
import autocron

@autocron.delay
def block():
    pathlib.Path("begun").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)

autocron.start("jobs.db", autostart=False, shutdown_timeout=20)
"""


def test_workers_without_a_web_process_finish_their_jobs(project: Project) -> None:
    """`autocron run` as process 1 ends when they have, so that the kernel cuts nothing off."""
    project.write("jobs_app.py", JOBS)
    run = f"-c 'import os, sys; os.execvp(sys.argv[1], sys.argv[1:])' {UNSHARE}"
    command = f"{run} {sys.executable} -m autocron run --app jobs_app"
    container = project.start(*shlex.split(command))
    wait_until(lambda: "Ctrl-C ends it" in container.output, or_show=lambda: container.output)
    assert "(pid 1)" in container.output
    project.run("-c", "import jobs_app; jobs_app.block()")
    wait_until((project.folder / "begun").exists, or_show=lambda: container.output)
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    folder = RuntimeFolder.of(project.folder / "jobs.db")
    wait_until(lambda: not is_held(folder.apps_lock), or_show=lambda: container.output)
    (project.folder / "go").touch()
    wait_until(lambda: not container.is_alive, or_show=lambda: container.output)
    assert container.output.endswith("autocron has ended.\n")
    with project.store("jobs.db") as store:
        assert store.counts()["DONE"] == 1
