"""`flask autocron`: the admin tool for the database of the app."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from autocron.app import current_client
from autocron.errors import AutocronError

HELP = """Look into the app's jobs, and change the settings of its workers.

\b
status         the app's workers, and how many jobs there are
jobs           the latest jobs
job ID         one job, with its outcome
schedules      the schedules: when each is due next
next-runs      the coming times of one
ticks          what came of its latest due times
pause, resume  have it not run for a while
run-now        run it besides its times
cron           the coming times of an expression
settings       the settings, and where each value comes from
set, unset     change a setting, or take the change back
"""


@click.command(
    "autocron",
    help=HELP,
    short_help="Look into the app's jobs, and change settings.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="More about a verb: flask autocron VERB --help",
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="VERB ...")
@click.pass_context
@with_appcontext
def autocron(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Look into the app's jobs, and change the settings of its workers."""
    from autocron import cli  # the flask command loads this module whatever it is to run

    try:
        client = current_client()
    except AutocronError as error:
        raise click.ClickException(f"{error} The extension does that: Autocron(app).") from None
    status = cli.main(
        arguments,
        database=client.settings.database,
        configured=client.loaded,
        prog=context.command_path,
    )
    context.exit(status)
