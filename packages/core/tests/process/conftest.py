"""The sites that process tests are made of."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from process_harness import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site in a folder of its own."""
    site = Site(tmp_path)
    try:
        yield site
    finally:
        site.clean_up()


APP = """
import os, pathlib, signal, sys, time
import autocron

HERE = pathlib.Path(__file__).parent

def note(name, text):
    with open(HERE / name, "a") as file:
        file.write(f"{text}\\n")

@autocron.delay
def pid():
    return os.getpid()

@autocron.delay
def add(a, b=1):
    return a + b

@autocron.delay
def block(name):
    note(name, os.getpid())
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.01)
    return name

autocron.start("site.db", **SETTINGS)
"""


@pytest.fixture
def app(site: Site) -> Callable[..., Site]:
    """Writes the usual application, with settings and with more code."""

    def write(more: str = "", **settings: Any) -> Site:
        code = textwrap.dedent(APP).replace(
            "autocron.start(", textwrap.dedent(more) + "\nautocron.start("
        )
        site.write(code.replace("**SETTINGS", f"**{settings!r}"))
        return site

    return write
