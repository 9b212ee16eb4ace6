"""What the verb `doctor` says about servers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from server_harness import DATABASE, SERVERS, Serve, Site

from autocron.testing.processes import wait_until


def doctor(site: Site) -> dict[str, tuple[str, str]]:
    """Run the verb; return problem and remedy of each finding, by its check."""
    database = str(site.project.folder / DATABASE)
    command = [sys.executable, "-m", "autocron", "--database", database, "doctor", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
    return {each["check"]: (each["problem"], each["remedy"]) for each in json.loads(said)}


@pytest.mark.parametrize("name", ["uwsgi", "uwsgi-lazy-apps"])
def test_a_uwsgi_without_threads_is_found(serve: Serve, name: str) -> None:
    """By the processes that serve, as soon as they have called a task; it says what to do."""
    site = serve(name)
    site.call("echo")
    site.generation()
    found = doctor(site)
    assert list(found) == ["uwsgi-threads"]
    problem, remedy = found["uwsgi-threads"]
    named = {pid for pid in site.web_processes if f"{pid} (uwsgi)" in problem}
    assert named
    assert site.server.pid not in named
    assert "--enable-threads" in remedy


@pytest.mark.parametrize("name", SERVERS)
def test_nothing_is_found_wrong_with_servers_that_have_threads(serve: Serve, name: str) -> None:
    """Not even with a master that has none, and forks those that serve."""
    site = serve(name, "--enable-threads" if "uwsgi" in name else "")
    assert doctor(site).get("uwsgi-threads") is None
    for number in range(5):
        assert site.call("echo", str(number)) == str(number)
    site.generation()
    wait_until(lambda: doctor(site) == {}, or_show=lambda: f"{doctor(site)}\n{site.show()}")
