"""The `autocron` command: shows what is in a database, and changes what an administrator may set.

It only uses what is there. It starts nothing, and makes neither a database nor its run-time files:
a file made by root would lock the application out.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from autocron.cli.arguments import parser
from autocron.cli.output import Report, show
from autocron.cli.verbs import opened
from autocron.errors import AutocronError
from autocron.settings import LoadedSettings

__all__ = ["main"]


def main(
    argv: Sequence[str] | None = None,
    *,
    database: Path | None = None,
    configured: LoadedSettings | None = None,
    prog: str = "autocron",
) -> int:
    """Run the command; return its exit status: 0 if all went well, 1 if an error was told.

    Wrong usage ends with status 2, as `argparse` has it.

    Args:
        argv: what stands after the command's name; None for that of this process.
        database: the file, for commands of adapters, which know it.
        configured: the settings of the application, for commands of adapters, which know them.
        prog: what the command is called in messages.
    """
    arguments = parser(prog).parse_args(argv)
    path = arguments.database or database or os.environ.get("AUTOCRON_DATABASE")
    if not path and arguments.alone is None:
        parser(prog).error("name the file with --database, or in AUTOCRON_DATABASE")
    try:
        show(_report(arguments, path, configured), as_json=arguments.json)
    except BrokenPipeError:
        # Whoever read it has seen enough; Python must not fail once more at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (AutocronError, OSError) as error:
        sys.stderr.write(f"{prog}: {error}\n")
        return 1
    return 0


def _report(
    arguments: Namespace, path: str | Path | None, configured: LoadedSettings | None
) -> Report:
    if path is None or arguments.alone is not None:
        return arguments.alone(arguments)  # type: ignore[no-any-return]
    with opened(Path(path), configured) as found:
        return arguments.run(found, arguments)  # type: ignore[no-any-return]
