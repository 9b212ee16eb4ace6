"""The scripts that complete the command in a shell."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from autocron.cli import completing
from autocron.cli.arguments import VERBS

FOLDER = Path(completing.__file__).with_name("completion")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_script_is_printed_as_it_is(command, shell):
    """For a shell to read, or as JSON; no database is needed."""
    text = (FOLDER / f"autocron.{shell}").read_text()
    assert command("completion", shell).stdout == text
    found = json.loads(command("completion", shell, "--json").stdout)
    assert found == {"shell": shell, "script": text}


def test_there_are_scripts_for_two_shells(command):
    """Others are refused."""
    ended = command("completion", "fish")
    assert ended.returncode == 2
    assert "invalid choice: 'fish'" in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_script_knows_all_verbs(shell):
    """With what each takes."""
    text = (FOLDER / f"autocron.{shell}").read_text()
    for verb in VERBS:
        assert re.search(rf"\b{verb.name}\b", text), verb.name
    assert all(word in text for word in ("--watch", "--queue", "ERROR", "kill_after"))


def complete(*words):
    """Return what bash offers for the last word."""
    bash = shutil.which("bash")
    assert bash, "this test needs bash"
    program = f"""
        source {FOLDER / "autocron.bash"}
        COMP_WORDS=({" ".join(f'"{word}"' for word in words)})
        COMP_CWORD={len(words) - 1}
        COMP_LINE="${{COMP_WORDS[*]}}"
        COMP_POINT=${{#COMP_LINE}}
        _shtab_autocron
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [bash, "--norc", "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_verbs_options_and_values():
    """After the command, a verb, and an option that has certain values."""
    assert complete("autocron", "sched") == {"schedules"}
    assert complete("autocron", "re") == {"retry", "resume", "reset", "restart"}
    assert complete("autocron", "jobs", "--st") == {"--status"}
    assert complete("autocron", "jobs", "--status", "E") == {"ERROR"}
    assert complete("autocron", "set", "kill") == {"kill_after"}
    assert complete("autocron", "completion", "") >= {"bash", "zsh"}
