"""How things look: tables that fit the terminal, or JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

_GAP = "  "
_NARROWEST = 8


@dataclass(frozen=True)
class Facts:
    """A name and a value in each line."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows with a head over each column."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Text:
    """Lines as they are."""

    text: str


Part: TypeAlias = Facts | Table | Text


@dataclass(frozen=True)
class Report:
    """What a verb has to say: `data` to programs, `parts` to people."""

    data: Any
    parts: Sequence[Part]


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        text = json.dumps(report.data, indent=2, default=str)
    else:
        text = "\n\n".join(_lines(part, _width()) for part in report.parts)
    # A terminal may not know all characters; what it does not know is no reason to fail.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()


def _width() -> int | None:
    """Return how wide lines may be; None for a file or a pipe, where nothing need be cut."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _lines(part: Part, width: int | None) -> str:
    match part:
        case Facts(values):
            longest = max(map(len, values))
            return "\n".join(
                f"{name:{longest}}{_GAP}{_clean(value)}" for name, value in values.items()
            )
        case Table(heads, rows):
            return _table(heads, [[_clean(value) for value in row] for row in rows], width)
        case Text(text):
            return "\n".join(map(_clean, text.splitlines()))


def _table(heads: Sequence[str], rows: list[list[str]], width: int | None) -> str:
    lines = [[head.upper() for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if width is not None:
        _narrow(widths, width)
    return "\n".join(
        _GAP.join(
            f"{_cut(cell, size):{size}}" for cell, size in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _narrow(widths: list[int], width: int) -> None:
    """Take from the widest columns what is too much.

    Never from the first: it names the row, and is what the next command is given.
    """
    while sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        candidates = [index for index, size in enumerate(widths) if index and size > _NARROWEST]
        if not candidates:
            return
        widths[max(candidates, key=widths.__getitem__)] -= 1


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 3] + "..."


def _clean(value: Any) -> str:
    """Return a value as one line that leaves the terminal alone."""
    text = "-" if value is None else str(value)
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
