"""`pautocron`: the admin tool for the database of an app."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pyramid.paster import bootstrap, setup_logging

from autocron import cli
from autocron.cli.arguments import DESCRIPTION, summary


def main(argv: Sequence[str] = sys.argv) -> int:
    """Do what a verb of the admin tool does: `pautocron development.ini status`. Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="pautocron",
        description=f"{DESCRIPTION}\n\n{summary()}",
        epilog="More about a verb: pautocron development.ini VERB --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("config_uri", help="the ini file of the app, as for pserve")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="VERB ...")
    given = parser.parse_args(argv[1:])
    if not given.arguments:
        parser.error("name a verb, such as status")
    try:
        setup_logging(given.config_uri)
        environment = bootstrap(given.config_uri)
    except FileNotFoundError as error:
        parser.error(f"{given.config_uri}: {error.strerror}")
    with environment:
        client = environment["registry"].get("autocron")
        if client is None:
            parser.error('the app has no autocron: config.include("pyramid_autocron") is missing')
        return cli.main(
            given.arguments,
            database=client.settings.database,
            configured=client.configured,
            prog=f"pautocron {given.config_uri}",
        )
