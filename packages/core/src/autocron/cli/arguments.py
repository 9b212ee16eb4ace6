"""What can be written on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from autocron import __version__
from autocron.cli import verbs
from autocron.cli.output import Report
from autocron.cli.verbs import Opened
from autocron.model import JobStatus

_Parser: TypeAlias = argparse.ArgumentParser


def parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of the command; `prog` is its name."""
    command = argparse.ArgumentParser(
        prog=prog, description="Look into an autocron database, and change its settings."
    )
    command.add_argument("--version", action="version", version=f"autocron {__version__}")
    command.add_argument(
        "--database", metavar="PATH", help="the file; AUTOCRON_DATABASE if not given"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON, for programs to read")
    commands = command.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, run: Callable[[Opened, argparse.Namespace], Report]) -> _Parser:
        added = commands.add_parser(
            name, help=run.__doc__, description=run.__doc__, parents=[common]
        )
        added.set_defaults(run=run)
        return added

    verb("status", verbs.show_status)
    jobs = verb("jobs", verbs.list_jobs)
    jobs.add_argument("--status", type=_status, metavar="STATUS", help=", ".join(JobStatus))
    jobs.add_argument("--limit", type=_limit, default=20, metavar="N", help="20 if not given")
    verb("job", verbs.show_job).add_argument("id", metavar="ID")
    verb("settings", verbs.show_settings)
    change = verb("set", verbs.change_setting)
    change.add_argument("key", metavar="KEY")
    change.add_argument("value", metavar="VALUE")
    verb("unset", verbs.unset_setting).add_argument("key", metavar="KEY")
    return command


def _status(text: str) -> JobStatus:
    try:
        return JobStatus(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError("must be one of " + ", ".join(JobStatus)) from None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)
