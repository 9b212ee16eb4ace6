"""What can be written on the command line: all verbs, with what each takes, in one table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeAlias

from autocron import __version__
from autocron.administration.database import Opened
from autocron.cli import changing, completing, diagnosing, jobs, looking, running, schedules
from autocron.cli.completing import SHELLS
from autocron.cli.output import Report
from autocron.cli.selecting import add_filters
from autocron.errors import UsageError
from autocron.settings import LoadedSettings


class _Parser(argparse.ArgumentParser):
    """Raises what is wrong, for whoever runs the command to tell it in their way."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(usage=self.format_usage(), prog=self.prog, reason=message)


_OnDatabase: TypeAlias = Callable[[Opened, argparse.Namespace], Report]
_Unopened: TypeAlias = Callable[[Path, LoadedSettings | None], Report]
_Alone: TypeAlias = Callable[[argparse.Namespace], Report]

DESCRIPTION = "See what runs, what failed and why something waits, and change it: jobs, schedules, queues, settings."
EXIT_STATUS = {
    0: "all went well",
    1: "an error was told, or what was to be confirmed was not",
    2: "the command line was wrong",
    3: "the verb `doctor` has found something",
    130: "it was interrupted with Ctrl-C",
}


@dataclass(frozen=True)
class Verb:
    """What the command can do."""

    name: str
    group: str
    run: _OnDatabase | None = None
    """Works on a database that is there;"""
    unopened: _Unopened | None = None
    """or opens it by itself, if it can be;"""
    alone: _Alone | None = None
    """or needs none."""
    add: Callable[[_Parser], None] = lambda _parser: None
    """Adds its arguments."""
    examples: Sequence[str] = ()
    """As they are written after the command's name."""

    @property
    def words(self) -> str:
        """What it does, as a sentence."""
        return (self.run or self.unopened or self.alone).__doc__ or ""


_FORMATTER = partial(argparse.RawDescriptionHelpFormatter, max_help_position=26)

GROUPS = SEE, DO, RUN = "See", "Change", "Run"


def _status(parser: _Parser) -> None:
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_interval,
        const=1.0,
        metavar="SECONDS",
        help="show it again and again, in place; every second if not given",
    )


def _jobs(parser: _Parser) -> None:
    add_filters(parser)
    _limit_of(parser, 20)
    parser.add_argument("--page", type=_count, default=1, metavar="N", help="1 is the newest")


def _job(parser: _Parser) -> None:
    parser.add_argument("id", metavar="ID", help="or its beginning or end, if only one job has it")


def _some_jobs(parser: _Parser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="or its beginning or end")
    add_filters(parser)
    parser.add_argument("--all", action="store_true", help="every job to which it can be done")
    _yes(parser)


def _cancel(parser: _Parser) -> None:
    _some_jobs(parser)
    parser.add_argument("--force", action="store_true", help="stop those that are running")


def _purge(parser: _Parser) -> None:
    add_filters(parser)
    _yes(parser)


def _yes(parser: _Parser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _schedule(parser: _Parser) -> None:
    parser.add_argument("name", metavar="SCHEDULE", help="as `schedules` shows it")


def _schedule_times(parser: _Parser) -> None:
    _schedule(parser)
    _limit_of(parser, 10)


def _what_rests(parser: _Parser) -> None:
    parser.add_argument("name", nargs="?", metavar="SCHEDULE", help="as `schedules` shows it")
    parser.add_argument("--queue", metavar="QUEUE", help="a queue: none of its jobs begins")
    parser.add_argument("--all", action="store_true", help="all jobs and schedules")


def _expression(parser: _Parser) -> None:
    parser.add_argument(
        "expression", metavar="EXPRESSION", help="in quotes, such as '30 7 * * mon-fri'"
    )
    parser.add_argument(
        "--timezone", metavar="ZONE", help="such as Europe/Berlin; the machine's if not given"
    )
    _limit_of(parser, 10)


def _setting(parser: _Parser) -> None:
    parser.add_argument("key", metavar="KEY", help="as `settings` shows it")


def _change(parser: _Parser) -> None:
    _setting(parser)
    parser.add_argument(
        "value", metavar="VALUE", help="as it would be written in the configuration"
    )


def _backup(parser: _Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="must not be there yet")


def _run(parser: _Parser) -> None:
    parser.add_argument(
        "--app",
        metavar="MODULE",
        help="the module that calls autocron.start(), or makes the app; module:name, or module:name() for a factory",
    )


def _completion(parser: _Parser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="for which shell")


def _limit_of(parser: _Parser, default: int) -> None:
    parser.add_argument(
        "--limit", type=_count, default=default, metavar="N", help=f"{default} if not given"
    )


VERBS = (
    Verb("status", SEE, looking.show_status, add=_status, examples=["status", "status --watch"]),
    Verb("jobs", SEE, looking.list_jobs, add=_jobs,
         examples=["jobs --status error --since 2h", "jobs --task send_mail --limit 50 --page 2"]),
    Verb("job", SEE, looking.show_job, add=_job, examples=["job 01a201ca-2ee6-72e1-9f69-0bb079b709ac", "job 0bb079b709ac"]),
    Verb("tasks", SEE, looking.list_tasks),
    Verb("schedules", SEE, schedules.list_schedules),
    Verb("next-runs", SEE, schedules.show_next_runs, add=_schedule_times, examples=["next-runs shop.report --limit 3"]),
    Verb("ticks", SEE, schedules.show_ticks, add=_schedule_times, examples=["ticks shop.report"]),
    Verb("cron", SEE, alone=schedules.show_expression, add=_expression,
         examples=["cron '30 7 * * mon-fri' --timezone Europe/Berlin"]),
    Verb("settings", SEE, looking.show_settings),
    Verb("doctor", SEE, unopened=diagnosing.show_diagnosis),
    Verb("retry", DO, jobs.retry_jobs, add=_some_jobs,
         examples=["retry 0bb079b709ac", "retry --status error --task send_mail --since 2h"]),
    Verb("cancel", DO, jobs.cancel_jobs, add=_cancel, examples=["cancel 0bb079b709ac --force", "cancel --queue reports"]),
    Verb("delete", DO, jobs.delete_jobs, add=_some_jobs, examples=["delete --status waiting --task old_task"]),
    Verb("purge", DO, jobs.purge_jobs, add=_purge, examples=["purge", "purge --until 7d --yes"]),
    Verb("pause", DO, schedules.pause, add=_what_rests,
         examples=["pause shop.report", "pause --queue reports", "pause --all"]),
    Verb("resume", DO, schedules.resume, add=_what_rests, examples=["resume shop.report", "resume --all"]),
    Verb("run-now", DO, schedules.run_schedule_now, add=_schedule, examples=["run-now shop.report"]),
    Verb("set", DO, changing.change_setting, add=_change, examples=["set workers 4"]),
    Verb("unset", DO, changing.unset_setting, add=_setting, examples=["unset workers"]),
    Verb("reset", DO, changing.reset_settings),
    Verb("disable", DO, changing.disable),
    Verb("enable", DO, changing.enable),
    Verb("restart", DO, changing.restart),
    Verb("backup", DO, changing.backup, add=_backup, examples=["backup /var/backups/project.db"]),
    Verb("delete-database", DO, changing.delete_database, add=_yes),
    Verb("run", RUN, alone=running.run, add=_run, examples=["run --app shop", "run --app 'shop:create_app()'"]),
    Verb("completion", RUN, alone=completing.completion, add=_completion,
         examples=["completion bash > ~/.local/share/bash-completion/completions/autocron",
                   "completion zsh > ~/.zfunc/_autocron"]),
)  # fmt: skip


def parser(prog: str) -> argparse.ArgumentParser:
    """Return the parser of the command; `prog` is its name."""
    status = "\n".join(f"  {number:<4} {words}" for number, words in EXIT_STATUS.items())
    command = _Parser(
        prog=prog,
        description=DESCRIPTION,
        epilog=f"exit status:\n{status}\n\nMore about a verb: {prog} VERB --help",
        formatter_class=_FORMATTER,
    )
    command.add_argument("--version", action="version", version=f"autocron {__version__}")
    _add_common(command, database=None, json=False)
    common = _Parser(add_help=False)
    # Without a default of its own, or it would undo what stands before the verb.
    _add_common(common, database=argparse.SUPPRESS, json=argparse.SUPPRESS)
    verbs = command.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        added = verbs.add_parser(
            verb.name,
            help=verb.words,
            description=verb.words,
            parents=[common],
            epilog=_examples(prog, verb),
            formatter_class=_FORMATTER,
        )
        verb.add(added)
        added.set_defaults(
            run=verb.run,
            unopened=verb.unopened,
            alone=verb.alone,
            group=verb.group,
            command=prog,
        )
    return command


def _add_common(parser: _Parser, *, database: str | None, json: bool | str) -> None:
    parser.add_argument(
        "--database",
        metavar="PATH",
        default=database,
        help="the file; AUTOCRON_DATABASE if not given",
    )
    parser.add_argument(
        "--json", action="store_true", default=json, help="print JSON, for programs to read"
    )


def _examples(prog: str, verb: Verb) -> str | None:
    if not verb.examples:
        return None
    return "examples:\n" + "\n".join(f"  {prog} {example}" for example in verb.examples)


def summary() -> str:
    """Return all verbs with what they do, each in one line, for the help of other commands."""
    width = max(len(verb.name) for verb in VERBS)
    lines = []
    for group in GROUPS:
        lines += [
            f"{group}:",
            *(f"  {verb.name:{width}}  {verb.words}" for verb in verbs_in(group)),
            "",
        ]
    return "\n".join(lines)


def verbs_in(group: str) -> Iterator[Verb]:
    """Give the verbs of a group, in their order."""
    return (verb for verb in VERBS if verb.group == group)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("must be a number of seconds from 0.1 to 3600")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise argparse.ArgumentTypeError("must be a whole number from 1 to 1000000")
    return int(text)
