"""The guide "Another framework in thirty lines": its adapter passes the contract that it shows."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from autocron.testing import Project, wait_until
from autocron.testing.contract import Site

GUIDE = Path(__file__).parents[4] / "docs/contributing/adapter.md"
BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILES = dict(BLOCK.findall(GUIDE.read_text()))
ADAPTER = "aiohttp_autocron.py"

shown = {}
exec(compile(FILES["test_contract.py"], GUIDE, "exec"), shown)


class TestGuide(shown["TestContract"]):
    """The contract as it is shown there, and the adapter."""

    def write_app(self, project, **settings):
        """Write the adapter as well."""
        super().write_app(project, **settings)
        project.write(ADAPTER, FILES[ADAPTER])


@pytest.fixture
def project(tmp_path):
    """A folder with the adapter and the application of the guide."""
    with closing(Project(tmp_path)) as project:
        for name in (ADAPTER, "application.py"):
            project.write(name, FILES[name])
        yield project


def test_it_takes_thirty_lines():
    """Blank ones included."""
    assert len(FILES[ADAPTER].splitlines()) <= 30


SERVERS = {
    "aiohttp": "-m aiohttp.web -H 127.0.0.1 -P {port} application:make_app",
    "gunicorn": "-m gunicorn --worker-class aiohttp.GunicornWebWorker --workers 2 --bind 127.0.0.1:{port}"
    " 'application:make_app()'",
    "main": "application.py {port}",
}


@pytest.mark.parametrize("name", SERVERS)
def test_its_application_works(project, name):
    """In all ways of serving it, the task prints in a worker."""
    application = FILES["application.py"].replace(
        "port=8080", "port=int(__import__('sys').argv[1])"
    )
    project.write("application.py", application)
    site = Site.of(project, SERVERS[name], "autocron.db")
    assert "on its way" in site.get("/join/ann@example.org")
    wait_until(lambda: "Welcome, ann@example.org!" in site.server.output)
