"""Make from the command's own parser what must agree with it: completion scripts, manual page, page of the docs.

python tools/generate.py            writes the files
python tools/generate.py --check    only says which are not as they would be written
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
KEPT = "\N{NO-BREAK SPACE}"

ENVIRONMENT = {
    "AUTOCRON_DATABASE": "the database, unless --database names another",
    "NO_COLOR": "if it is set and not empty, there are no colours",
    "COLUMNS": "how wide tables may be; without it the width of the terminal, and no limit in a file or pipe",
}
FILES = {
    "PATH": "the database: all jobs, schedules and settings",
    "PATH-wal, PATH-shm": "parts of it while it is in use; never to be removed",
    "PATH.autocron/": "run-time files of the application's processes, such as locks",
}
KEYS = [name for name, each in Settings.__dataclass_fields__.items() if each.metadata["admin"]]
SHARED = ("help", "version", "database", "json")


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


def entries(command: argparse.ArgumentParser, *, shared: bool = False) -> Iterator[Entry]:
    """Give the arguments and options of a verb: its own, or those that it shares with the command."""
    for action in command._actions:  # noqa: SLF001
        if (action.dest in SHARED) is not shared:
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
    choices = ",".join(map(str, action.choices or ()))
    name = str(action.metavar or f"{{{choices}}}")
    is_optional = action.option_strings and action.nargs == "?"
    return f"[{name}]" if is_optional else name


def usage(verb: Verb, command: argparse.ArgumentParser) -> str:
    """Return how a verb is written; no line may end within an option, so KEPT stands there for a space."""
    parts = [f"{PROG} {verb.name}", *(entry.usage for entry in entries(command))]
    return " ".join(part.replace(" ", KEPT) for part in parts)


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
    yield "`--database` and `--json` may stand before or behind the verb."
    yield from _table("option", "meaning", _written(entries(parser(PROG), shared=True)))
    for group in GROUPS:
        yield from ("", f"## {group}")
        for verb in verbs_in(group):
            yield from _verb_lines(verb)
    yield from ("", "## Exit status", *_table("status", "meaning", EXIT_STATUS))
    yield from ("", "## Environment", *_table("variable", "meaning", ENVIRONMENT))
    yield from ("", "## Files", *_table("file", "meaning", FILES))


def _verb_lines(verb: Verb) -> Iterator[str]:
    command = commands()[verb.name]
    yield from ("", f"### {verb.name}", "", verb.words, "")
    yield f"```text\n{_wrapped(usage(verb, command))}\n```"
    found = _written(entries(command))
    if found:
        yield from _table("argument", "meaning", found)
    if verb.examples:
        yield from ("", "```console")
        yield from (f"{PROG} {example}" for example in verb.examples)
        yield "```"


def _wrapped(written: str) -> str:
    indent = " " * (len(written.partition(" ")[0]) + 1)
    lines = textwrap.wrap(written, 88, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines).replace(KEPT, " ")


def _written(found: Iterator[Entry]) -> dict[str, str]:
    return {entry.written: entry.meaning for entry in found}


def _table(name: str, meaning: str, rows: Mapping[Any, str]) -> Iterator[str]:
    yield from ("", f"| {name} | {meaning} |", "|---|---|")
    yield from (f"| `{key}` | {words} |" for key, words in rows.items())


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
    yield from (".SH OPTIONS", r"\-\-database and \-\-json may stand before or behind the verb.")
    yield from _tags(_written(entries(parser(PROG), shared=True)))
    yield ".SH VERBS"
    for verb in VERBS:
        yield from _verb_in_manual(verb)
    yield from (".SH EXIT STATUS", *_tags(EXIT_STATUS))
    yield from (".SH ENVIRONMENT", *_tags(ENVIRONMENT))
    yield from (".SH FILES", *_tags(FILES))


def _verb_in_manual(verb: Verb) -> Iterator[str]:
    command = commands()[verb.name]
    yield f".SS {_roff(verb.name)}"
    yield _roff(verb.words)
    yield from (".PP", ".RS", r"\fB" + _roff(usage(verb, command)) + r"\fR", ".RE")
    yield from _tags(_written(entries(command)))
    if verb.examples:
        yield from (".PP", "Examples:", ".PP", ".RS", ".nf")
        yield from (_roff(f"{PROG} {example}") for example in verb.examples)
        yield from (".fi", ".RE")


def _tags(rows: Mapping[Any, str]) -> Iterator[str]:
    for key, words in rows.items():
        yield from (".TP", r"\fB" + _roff(str(key)) + r"\fR", *filter(None, [_roff(words)]))


def _roff(text: str) -> str:
    """Return a text such that nothing in it is a command of man(7)."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "").replace("'", r"\(aq")
    text = text.replace(KEPT, r"\ ")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


# Completion -------------------------------------------------------------------------------------


def script(shell: str) -> str:
    """Return the script that completes the command in a shell."""
    command = parser(PROG)
    for each in (command, *subparsers(command).choices.values()):
        for action in each._actions:  # noqa: SLF001
            _offer(action, shell)
    return str(shtab.complete(command, shell=shell)).rstrip() + "\n"


def _offer(action: argparse.Action, shell: str) -> None:
    """Let a shell offer what can be known beforehand."""
    if action.dest in ("database", "file"):
        action.complete = shtab.FILE  # type: ignore[attr-defined]
    elif action.dest == "status":
        action.choices = [status.lower() for status in JobStatus]  # as people type it
    elif action.dest == "key":
        action.choices = KEYS
    elif shell == "zsh" and not action.option_strings and not action.choices:
        # Nothing; but said in this way, zsh inserts an option at the first Tab and not at the second.
        action.complete = {"zsh": "( )"}  # type: ignore[attr-defined]


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
