"""`flask autocron`: the admin tool for the database of the app."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from autocron.app import current_client
from autocron.errors import AutocronError


class _Verbs(click.Command):
    def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs; imported here, since the flask command loads this module whatever it is to run."""
        from autocron.cli.arguments import DESCRIPTION, summary

        formatter.write_paragraph()
        formatter.write_text(DESCRIPTION)
        formatter.write_paragraph()
        formatter.write(summary())


@click.command(
    "autocron",
    cls=_Verbs,
    short_help="See and change the app's jobs, schedules and settings.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="More about a verb: flask autocron VERB --help",
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="VERB ...")
@click.pass_context
@with_appcontext
def autocron(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Do what a verb of the admin tool does."""
    from autocron import cli

    try:
        client = current_client()
    except AutocronError as error:
        raise click.ClickException(f"{error} The extension does that: Autocron(app).") from None
    status = cli.main(
        arguments,
        database=client.settings.database,
        configured=client.configured,
        prog=context.command_path,
    )
    context.exit(status)
