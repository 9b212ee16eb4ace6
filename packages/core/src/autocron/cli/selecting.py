"""Which jobs are meant on the command line, and whether what happens to them is wanted."""

from __future__ import annotations

import argparse
import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime, timedelta

from autocron.errors import CommandError, NotConfirmed
from autocron.model import JobStatus
from autocron.model_admin import Selection

_AGO = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d|w)")
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Let jobs be chosen by what they have in common."""
    group = parser.add_argument_group("which jobs")
    group.add_argument(
        "--status",
        type=status,
        action="append",
        metavar="STATUS",
        help=", ".join(JobStatus) + "; may be given several times",
    )
    group.add_argument("--task", metavar="TASK", help="its name or the end of it; * for anything")
    group.add_argument("--queue", metavar="QUEUE", help="the queue that they were put into")
    group.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="put in since then: 30min, 2h, 7d ago, or '2026-11-26 03:00', or 03:00",
    )
    group.add_argument("--until", type=moment, metavar="TIME", help="put in before then")


def status(text: str) -> JobStatus:
    """Return the status that is meant."""
    try:
        return JobStatus(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError("must be one of " + ", ".join(JobStatus)) from None


def moment(text: str) -> float:
    """Return the time that is meant: how long ago, a date with or without a time, or a time of today."""
    now = datetime.now().astimezone()
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return (now - timedelta(seconds=float(ago[1]) * _UNITS[ago[2]])).timestamp()
        if re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text.strip()):
            text = f"{now:%Y-%m-%d} {text.strip().zfill(5)}"
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError):
        reason = "must be like 30min, 2h, 7d, 2026-11-26, '2026-11-26 03:00' or 03:00"
        raise argparse.ArgumentTypeError(reason) from None


def selection_of(arguments: Namespace, only: Sequence[JobStatus] = ()) -> Selection:
    """Return what was chosen.

    Args:
        arguments: as `add_filters` has them.
        only: which statuses can be meant at all, if not all can.
    """
    wanted = tuple(arguments.status or only)
    return Selection(
        statuses=wanted,
        task=arguments.task,
        queue=arguments.queue,
        since=arguments.since,
        until=arguments.until,
    )


def has_filter(arguments: Namespace) -> bool:
    """Whether any was given."""
    return selection_of(arguments) != Selection()


def confirm(arguments: Namespace, what: str) -> None:
    """Ask whether something is meant, unless `--yes` says so.

    Args:
        arguments: have `yes`.
        what: what is going to happen, as a sentence without its end.

    Raises:
        NotConfirmed: it is not.
        CommandError: nobody can be asked.
    """
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(reason=f"{what}: say --yes if that is meant; nobody can be asked here")
    sys.stderr.write(f"{what}. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise NotConfirmed(reason="not confirmed")
