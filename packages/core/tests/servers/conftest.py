"""The application that is served, and how to serve it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from server_harness import APPLICATION, DATABASE, SERVERS, WERKZEUG, Serve, Site

from autocron.testing.processes import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A folder with the application, and without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("application.py", APPLICATION)
        project.write("serve.py", WERKZEUG)
        yield project


@pytest.fixture
def serve(project: Project) -> Serve:
    """A function that serves the application in one of the ways, and returns when it listens."""

    def serve(name: str, more: str = "") -> Site:
        site = Site.of(project, f"{SERVERS[name].command} {more}", DATABASE)
        assert isinstance(site, Site)
        return site

    return serve
