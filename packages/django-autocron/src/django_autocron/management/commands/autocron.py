"""`manage.py autocron`: the admin tool for the database of the site."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from autocron.cli import perform
from autocron.cli.arguments import DESCRIPTION, EXIT_STATUS, summary
from autocron.errors import AutocronError, UsageError
from django_autocron.configuration import loaded_settings
from django_autocron.extension import project

_INTERRUPTED = 130
_LOG_LEVELS = {0: "error", 2: "info", 3: "debug"}


class Command(BaseCommand):
    """See and change jobs, schedules and settings; `manage.py autocron run` keeps workers without a web process."""

    help = DESCRIPTION
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the verb with all that belongs to it, to be read by the tool itself."""
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = f"{summary()}\nMore about a verb: {parser.prog} VERB --help"
        parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="VERB ...")
        self._prog = parser.prog

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what a verb of the admin tool does.

        Raises:
            CommandError: the command line is wrong, or the verb has failed; with the tool's exit status.
        """
        common, arguments = _common_options().parse_known_args(options["arguments"])
        options |= vars(common)
        if options["verbosity"] in _LOG_LEVELS:
            project.override(log_level=_LOG_LEVELS[options["verbosity"]])
        try:
            loaded = loaded_settings()
            with redirect_stdout(self._output(is_plain=options["no_color"])):
                status = perform(
                    arguments,
                    database=loaded.settings.database,
                    configured=loaded,
                    prog=self._prog,
                    quiet=options["verbosity"] == 0,
                )
        except UsageError as error:
            raise CommandError(str(error), returncode=2) from error
        except (AutocronError, OSError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)
        if status:
            raise CommandError(EXIT_STATUS[status], returncode=status)

    def _output(self, *, is_plain: bool) -> Any:
        """Return where `call_command(stdout=...)` wants it, as it is: Django's wrapper would add ends of lines."""
        stream = self.stdout._out  # noqa: SLF001 - nothing public leads there
        return _Plain(stream) if is_plain else stream


class _Plain:
    """A stream that is not seen to be a terminal, which could have colours."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Return False."""
        return False


def _common_options() -> argparse.ArgumentParser:
    """Return what all of Django's commands understand, for after the verb; two of them Django has heeded by now."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    quiet = argparse.SUPPRESS
    parser.add_argument("-v", "--verbosity", type=int, choices=range(4), default=quiet)
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, default=quiet)
    for name in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
        parser.add_argument(name, action="store_true", default=quiet)
    return parser
