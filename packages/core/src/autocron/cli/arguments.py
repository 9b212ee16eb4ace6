"""What can be written on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

from autocron import __version__
from autocron.cli import schedules, verbs
from autocron.cli.output import Report
from autocron.cli.verbs import Opened
from autocron.model import JobStatus

_Parser: TypeAlias = argparse.ArgumentParser
_Verb: TypeAlias = Callable[[Opened, argparse.Namespace], Report]
_Alone: TypeAlias = Callable[[argparse.Namespace], Report]


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

    def verb(name: str, run: _Verb | None = None, alone: _Alone | None = None) -> _Parser:
        words = (run or alone).__doc__
        added = commands.add_parser(name, help=words, description=words, parents=[common])
        added.set_defaults(run=run, alone=alone)
        return added

    verb("status", verbs.show_status)
    jobs = verb("jobs", verbs.list_jobs)
    jobs.add_argument("--status", type=_status, metavar="STATUS", help=", ".join(JobStatus))
    jobs.add_argument("--limit", type=_limit, default=20, metavar="N", help="20 if not given")
    verb("job", verbs.show_job).add_argument("id", metavar="ID")
    cancel = verb("cancel", verbs.cancel_job)
    cancel.add_argument("id", metavar="ID")
    cancel.add_argument("--force", action="store_true", help="stop it, if it is running")
    verb("retry", verbs.retry_job).add_argument("id", metavar="ID")
    _add_schedule_verbs(verb)
    verb("settings", verbs.show_settings)
    change = verb("set", verbs.change_setting)
    change.add_argument("key", metavar="KEY")
    change.add_argument("value", metavar="VALUE")
    verb("unset", verbs.unset_setting).add_argument("key", metavar="KEY")
    return command


def _add_schedule_verbs(verb: Callable[..., _Parser]) -> None:
    verb("schedules", schedules.list_schedules)
    runs = verb("next-runs", schedules.show_next_runs)
    ticks = verb("ticks", schedules.show_ticks)
    others = (
        verb("pause", schedules.pause_schedule),
        verb("resume", schedules.resume_schedule),
        verb("run-now", schedules.run_schedule_now),
    )
    for named in (runs, ticks, *others):
        named.add_argument("name", metavar="SCHEDULE", help="as `schedules` shows it")
    expression = verb("cron", alone=schedules.show_expression)
    expression.add_argument(
        "expression", metavar="EXPRESSION", help="in quotes, such as '30 7 * * mon-fri'"
    )
    expression.add_argument(
        "--timezone", metavar="ZONE", help="such as Europe/Berlin; the machine's if not given"
    )
    for counted in (runs, ticks, expression):
        counted.add_argument(
            "--limit", type=_limit, default=10, metavar="N", help="10 if not given"
        )


def _status(text: str) -> JobStatus:
    try:
        return JobStatus(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError("must be one of " + ", ".join(JobStatus)) from None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)
