"""How the tests of the command call it."""

import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def command(tmp_path):
    """A function that runs `autocron` with arguments."""

    def run(*arguments, **environment):
        known = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        return subprocess.run(
            [sys.executable, "-m", "autocron", *map(str, arguments)],
            cwd=tmp_path,
            env=known | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture
def ask(command, path):
    """A function that runs a verb with `--json`, and returns what it says."""

    def run(*arguments):
        ended = command("--database", path, *arguments, "--json")
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout)

    return run
