"""What is made from the command's parser agrees with it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_what_is_made_from_the_parser_is_up_to_date():
    """The page of the documentation, the manual page and the completion scripts."""
    done = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
