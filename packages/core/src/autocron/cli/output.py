"""How things look: tables that fit the terminal, in colours if it has any, or JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO, TypeAlias

_GAP = "  "
_NARROWEST = (8, 4)
_SHORT_ID = 12

_RESET, _BOLD, _GREY = "\x1b[0m", "\x1b[1m", "\x1b[90m"
_RED, _GREEN, _YELLOW, _CYAN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"
_COLOURS = {
    **dict.fromkeys(["DONE", "FIRED", "running", "active", "ok"], _GREEN),
    **dict.fromkeys(["ERROR", "MISSED", "not running", "unusable", "problem"], _RED),
    **dict.fromkeys(["WAITING", "SKIPPED", "paused", "not loaded"], _YELLOW),
    **dict.fromkeys(["RUNNING"], _CYAN),
    **dict.fromkeys(["CANCELLED", "retired"], _GREY),
}


class Cell(ABC):
    """A value that has a short form, for where there is little room."""

    @abstractmethod
    def text(self, *, short: bool) -> str:
        """Return it in words."""


@dataclass(frozen=True)
class Moment(Cell):
    """A time, in seconds since 1970 UTC; in the machine's zone."""

    at: float | None

    def text(self, *, short: bool) -> str:
        """Return date, time and zone; in short the time of a moment of today, or the date and the minute."""
        if self.at is None:
            return "-"
        try:
            local = datetime.fromtimestamp(self.at).astimezone()
        except (OverflowError, ValueError, OSError):  # somebody else wrote it
            return str(self.at)
        if not short:
            return local.isoformat(" ", "seconds")
        is_today = local.date() == datetime.now().astimezone().date()
        return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class JobId(Cell):
    """The id of a job."""

    id: str | None

    def text(self, *, short: bool) -> str:
        """Return it; in short its end, by which the tool finds the job, too."""
        if self.id is None:
            return "-"
        return self.id[-_SHORT_ID:] if short else self.id


@dataclass(frozen=True)
class Either(Cell):
    """What has two forms that are known beforehand."""

    full: str
    short: str

    def text(self, *, short: bool) -> str:
        """Return one of them."""
        return self.short if short else self.full


@dataclass(frozen=True)
class Span(Cell):
    """A length of time, in seconds."""

    seconds: float | None

    def text(self, *, short: bool) -> str:
        """Return it in its two largest units.

        Example:
            >>> [Span(seconds).text(short=True) for seconds in (0.25, 5, 90, 86400 * 3 + 7200)]
            ['250 ms', '5 s', '1 min 30 s', '3 d 2 h']
        """
        if self.seconds is None:
            return "-"
        if 0 < self.seconds < 1:
            return f"{self.seconds * 1000:.0f} ms"
        whole = max(0, round(self.seconds))
        units = [("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60)]
        units.append(("s", whole % 60))
        first = next((index for index, (_, count) in enumerate(units) if count), len(units) - 1)
        shown = [f"{count} {unit}" for unit, count in units[first : first + 2] if count]
        return " ".join(shown) or "0 s"


@dataclass(frozen=True)
class Facts:
    """A name and a value in each line."""

    values: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows with a head over each column."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = ""
    """What to say instead if there are no rows."""


@dataclass(frozen=True)
class Text:
    """Lines as they are."""

    text: str


@dataclass(frozen=True)
class Raw:
    """What programs read, and people copy: not a character of it is changed."""

    text: str


Part: TypeAlias = Facts | Table | Text | Raw


@dataclass(frozen=True)
class Report:
    """What a verb has to say: `data` to programs, `parts` to people."""

    data: Any
    parts: Sequence[Part]
    status: int = 0
    """The exit status."""
    in_one_line: bool = False
    """Whether its JSON is one of several lines."""


@dataclass(frozen=True)
class Screen:
    """What is written to."""

    width: int | None
    """How wide lines may be; None for a file or a pipe, where nothing need be cut."""
    has_colours: bool

    @classmethod
    def of(cls, stream: TextIO) -> Screen:
        """Return what a stream leads to."""
        is_terminal = stream.isatty()
        # https://no-color.org: any value but an empty one
        wants_none = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        has_width = is_terminal or "COLUMNS" in os.environ
        width = shutil.get_terminal_size().columns if has_width else None
        return cls(width, is_terminal and not wants_none)

    def text(self, report: Report) -> str:
        """Return a report as people read it."""
        return "\n\n".join(filter(None, (self._lines(part) for part in report.parts)))

    def _lines(self, part: Part) -> str:
        match part:
            case Facts(values):
                longest = max(map(len, values))
                return "\n".join(
                    f"{name:{longest}}{_GAP}{self._coloured(clean(value))}"
                    for name, value in values.items()
                )
            case Table(heads, rows, empty):
                return self._table(heads, rows) if rows or not empty else empty
            case Text(text):
                return "\n".join(map(clean, text.splitlines()))
            case Raw(text):
                return text.rstrip("\n")

    def _table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
        cells = [[clean(value) for value in row] for row in rows]
        widths = _widths(heads, cells)
        if self.width is not None and _total(widths) > self.width:
            cells = [[clean(value, short=True) for value in row] for row in rows]
            widths = _widths(heads, cells)
            _narrow(widths, self.width)
        head = _GAP.join(_padded([head.upper() for head in heads], widths)).rstrip()
        lines = [_GAP.join(map(self._coloured, _padded(line, widths))).rstrip() for line in cells]
        return "\n".join([f"{_BOLD}{head}{_RESET}" if self.has_colours else head, *lines])

    def _coloured(self, text: str) -> str:
        colour = _COLOURS.get(text.rstrip()) if self.has_colours else None
        return text if colour is None else f"{colour}{text}{_RESET}"


def show(report: Report, *, as_json: bool) -> None:
    """Print a report."""
    write(as_text(report, as_json=as_json) + "\n")


def as_text(report: Report, *, as_json: bool) -> str:
    """Return a report as it is printed."""
    if as_json:
        return json.dumps(report.data, indent=None if report.in_one_line else 2, default=str)
    return Screen.of(sys.stdout).text(report)


def write(text: str) -> None:
    """Write to the standard output."""
    # A terminal may not know all characters; what it does not know is no reason to fail.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(heads, *cells, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _narrow(widths: list[int], width: int) -> None:
    """Take from the widest columns what is too much.

    Never from the first: it names the row, and is what the next command is given.
    """
    for narrowest in _NARROWEST:
        while _total(widths) > width:
            candidates = [index for index, size in enumerate(widths) if index and size > narrowest]
            if not candidates:
                break
            widths[max(candidates, key=widths.__getitem__)] -= 1


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [f"{_cut(cell, size):{size}}" for cell, size in zip(cells, widths, strict=True)]


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 3] + "..."


def clean(value: Any, *, short: bool = False) -> str:
    """Return a value as one line that leaves the terminal alone."""
    if isinstance(value, Cell):
        text = value.text(short=short)
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = "-" if value is None else str(value)
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
