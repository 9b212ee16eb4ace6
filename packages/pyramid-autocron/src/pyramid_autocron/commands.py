"""`pautocron`: the admin tool for the database of an app."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from plaster import parse_uri
from pyramid.exceptions import ConfigurationExecutionError
from pyramid.paster import bootstrap, setup_logging
from pyramid.scripts.common import parse_vars

from autocron import cli
from autocron.cli.arguments import DESCRIPTION, summary
from autocron.errors import AutocronError


def main(argv: Sequence[str] = sys.argv) -> int:
    """Do what a verb of the admin tool does: `pautocron development.ini [NAME=VALUE ...] status`. Return the exit status."""
    parser = argparse.ArgumentParser(
        prog="pautocron",
        description=f"{DESCRIPTION}\n\n{summary()}",
        epilog="More about a verb: pautocron development.ini VERB --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("config_uri", help="the ini file of the app, as for pserve")
    parser.add_argument(
        "arguments",
        nargs=argparse.REMAINDER,
        metavar="[NAME=VALUE ...] VERB ...",
        help="variables of the ini file, as for pserve; then what to do",
    )
    given = parser.parse_args(argv[1:])
    variables = list(takewhile(lambda word: "=" in word, given.arguments))
    arguments = given.arguments[len(variables) :]
    if not arguments:
        parser.error("name a verb, such as status")
    path = parse_uri(given.config_uri).path
    if not Path(path).is_file():
        parser.error(f"{path}: there is no such file")
    options = parse_vars(variables)
    setup_logging(given.config_uri, global_conf=options)
    try:
        environment = bootstrap(given.config_uri, options=options)
    except ConfigurationExecutionError as error:
        if not isinstance(error.evalue, AutocronError):
            raise
        parser.error(str(error.evalue))
    with environment:
        client = environment["registry"].get("autocron")
        if client is None:
            parser.error('the app has no autocron: config.include("pyramid_autocron") is missing')
        return cli.main(
            arguments,
            database=client.settings.database,
            configured=client.configured,
            prog=f"pautocron {given.config_uri}",
        )
