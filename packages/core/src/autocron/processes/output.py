"""Where supervisor and workers write to: the output of the app, or a file; whole lines at a time.

The host is left alone: all of this is for our own processes.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from autocron import events
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import OutputTurn, fork_guard
from autocron.settings import Settings

_STREAMS = {"stdout": 1, "stderr": 2}
_LONGEST_LINE = 1 << 20
"""More than this is not kept for the end of its line."""
_PATIENCE_AT_EXIT = 1.0

_writers: list[LineWriter] = []
_as_started: list[int] = []
"""What standard output and error were at the start, while they are a file."""


class _Line:
    """What a thread has written of a line that has not ended; sent when the thread ends."""

    def __init__(self, send: Callable[[bytes | bytearray], None]) -> None:
        self._send = send
        self._pid = os.getpid()
        self.text = bytearray()

    def take(self) -> bytearray:
        """Return what there is, and forget it."""
        text, self.text = self.text, bytearray()
        return text

    def __del__(self) -> None:
        if self.text and self._pid == os.getpid():
            self._send(self.take())


class LineWriter(io.BufferedIOBase):
    """Writes to a descriptor, line by line, so that no line has parts of another one in it.

    What a thread writes is kept until its line ends, or until it flushes; in a forked child that is
    forgotten, since the parent will send it. What cannot be written is dropped: a task must not fail since
    nobody reads what it prints, or since the disk of the log is full.

    Args:
        descriptor: where to write to. It stays open.
        turn: held while something is sent, by one process and thread at a time.
        name: what the stream is called.
    """

    mode = "wb"

    def __init__(self, descriptor: int, turn: OutputTurn, name: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._turn = turn
        self.name = name
        self.has_kept = False
        """Whether something was kept since this was last set to False."""
        self._forget_lines()

    def _forget_lines(self) -> None:
        self._own = threading.local()
        self._lines: weakref.WeakValueDictionary[int, _Line] = weakref.WeakValueDictionary()
        self._pid = os.getpid()  # last: whoever sees it finds the above

    def _line(self) -> _Line:
        if self._pid != os.getpid():
            with fork_guard():
                if self._pid != os.getpid():
                    self._forget_lines()
        try:
            line: _Line = self._own.line
        except AttributeError:
            line = self._own.line = _Line(self._send)
            self._lines[id(line)] = line
        return line

    def write(self, data: Any, /) -> int:
        """Send what makes whole lines, and keep the rest; return how much it was given."""
        piece, line = bytes(data), self._line()
        end = piece.rfind(b"\n") + 1
        if end:
            self._send(line.take() + piece[:end] if line.text else piece[:end])
        if end < len(piece):
            line.text += piece[end:]
            self.has_kept = True
            if len(line.text) > _LONGEST_LINE:
                self._send(line.take())
        return len(piece)

    def flush(self) -> None:
        """Send what this thread has written of a line that has not ended."""
        line = self._line()
        if line.text:
            self._send(line.take())

    def flush_all(self) -> None:
        """Send what any thread has written of a line that has not ended."""
        self._line()
        for reference in self._lines.valuerefs():
            line = reference()
            if line is not None and line.text:
                self._send(line.take())

    def _send(self, text: bytes | bytearray) -> None:
        with self._turn:
            rest = memoryview(text)
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:  # whoever shares it has made it non-blocking
                    _wait_for_room(self._descriptor)
                except OSError:  # EPIPE: the reader is gone; EIO: the terminal is; ENOSPC
                    return

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it leads to a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Whether it can be written to: it can."""
        return True


def _wait_for_room(descriptor: int) -> None:
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    room.poll()


def take_over_output(folder: RuntimeFolder) -> None:
    """Have what this process and its forks print sent line by line. To be called first of all.

    Args:
        folder: has the lock for it.
    """
    _keep_occupied(_STREAMS.values())
    turn = OutputTurn(folder.output_lock)
    for name, descriptor in _STREAMS.items():
        writer = LineWriter(descriptor, turn, f"<{name}>")
        before: TextIO | None = getattr(sys, name)
        if before is not None:
            before.flush()
        stream = io.TextIOWrapper(
            writer,
            encoding="utf-8" if before is None else before.encoding,
            errors="backslashreplace",
            newline="\n",
            write_through=True,
        )
        # Programs restore the one from the other.
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
        _writers.append(writer)
    atexit.register(send_unfinished)


def _keep_occupied(descriptors: Iterable[int]) -> None:
    """Open what the host has closed: or the next file to be opened would be what is printed to."""
    for descriptor in descriptors:
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            else:
                os.set_inheritable(descriptor, True)


def direct_output(settings: Settings) -> None:
    """Have output go where the settings say; again when they have changed."""
    file = settings.log_file and settings.database.parent / settings.log_file
    if file:
        try:
            _write_to(Path(file))
        except OSError as error:
            events.emit("supervisor.output_failed", file=file, error=error.strerror)
    else:
        _write_as_started()


def _write_to(file: Path) -> None:
    # O_NONBLOCK: or who opens a FIFO waits for somebody at its other end.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    opened = os.open(file, flags, 0o600)
    try:
        os.set_blocking(opened, True)
        if not _as_started:
            _as_started.extend([os.dup(descriptor) for descriptor in _STREAMS.values()])
        for descriptor in _STREAMS.values():
            os.dup2(opened, descriptor)
    finally:
        os.close(opened)


def _write_as_started() -> None:
    for descriptor, before in zip(_STREAMS.values(), _as_started, strict=False):
        os.dup2(before, descriptor)
        os.close(before)
    _as_started.clear()


def output_of_app() -> tuple[int | None, int | None]:
    """Return what a spawned supervisor is to have as its output and error; None for those of this process."""
    if not _as_started:
        return None, None
    return _as_started[0], _as_started[1]


def send_unfinished_of_thread() -> None:
    """Send the lines that this thread has begun; costs next to nothing if it has written nothing."""
    for writer in _writers:
        if writer.has_kept:
            writer.has_kept = False
            writer.flush()


def send_unfinished() -> None:
    """Send the lines that threads of this process have begun, at its end."""
    for writer in _writers:
        writer.flush_all()


def send_unfinished_soon() -> None:
    """Do so before an exit that nothing may hold up, such as a pipe that is full."""
    sending = threading.Thread(target=send_unfinished, name="autocron-output", daemon=True)
    with suppress(RuntimeError):  # no more threads
        sending.start()
        sending.join(_PATIENCE_AT_EXIT)
