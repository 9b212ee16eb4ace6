"""The commands of the README are whole, and are those that are run elsewhere."""

import configparser
import re
import shutil
import subprocess

import pytest


def test_the_quickstart_shows_the_three_calls_that_it_is_about(readme):
    """One file has a start, a delayed function and a schedule; `test_bare.py` runs it."""
    for call in ('autocron.start("project.db")', "@autocron.delay", "@autocron.cron("):
        assert call in readme.quickstart


def test_a_command_is_one_line(readme):
    """Each command can be copied in one go, and a shell can parse it."""
    for command in readme.commands:
        assert command.count("\n") == 1
        subprocess.run(["bash", "-n", "-c", command], check=True)


def test_paths_in_commands_exist(root, readme):
    """What a command takes from the tree is there."""
    words = " ".join(readme.commands).split()
    paths = [word for word in words if "/" in word and not word.startswith(".venv")]
    assert paths
    assert [path for path in paths if not (root / path).exists()] == []


def test_the_serve_command_installs_all_packages_in_one_go(packages, readme):
    """Core and adapters come together, so that no index is asked for an autocron."""
    install = readme.serve.split(" && ")[1].split()
    assert {f"./packages/{folder.name}" for folder in packages} <= set(install)


def test_the_table_tells_of_each_example_what_its_own_readme_tells(root):
    """The packages, the commands and the address are the same in both."""
    row = r"^\| \[\w+\]\((examples/.+)\) \| `(.+)` \| `(.+)` \| (<.+>) \|$"
    rows = re.findall(row, (root / "README.md").read_text(), re.MULTILINE)
    assert {root / path for path, *_ in rows} == set(root.glob("examples/*/README.md"))
    for path, packages, command, address in rows:
        text = (root / path).read_text()
        for line in (f"pip install ./packages/core {packages}", *command.split(" && ")):
            assert f"\n{line}\n" in text
        assert address in text


def test_the_test_command_runs_a_label_of_tox(root, readme):
    """The label that the README names has all environments of the list, and so also the end-to-end test in each framework."""
    tox = configparser.ConfigParser(interpolation=None, inline_comment_prefixes="#")
    tox.read(root / "tox.ini")
    assert readme.test.endswith("tox run-parallel -m check\n")
    check = re.search("^check = (.+)$", tox["tox"]["labels"], re.MULTILINE)[1].split(", ")
    assert check == tox["tox"]["env_list"].split(", ")
    assert "examples" in check
    assert "pytest" in tox["testenv:examples"]["commands"]


def test_ci_runs_the_test_command_and_then_the_rest(root, tmp_path):
    """`.ci/run` takes its command from the README: with another README it runs another command."""
    shutil.copytree(root / ".ci", tmp_path / ".ci")
    stand_in = "echo 'echo tox $*' > .venv/bin/tox && chmod +x .venv/bin/tox"
    command = f"python3 -m venv --without-pip .venv && {stand_in} && echo from the README"
    (tmp_path / "README.md").write_text(f"<!-- test -->\n```console\n{command}\n```\n")
    run = subprocess.run([tmp_path / ".ci/run"], check=True, capture_output=True, text=True)
    first, second, third = run.stdout.splitlines()
    assert first == "from the README"
    assert second.startswith(
        "tox run-parallel --parallel 2 --parallel-no-spinner -m matrix --skip-env"
    )
    assert third.startswith("tox run -e soak")


@pytest.mark.parametrize("tool", ["autocron", "flask autocron"])
def test_the_tools_are_there(tool):
    """The commands that the READMEs name exist, and explain themselves."""
    run = subprocess.run([*tool.split(), "--help"], check=True, capture_output=True, text=True)
    assert "usage" in run.stdout.lower()
