"""A host whose threads do not run: uWSGI up to 2.0.26, without --enable-threads.

Later ones always have threads. A thread of such a web process stands still as long as no request is served.
"""

from __future__ import annotations

import os
import signal

import pytest
from server_harness import Serve, Site, kill

from autocron.testing.processes import wait_until


@pytest.fixture(params=["uwsgi", "uwsgi-lazy-apps"])
def site(request: pytest.FixtureRequest, serve: Serve) -> Site:
    """A site that has served a request, with all its workers."""
    site = serve(request.param)
    site.call("echo")
    assert "Python threads support is disabled" in site.server.output
    site.generation()
    return site


def ticks(site: Site) -> int:
    """Return how many jobs the schedule has made."""
    with site.project.store(site.database) as store:
        return len([job for job in store.latest(100) if job.task == "application.tick"])


def wait_for_ticks(site: Site) -> None:
    """Wait until the schedule has run twice more."""
    before = ticks(site)
    wait_until(lambda: ticks(site) >= before + 2, or_show=site.show)


def test_workers_that_have_lost_their_supervisor_start_the_next(site: Site) -> None:
    """Without any request the site has one supervisor and its workers again, and the schedule goes on."""
    for _ in range(2):
        before = site.generation()
        kill(site.supervisors())
        wait_until(lambda old=before: not site.generation() & old, or_show=site.show)
        wait_for_ticks(site)
    site.end(signal.SIGINT)
    site.wait_for_end_of_workers()


def test_a_worker_that_is_busy_looks_after_its_supervisor_as_well(serve: Serve) -> None:
    """Its own job goes on meanwhile, and is not run twice."""
    site = serve("uwsgi")
    jobs = [site.begin_blocking("one"), site.begin_blocking("two")]
    before = site.generation()
    kill(site.supervisors())
    wait_until(lambda: site.supervisors() - before, or_show=site.show)
    assert site.call("echo", "beside") == "beside"
    site.unblock("one")
    site.unblock("two")
    assert [site.ended(job).result for job in jobs] == ['"one"', '"two"']
    assert (len(site.lines("one")), len(site.lines("two"))) == (1, 1)
    site.generation()


def test_a_supervisor_that_is_asked_to_end_leaves_a_successor(site: Site) -> None:
    """A stray SIGTERM does not leave the site without workers."""
    before = site.generation()
    for supervisor in site.supervisors():
        os.kill(supervisor, signal.SIGTERM)
    wait_until(lambda: not site.generation() & before, or_show=site.show)
    wait_for_ticks(site)


def test_the_next_call_brings_back_what_was_killed_at_once(site: Site) -> None:
    """If supervisor and workers are gone together, nobody is left to notice but whoever calls."""
    kill(site.pids())
    wait_until(lambda: not site.pids(), or_show=site.show)
    assert site.call("echo", "back") == "back"
    site.generation()


def test_the_start_of_a_killed_server_needs_nobody_else(serve: Serve, site: Site) -> None:
    """Nothing that was left behind stands in the way, and what was running then runs."""
    job = site.begin_blocking("one")
    kill(site.pids() | site.web_processes)
    wait_until(lambda: not site.pids() | site.web_processes, or_show=site.show)
    site.unblock("one")
    assert serve("uwsgi").ended(job).result == '"one"'
