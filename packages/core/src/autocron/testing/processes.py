"""Real processes for tests: each in a folder of the test, and all of them gone at its end."""

from __future__ import annotations

import itertools
import os
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from autocron.processes.folder import RuntimeFolder
from autocron.stores.sqlite import SqliteStore

T = TypeVar("T")

DEADLINE = 30.0
"""Seconds after which a test fails that waits: long, since machines that run tests are slow."""

_LOOK_AGAIN = 0.02


def wait_until(
    condition: Callable[[], T], *, within: float = DEADLINE, or_show: Callable[[], object] = str
) -> T:
    """Wait until `condition()` is true, and return what it returned.

    Args:
        condition: is called again and again.
        within: the deadline, in seconds.
        or_show: returns what the failure is to tell, such as the output of a program.

    Raises:
        AssertionError: it did not become true in time.

    Example:
        >>> wait_until(lambda: 6 * 7)
        42
    """
    deadline = time.monotonic() + within
    while not (outcome := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within:g} seconds\n{or_show()}")
        time.sleep(_LOOK_AGAIN)
    return outcome


def save(path: Path, text: str) -> None:
    """Write a file in one go, as editors do, so that a process which reads it just then gets the old one or the new."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    new.replace(path)


_PORTS = range(20_000, 31_000)
"""Below those that the kernel gives to outgoing connections (ip(7), `ip_local_port_range`), which might take one."""

_MOST_RESERVED = 50
_numbers = itertools.count(os.getpid() * 100)
_reserved: deque[socket.socket] = deque()


def free_port() -> int:
    """Return the number of a TCP port on which nobody listens, another one with each call.

    It is reserved for a while, for a server that is yet to be started: by binding the UDP port of that number, which no
    server of ours needs, and which no other process can bind that asks here.
    """
    for number in itertools.islice(_numbers, len(_PORTS)):
        port = _PORTS[number % len(_PORTS)]
        reservation = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe, suppress(OSError):
            reservation.bind(("127.0.0.1", port))
            probe.bind(("127.0.0.1", port))
            _reserved.append(reservation)
            if len(_reserved) > _MOST_RESERVED:
                _reserved.popleft().close()
            return port
        reservation.close()
    raise OSError(f"no port from {_PORTS[0]} to {_PORTS[-1]} is free")


def is_listening(port: int) -> bool:
    """Whether a TCP port accepts connections; makes no request."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str) -> str:
    """Return the arguments of Python, as in a shell, that make it become a program of its environment."""
    path = Path(sys.executable).with_name(name)
    return f"-c 'import os, sys; os.execv(sys.argv[1], sys.argv[1:])' {shlex.quote(str(path))}"


def heed_signals() -> None:
    """Ignore no signal that ends a program, as a shell has what it runs in the background do: children inherit that."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@dataclass(frozen=True)
class AutocronProcess:
    """A process that autocron has started: its role is `"supervisor"` or `"worker"`."""

    pid: int
    parent: int
    role: str
    database: Path

    @classmethod
    def all_below(cls, folder: Path) -> list[AutocronProcess]:
        """Return those that are alive and have their database in a folder.

        This asks the kernel, and so finds those that no database and no supervisor knows of (any more).
        """
        processes = [process for process in cls._all() if folder in process.database.parents]
        supervisors = {process.pid for process in processes if process.role == "supervisor"}
        # A worker is a fork of its supervisor, and for a moment looks like it.
        return [
            replace(process, role="worker") if process.parent in supervisors else process
            for process in processes
        ]

    @classmethod
    def _all(cls) -> Iterator[AutocronProcess]:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    words = entry.joinpath("cmdline").read_bytes().decode().split("\0")
                    if len(words) > 3 and words[1].endswith("/autocron/boot.py"):
                        status = entry.joinpath("status").read_text()
                        parent = status.partition("\nPPid:")[2].split()[0]
                        _, _, role, *_, database = filter(None, words)
                        yield cls(int(entry.name), int(parent), role, Path(database))


class Program:
    """A running program, with what it has put out so far.

    Args:
        command: its name and arguments.
        folder: where it runs.
        environ: environment variables in addition to those of the test.
        output: the file that its output goes to.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environ: Mapping[str, str], output: Path
    ) -> None:
        self._output = output
        heed_signals()
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | environ,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid: int = self._process.pid
        """Its process id, which is also that of its process group."""

    @property
    def output(self) -> str:
        """What it and its workers have put out so far."""
        return self._output.read_text(errors="replace")

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        # It is not reaped before `close`: until then nobody else can be given its process id.
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return not self._is_closed and os.waitid(os.P_PID, self.pid, look) is None

    def end(self, number: int = signal.SIGTERM, *, group: bool = False) -> None:
        """Send a signal, and wait for the end.

        Args:
            number: the signal.
            group: send it to all processes of the group, as a terminal does on Ctrl-C.
        """
        if self.is_alive:
            (os.killpg if group else os.kill)(self.pid, number)
        wait_until(lambda: not self.is_alive, or_show=lambda: self.output)

    def close(self) -> None:
        """Kill what is left of the group; closing twice does no harm."""
        if not self._is_closed:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(DEADLINE)

    @property
    def _is_closed(self) -> bool:
        return self._process.returncode is not None


class Project:
    """A folder with an application, and the programs that run there; none is left at its end.

    Args:
        folder: an empty folder.
        environ: environment variables for all programs.

    Example:
        ```python
        with closing(Project(tmp_path)) as project:
            project.write("application.py", text)
            server = project.start("-m", "flask", "--app", "application", "run")
            wait_until(lambda: project.autocron_processes("worker"))
        ```
    """

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder.resolve()
        self.environ = {"PYTHONUNBUFFERED": "1"} | dict(environ or {})
        self._programs: list[Program] = []

    def write(self, name: str, text: str) -> Path:
        """Write a text, without its indentation, to a file of the folder; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, textwrap.dedent(text))
        return path

    def start(self, *arguments: str, **environ: str) -> Program:
        """Start Python with these arguments, and do not wait."""
        output = self.folder / f"output-{len(self._programs)}.txt"
        command = [sys.executable, *arguments]
        program = Program(command, self.folder, self.environ | environ, output)
        self._programs.append(program)
        return program

    def run(
        self, *arguments: str, text: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments to its end, and return how it ended.

        Args:
            arguments: of the interpreter.
            text: what it gets to read.
            environ: more environment variables.
        """
        # To a file, not a pipe: a worker that was started against all expectations would keep it open. And to a new
        # one: workers of the program that was run before may still be writing to theirs.
        output = self.folder / "run-output.txt"
        output.unlink(missing_ok=True)
        with output.open("w") as file:
            done = subprocess.run(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=os.environ | self.environ | environ,
                input=text,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=DEADLINE,
                start_new_session=True,
            )
        done.stdout = output.read_text()
        return done

    def autocron_processes(self, role: str | None = None) -> list[AutocronProcess]:
        """Return the supervisors and workers, or only those of one role, of all databases here."""
        found = AutocronProcess.all_below(self.folder)
        return [process for process in found if role in (None, process.role)]

    @contextmanager
    def store(self, database: str) -> Iterator[SqliteStore]:
        """Open a database of the folder, to look into it."""
        store = SqliteStore(self.folder / database, turn=nullcontext())
        try:
            yield store
        finally:
            store.close()

    def has_started(self, database: str) -> bool:
        """Whether a supervisor has ever been started for a database of the folder."""
        return RuntimeFolder.of(self.folder / database).supervisor_lock.exists()

    @property
    def output(self) -> str:
        """What all programs have put out so far."""
        return "\n".join(program.output for program in self._programs)

    def close(self) -> None:
        """Kill all that was started here, whatever state it is in."""
        for program in self._programs:
            program.close()
        wait_until(self._is_empty)

    def _is_empty(self) -> bool:
        processes = self.autocron_processes()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return not processes
