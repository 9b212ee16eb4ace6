"""What is special to uWSGI: it forks without Python's knowledge, and recycles and reloads in ways of its own."""

from __future__ import annotations

import os
import signal

import pytest
from server_harness import DATABASE, SERVERS, Serve, Site, edit, kill

from autocron.testing.processes import Project, wait_until

both = pytest.mark.parametrize("name", ["uwsgi", "uwsgi-lazy-apps"])


def kill_supervisor(site: Site) -> None:
    """Kill the supervisor, and wait for its successor with all its workers."""
    before = site.generation()
    (supervisor,) = site.supervisors()
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not site.generation() & before, or_show=site.show)


# Not after a few calls: then uWSGI waits for two seconds, and misses a signal that comes meanwhile.
RECYCLING = "--max-requests 60 --min-worker-lifetime 0"


@both
def test_recycling_loses_no_call(serve: Serve, name: str) -> None:
    """With --max-requests each web process ends after some calls; every call has its run, and workers are there."""
    site = serve(name, RECYCLING)
    first = site.web_processes
    for number in range(150):
        assert site.call("echo", str(number)) == str(number)
    wait_until(
        lambda: site.web_processes & first == {site.server.pid} and len(site.web_processes) == 3,
        or_show=site.show,
    )
    site.generation()
    site.end()
    site.wait_for_end_of_workers()


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT], ids=str)
def test_all_processes_end_without_die_on_term(project: Project, number: signal.Signals) -> None:
    """SIGQUIT and SIGINT end uWSGI then."""
    command = SERVERS["uwsgi"].command.replace(" --die-on-term", "")
    site = Site.of(project, command, DATABASE)
    site.call("echo")
    site.end(number)
    site.wait_for_end_of_workers()


def test_a_brutal_reload_brings_new_code(serve: Serve) -> None:
    """On SIGQUIT, which with --die-on-term means that; jobs run the new code, and one generation is left."""
    site = serve("uwsgi")
    assert site.call("echo", "new") == "new"
    before = site.loaded_generation()
    edit(site.project)
    site.signal(signal.SIGQUIT)
    wait_until(site.runs_new_code, or_show=site.show)
    wait_until(lambda: len(site.generation() & before) <= 1, or_show=site.show)


@both
def test_a_killed_supervisor_is_replaced_again_and_again(serve: Serve, name: str) -> None:
    """No web process holds its lock unknowingly; those were forked while the master waited for one."""
    site = serve(name)
    site.call("echo")
    for _ in range(3):
        kill_supervisor(site)
    assert site.call("echo", "still") == "still"
    site.end(signal.SIGINT)
    site.wait_for_end_of_workers()


@both
def test_a_killed_web_process_does_not_matter(serve: Serve, name: str) -> None:
    """Another is forked, and joins the others."""
    site = serve(name)
    before = site.generation()
    for _ in range(3):
        first = site.web_processes
        kill({max(first - {site.server.pid})})
        wait_until(lambda old=first: site.web_processes - old, or_show=site.show)
    assert [site.call("echo", str(number)) for number in range(4)] == ["0", "1", "2", "3"]
    assert site.pids() == before, site.show()
