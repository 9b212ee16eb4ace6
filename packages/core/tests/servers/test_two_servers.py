"""Two servers on one database in turn: blue and green."""

from __future__ import annotations

import pytest
from server_harness import Serve, edit

from autocron.testing.processes import Project, wait_until

PAIRS = [("gunicorn", "gunicorn"), ("gunicorn-preload", "uwsgi"), ("uwsgi", "uvicorn-workers")]
pairs = pytest.mark.parametrize(("blue", "green"), PAIRS)


@pairs
def test_the_next_server_starts_before_the_first_ends(serve: Serve, blue: str, green: str) -> None:
    """At every moment calls have their runs, workers stay what they are, and one generation is left."""
    site = serve(blue)
    assert site.call("echo", "one") == "one"
    before = site.generation()
    for name in (green, blue, green):
        following = serve(name)
        assert [site.call("echo", "a"), following.call("echo", "b")] == ["a", "b"]
        site.end()
        assert following.call("echo", "c") == "c"
        site = following
        if blue == green:  # they have the same import path, too
            assert site.pids() == before, site.show()
    site.generation()
    site.end()
    site.wait_for_end_of_workers()


@pairs
def test_the_next_server_starts_when_the_first_has_ended(
    project: Project, serve: Serve, blue: str, green: str
) -> None:
    """Whatever its workers are doing just then: calls have their runs, and none has two."""
    project.environ["PATIENCE"] = "60"
    site = serve(blue)
    job = site.begin_blocking("one")
    for number, name in enumerate((green, blue, green)):
        site.end()
        site = serve(name)  # while the workers of the one before are ending
        assert site.call("echo", str(number)) == str(number)
    site.unblock("one")
    assert site.ended(job).result == '"one"'
    assert len(site.lines("one")) == 1
    site.generation()
    site.end()
    site.wait_for_end_of_workers()


def test_the_next_server_may_bring_new_code(serve: Serve) -> None:
    """As soon as it serves, jobs run that, also those which the old one hands over; one generation is left."""
    blue = serve("gunicorn")
    assert blue.call("echo", "new") == "new"
    before = blue.loaded_generation()
    edit(blue.project)
    green = serve("gunicorn")
    wait_until(blue.runs_new_code, or_show=blue.show)
    blue.end()
    wait_until(lambda: len(green.generation() & before) <= 1, or_show=green.show)
    assert {green.call("echo", "new") for _ in range(10)} == {"NEW"}
