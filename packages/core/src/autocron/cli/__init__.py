"""The `autocron` command: shows what is in a database, and changes what an administrator may.

It only uses what is there. But for `run` it starts nothing, and makes neither a database nor its run-time
files: a file made by root would lock the application out.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from autocron.administration.database import opened
from autocron.cli.arguments import SEE, parser
from autocron.cli.output import Report, show
from autocron.cli.watching import watch
from autocron.errors import AutocronError, UsageError
from autocron.processes.log import start_logging
from autocron.settings import LoadedSettings

__all__ = ["main", "perform"]

_WRONG_USAGE = 2
_INTERRUPTED = 130


def main(
    argv: Sequence[str] | None = None,
    *,
    database: Path | None = None,
    configured: LoadedSettings | None = None,
    prog: str = "autocron",
) -> int:
    """Run the command; return its exit status, see `arguments.EXIT_STATUS`.

    Args:
        argv: what stands after the command's name; None for that of this process.
        database: the file, for commands of adapters, which know it.
        configured: the settings of the application, for commands of adapters, which know them.
        prog: what the command is called in messages.
    """
    try:
        return perform(argv, database=database, configured=configured, prog=prog)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG_USAGE
    except BrokenPipeError:
        # Whoever read it has seen enough; Python must not fail once more at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return _INTERRUPTED
    except (AutocronError, OSError) as error:
        sys.stderr.write(f"{prog}: {error}\n")
        return 1


def perform(
    argv: Sequence[str] | None,
    *,
    database: Path | None = None,
    configured: LoadedSettings | None = None,
    prog: str,
    quiet: bool = False,
) -> int:
    """Do what `main` does, but leave it to the caller to tell of errors.

    Args:
        argv: as `main` takes it, as are `database`, `configured` and `prog`.
        database: see there.
        configured: see there.
        prog: see there.
        quiet: whether to print nothing but what a verb is there to show.

    Raises:
        UsageError: the command line is wrong.
        AutocronError: anything else is.
        OSError: what was written has no reader any more.
    """
    arguments = parser(prog).parse_args(argv)
    arguments.quiet = quiet and arguments.group != SEE
    path = arguments.database or database or os.environ.get("AUTOCRON_DATABASE")
    if not path and arguments.alone is None:
        parser(prog).error("name the file with --database, or in AUTOCRON_DATABASE")
    path = Path(path or "")
    start_logging()  # for commands of frameworks, which configure it
    if arguments.alone is not None:
        return _shown(arguments.alone(arguments), arguments)
    if arguments.unopened is not None:
        return _shown(arguments.unopened(path, configured), arguments)
    with opened(path, configured) as found:
        return _run(lambda: arguments.run(found, arguments), arguments)


def _run(look: Callable[[], Report], arguments: Namespace) -> int:
    interval = getattr(arguments, "watch", None)
    if interval is None:
        return _shown(look(), arguments)
    watch(look, interval, as_json=arguments.json)
    return 0


def _shown(report: Report, arguments: Namespace) -> int:
    if not arguments.quiet:
        show(report, as_json=arguments.json)
    return report.status
