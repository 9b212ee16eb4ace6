"""What the README promises, taken from the README, so that nothing else can be tested."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Readme:
    """The blocks of the README that follow a marker such as `<!-- test -->`."""

    quickstart: str
    run: str
    serve: str
    test: str

    @classmethod
    def read(cls):
        """Return the marked blocks, each without the fence around it."""
        text = (ROOT / "README.md").read_text()
        blocks = re.findall(r"^<!-- (\w+) -->\n```\w+\n(.*?\n)```$", text, re.MULTILINE | re.DOTALL)
        return cls(**dict(blocks))

    @property
    def commands(self):
        """What is to be typed into a shell."""
        return self.run, self.serve, self.test


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def readme():
    """What the README promises."""
    return Readme.read()


@pytest.fixture(scope="session")
def packages():
    """The folders of all packages, the core first."""
    folders = [path.parent for path in ROOT.glob("packages/*/pyproject.toml")]
    return sorted(folders, key=lambda folder: (folder.name != "core", folder.name))


@pytest.fixture(scope="session")
def until():
    """A function that waits for a condition, and fails when that takes too long."""

    def wait(condition, *, within):
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not so within {within} seconds"
            time.sleep(0.05)

    return wait
