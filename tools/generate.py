"""Make from the command's own parser what must agree with it: completion scripts, manual page, page of the docs.

python tools/generate.py            writes the files
python tools/generate.py --check    only says which are not as they would be written
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import shtab

from autocron import __version__
from autocron.cli.arguments import (
    DESCRIPTION,
    EXIT_STATUS,
    GROUPS,
    VERBS,
    Verb,
    parser,
    verbs_in,
)
from autocron.cli.completing import SHELLS
from autocron.model import JobStatus
from autocron.settings import Settings

ROOT = Path(__file__).parent.parent
CORE = ROOT / "packages/core"
PROG = "autocron"

ENVIRONMENT = {
    "AUTOCRON_DATABASE": "the database, unless --database names another",
    "NO_COLOR": "if it is set to anything, there are no colours",
}


@dataclass(frozen=True)
class Entry:
    """An argument or an option: how it is written, and what it means."""

    written: str
    meaning: str
    usage: str


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of all verbs, by name."""
    return subparsers(parser(PROG)).choices


def subparsers(
    command: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Return the action that leads to the verbs; there is no public way to it."""
    return next(
        action
        for action in command._actions  # noqa: SLF001 - as in all that is made for argparse
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )


def entries(command: argparse.ArgumentParser) -> Iterator[Entry]:
    """Give the arguments and options of a verb, but for those that all have."""
    for action in command._actions:  # noqa: SLF001
        if action.dest in ("help", "database", "json"):
            continue
        value = _value(action)
        written = " ".join(filter(None, [", ".join(action.option_strings), value]))
        usage = written
        if action.option_strings or action.nargs in ("?", "*"):
            usage = f"[{written}]"
        if action.nargs == "*":
            usage = f"[{value} ...]"
        yield Entry(written, action.help or "", usage)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = str(action.metavar or "|".join(map(str, action.choices or [action.dest])))
    is_optional = action.option_strings and action.nargs == "?"
    return f"[{name}]" if is_optional else name


def usage(verb: Verb, command: argparse.ArgumentParser) -> str:
    """Return how a verb is written."""
    return " ".join([PROG, verb.name, *(entry.usage for entry in entries(command))])


# The page of the documentation ------------------------------------------------------------------


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join(_page_lines()) + "\n"


def _page_lines() -> Iterator[str]:
    yield "# Command line"
    yield ""
    yield "<!-- Made by tools/generate.py from the parser: change that, and make it anew. -->"
    yield ""
    yield f"{DESCRIPTION} The [guide](../guide/admin-tool.md) shows it at work."
    yield ""
    yield f"```text\n{PROG} [--database PATH] [--json] VERB ...\n```"
    yield ""
    yield "`--database` names the file, and `--json` prints what programs can read. Both may stand before or behind the verb."
    for group in GROUPS:
        yield from ("", f"## {group}")
        for verb in verbs_in(group):
            yield from _verb_lines(verb)
    yield from ("", "## Environment", "", "| variable | meaning |", "|---|---|")
    yield from (f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items())
    yield from ("", "## Exit status", "", "| status | meaning |", "|---|---|")
    yield from (f"| `{status}` | {meaning} |" for status, meaning in EXIT_STATUS.items())


def _verb_lines(verb: Verb) -> Iterator[str]:
    command = commands()[verb.name]
    yield from ("", f"### {verb.name}", "", verb.words, "")
    yield f"```text\n{usage(verb, command)}\n```"
    found = list(entries(command))
    if found:
        yield from ("", "| | |", "|---|---|")
        yield from (
            f"| `{_in_cell(entry.written)}` | {_in_cell(entry.meaning)} |" for entry in found
        )
    if verb.examples:
        yield from ("", "```console")
        yield from (f"{PROG} {example}" for example in verb.examples)
        yield "```"


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|")


# The manual page --------------------------------------------------------------------------------


def manual() -> str:
    """Return the manual page, in the format of man(7)."""
    return "\n".join(_manual_lines()) + "\n"


def _manual_lines() -> Iterator[str]:
    yield '.\\" Made by tools/generate.py from the parser: change that, and make it anew.'
    yield f'.TH AUTOCRON 1 "" "autocron {__version__}" "User Commands"'
    yield from (".SH NAME", r"autocron \- see and change background jobs, schedules and settings")
    yield from (
        ".SH SYNOPSIS",
        ".B autocron",
        r"[\-\-database \fIPATH\fR] [\-\-json] \fIVERB\fR ...",
    )
    yield from (".SH DESCRIPTION", _roff(DESCRIPTION))
    yield ".SH OPTIONS"
    yield "Both may stand before or behind the verb."
    yield from _tagged("--database PATH", f"the file; {PROG.upper()}_DATABASE if not given")
    yield from _tagged("--json", "print JSON, for programs to read")
    yield ".SH VERBS"
    for verb in VERBS:
        yield from _verb_in_manual(verb)
    yield ".SH ENVIRONMENT"
    for name, meaning in ENVIRONMENT.items():
        yield from _tagged(name, meaning)
    yield ".SH EXIT STATUS"
    for status, meaning in EXIT_STATUS.items():
        yield from _tagged(str(status), meaning)


def _verb_in_manual(verb: Verb) -> Iterator[str]:
    command = commands()[verb.name]
    yield f".SS {_roff(verb.name)}"
    yield _roff(verb.words)
    yield from (".PP", ".RS", r"\fB" + _roff(usage(verb, command)) + r"\fR", ".RE")
    for entry in entries(command):
        yield from _tagged(entry.written, entry.meaning)
    if verb.examples:
        yield from (".PP", "Examples:", ".PP", ".RS", ".nf")
        yield from (_roff(f"{PROG} {example}") for example in verb.examples)
        yield from (".fi", ".RE")


def _tagged(written: str, meaning: str) -> Iterator[str]:
    yield from (".TP", r"\fB" + _roff(written) + r"\fR", _roff(meaning))


def _roff(text: str) -> str:
    """Return a text such that nothing in it is a command of man(7)."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "").replace("'", r"\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


# Completion -------------------------------------------------------------------------------------


def script(shell: str) -> str:
    """Return the script that completes the command in a shell."""
    command = parser(PROG)
    keys = [name for name, each in Settings.__dataclass_fields__.items() if each.metadata["admin"]]
    for each in (command, *subparsers(command).choices.values()):
        for action in each._actions:  # noqa: SLF001
            if action.dest in ("database", "file"):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.dest == "status":
                action.choices = [str(status) for status in JobStatus]
            elif action.dest == "key":
                action.choices = keys
    return str(shtab.complete(command, shell=shell)).rstrip() + "\n"


# Files ------------------------------------------------------------------------------------------


def files() -> dict[Path, str]:
    """Return what is made, by where it belongs."""
    made = {ROOT / "docs/reference/command.md": page(), CORE / "man/autocron.1": manual()}
    for shell in SHELLS:
        made[CORE / f"src/autocron/cli/completion/autocron.{shell}"] = script(shell)
    return made


def main() -> int:
    """Write the files, or say which are out of date; return the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing")
    is_check = arguments.parse_args().check
    outdated = [
        path for path, text in files().items() if not path.exists() or path.read_text() != text
    ]
    for path in outdated:
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files()[path])
        state = "is out of date: run python tools/generate.py" if is_check else "is written"
        print(f"{path.relative_to(ROOT)} {state}")
    return bool(outdated and is_check)


if __name__ == "__main__":
    sys.exit(main())
