"""What is so under each server, whatever processes and threads it makes."""

from __future__ import annotations

import signal

import pytest
from server_harness import SERVERS, Serve, edit, kill

from autocron.testing.processes import Project, wait_until

every_server = pytest.mark.parametrize("name", SERVERS)


@every_server
def test_a_call_runs_in_a_worker(serve: Serve, name: str) -> None:
    """A request hands a call over, and one of the workers runs it."""
    site = serve(name)
    assert site.call("echo", "Grüße") == "Grüße"
    assert site.call("pid") in wait_until(site.workers)


@every_server
def test_a_schedule_runs_without_any_request(serve: Serve, name: str) -> None:
    """Workers start with the server, and not only when somebody looks at the site."""
    site = serve(name)
    wait_until(lambda: site.has_run("application.tick"), or_show=site.show)


@every_server
def test_there_is_one_set_of_workers(serve: Serve, name: str) -> None:
    """However many processes serve: one supervisor, and as many workers as were asked for."""
    site = serve(name)
    before = site.generation()
    for number in range(20):  # of several web processes, each gets some
        assert site.call("echo", str(number)) == str(number)
    assert site.generation() == before


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, server in SERVERS.items() for number in server.ends_by],
    ids=str,
)
def test_all_processes_end_with_a_server_that_is_asked_to(
    serve: Serve, name: str, number: signal.Signals
) -> None:
    """The signal goes to the server's first process, as an administrator sends it."""
    site = serve(name)
    site.call("echo")
    site.end(number)
    site.wait_for_end_of_workers()


@every_server
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=str)
def test_all_processes_end_with_the_servers_group(
    serve: Serve, name: str, number: signal.Signals
) -> None:
    """The signal goes to all processes of the server, as a terminal sends it on Ctrl-C."""
    site = serve(name)
    site.call("echo")
    site.end(number, group=True)
    site.wait_for_end_of_workers()


@every_server
def test_workers_are_there_as_long_as_a_process_of_a_killed_server_is(
    serve: Serve, name: str
) -> None:
    """If the first process is killed some servers' others end, and some servers' others go on serving."""
    site = serve(name)
    site.call("echo")
    site.server.end(signal.SIGKILL)
    if SERVERS[name].orphans_serve:
        assert site.call("echo", "still") == "still"
        site.generation()
        kill(site.web_processes)
    wait_until(lambda: not site.web_processes, or_show=site.show)
    site.wait_for_end_of_workers()


@every_server
def test_a_job_that_does_not_end_with_the_server_runs_after_the_next_start(
    project: Project, serve: Serve, name: str
) -> None:
    """It is given back when its time is over, as if it had not begun, and what waits behind it stays."""
    project.environ["PATIENCE"] = "0.5"
    site = serve(name)
    jobs = [site.begin_blocking("one"), site.begin_blocking("two"), site.hand_over("echo", "three")]
    site.end()
    site.wait_for_end_of_workers()
    assert [site.state(job) for job in jobs] == [("WAITING", 0)] * 3
    site.unblock("one")
    site.unblock("two")
    site = serve(name)
    assert [site.ended(job).result for job in jobs] == ['"one"', '"two"', '"three"']


def test_a_job_has_eight_seconds_by_default(serve: Serve) -> None:
    """Then it is given back, and all processes are gone within ten."""
    site = serve("gunicorn")
    job = site.begin_blocking("one")
    site.end()
    site.wait_for_end_of_workers()
    assert site.state(job) == ("WAITING", 0)
    site.unblock("one")
    assert serve("gunicorn").ended(job).result == '"one"'


RELOADING = ["gunicorn", "gunicorn-gthread", "gunicorn-preload", "uwsgi", "uwsgi-lazy-apps"]


@pytest.mark.parametrize("name", [*RELOADING, "uvicorn-workers"])
def test_a_reload_brings_new_code(serve: Serve, name: str) -> None:
    """On SIGHUP the server makes new processes; jobs run the new code, and one generation is left."""
    site = serve(name)
    assert site.call("echo", "new") == "new"
    before = site.loaded_generation()
    edit(site.project)
    site.signal(signal.SIGHUP)
    wait_until(site.runs_new_code, or_show=site.show)
    wait_until(lambda: len(site.generation() & before) <= 1, or_show=site.show)
    assert {site.call("echo", "new") for _ in range(10)} == {"NEW"}


def test_the_reloader_of_werkzeug_brings_new_code(serve: Serve) -> None:
    """After an edit, jobs run the new code, and one generation is left."""
    site = serve("werkzeug-reloader")
    assert site.call("echo", "new") == "new"
    before = site.loaded_generation()
    edit(site.project)
    wait_until(site.runs_new_code, or_show=site.show)
    wait_until(lambda: len(site.generation() & before) <= 1, or_show=site.show)
    assert {site.call("echo", "new") for _ in range(10)} == {"NEW"}
