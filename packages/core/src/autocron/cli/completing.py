"""The verb `completion`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from autocron.cli.output import Raw, Report

SHELLS = ("bash", "zsh")


def completion(arguments: Namespace) -> Report:
    """Print a script that completes verbs and options in a shell."""
    file = Path(__file__).with_name("completion") / f"autocron.{arguments.shell}"
    text = file.read_text(encoding="utf-8")
    return Report({"shell": arguments.shell, "script": text}, [Raw(text)])
