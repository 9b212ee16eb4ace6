"""Showing a report again and again, in place."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from autocron.cli.output import Report, as_text, write

_CLEAR, _HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"
_DO_NOT_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_SHARE = 10


def watch(look: Callable[[], Report], interval: float, *, as_json: bool) -> None:
    """Show what `look()` returns until Ctrl-C.

    On a terminal each report takes the place of the one before; elsewhere one follows the other, as JSON
    each in one line. With much to look at it looks less often: it takes no more than a tenth of the time.
    """
    is_terminal = sys.stdout.isatty() and not as_json
    if is_terminal:
        write(_CLEAR)
    try:
        while True:
            began = time.monotonic()
            text = as_text(replace(look(), in_one_line=True), as_json=as_json)
            if is_terminal:
                write(_in_place(text))
            else:
                write(text + ("\n" if as_json else "\n\n"))
            time.sleep(max(interval, _SHARE * (time.monotonic() - began)))
    except KeyboardInterrupt:  # how it is meant to end
        write("\n")


def _in_place(text: str) -> str:
    """Return a text such that it replaces what the terminal shows."""
    height = shutil.get_terminal_size().lines - 1
    lines = "".join(f"{line}{_CLEAR_LINE}\n" for line in text.splitlines()[:height])
    return f"{_HOME}{_DO_NOT_WRAP}{lines}{_CLEAR_BELOW}{_WRAP}"
