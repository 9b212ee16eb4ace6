"""What is made from the command's parser agrees with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("columns", ["30", "200"])
def test_what_is_made_from_the_parser_is_up_to_date(columns):
    """The page of the documentation, the manual page and the completion scripts, in any terminal."""
    done = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": columns},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
