"""The scripts that complete the command in a shell."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from autocron.cli import completing
from autocron.cli.arguments import VERBS, parser
from autocron.model import JobStatus

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
    assert all(word in text for word in ("--watch", "--queue", "error", "kill_after"))


def options_of(verb):
    """Return the options of a verb, as the parser has them."""
    verbs = next(each for each in parser("autocron")._actions if each.dest == "verb")
    return set(verbs.choices[verb.name]._option_string_actions)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_zsh_is_told_all_options(verb):
    """Each verb leads to a list of its options; that needs no zsh, which few machines have."""
    text = (FOLDER / "autocron.zsh").read_text()
    name = f"_shtab_autocron_{verb.name.replace('-', '_')}_options"
    assert f" {verb.name}) _arguments -C -s ${name} ;;" in text
    listed = re.search(rf"^{name}=\(\n(.+?)^\)", text, re.MULTILINE | re.DOTALL)[1]
    assert set(re.findall(r'^  "\*?(--[\w-]+)', listed, re.MULTILINE)) | {"-h", "--help"} == (
        options_of(verb)
    )


def test_zsh_is_told_all_values():
    """Values to choose from, files, and that nothing is known of other arguments."""
    text = (FOLDER / "autocron.zsh").read_text()
    assert ":PATH:_files" in text
    assert ':must not be there yet:_files"' in text
    assert ":STATUS:(waiting running done error cancelled)" in text
    assert ":for which shell:(bash zsh)" in text
    # With nothing after the last colon, zsh would insert options at the second Tab only.
    assert ":as it would be written in the configuration:( )" in text


def complete(*words, cwd=None):
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
        [bash, "--norc", "-c", program],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_verbs_options_and_values():
    """After the command, a verb, and an option that has certain values."""
    assert complete("autocron", "sched") == {"schedules"}
    assert complete("autocron", "re") == {"retry", "resume", "reset", "restart"}
    assert complete("autocron", "jobs", "--st") == {"--status"}
    assert complete("autocron", "jobs", "--status", "e") == {"error"}
    assert complete("autocron", "cancel", "--status", "") == set(map(str.lower, JobStatus))
    assert complete("autocron", "set", "kill") == {"kill_after"}
    assert complete("autocron", "completion", "") == {"bash", "zsh"}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_bash_completes_all_options(verb):
    """Those of the parser, for each verb."""
    assert complete("autocron", verb.name, "-") == options_of(verb)


def test_bash_completes_names_of_files(tmp_path):
    """For the database, before and behind the verb, and for a copy of it."""
    (tmp_path / "shop.db").touch()
    for words in (["--database"], ["jobs", "--json", "--database"], ["backup"]):
        assert complete("autocron", *words, "sh", cwd=tmp_path) == {"shop.db"}


def test_bash_completes_behind_other_options():
    """What is written before the verb, or in between, is passed over."""
    assert complete("autocron", "--database", "shop.db", "sched") == {"schedules"}
    assert complete("autocron", "--json", "jobs", "--limit", "5", "--ta") == {"--task"}
    assert complete("autocron", "jobs", "--status", "error", "--status", "d") == {"done"}
    assert complete("autocron", "retry", "0bb079b709ac", "--status", "er") == {"error"}
