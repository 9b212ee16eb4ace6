import fcntl
import io
import os
import select
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from autocron.processes.locks import OutputTurn
from autocron.processes.output import LineWriter


@pytest.fixture
def writer_to(tmp_path):
    """A function that returns a writer to a descriptor."""
    return lambda descriptor: LineWriter(descriptor, OutputTurn(tmp_path / "output.lock"), "<test>")


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def eager_threads():
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def what_came(pipe):
    """Return what can be read from a pipe now."""
    return os.read(pipe[0], 1 << 16) if select.select([pipe[0]], [], [], 0)[0] else b""


# Whole lines ----------------------------------------------------------------------------------


def test_threads_that_print_in_pieces_have_lines_of_their_own(tmp_path, writer_to, eager_threads):
    """What one thread has begun is not continued by another."""
    path = tmp_path / "output.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    stream = io.TextIOWrapper(writer_to(descriptor), "utf-8", write_through=True)

    def print_lines(letter):
        for _ in range(300):
            for _ in range(4):
                print(letter * 5, end="", file=stream)
            print(file=stream)

    threads = [threading.Thread(target=print_lines, args=[letter]) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(descriptor)
    assert sorted(path.read_text().split()) == [
        letter * 20 for letter in "abcd" for _ in range(300)
    ]


LONG_LINES = """
import os
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import take_over_output

take_over_output(RuntimeFolder(Path.cwd()))
for letter in "abcd":
    if os.fork() == 0:
        for _ in range(50):
            print(letter * 20_000)
        os._exit(0)
for _ in range(4):
    os.wait()
"""


def test_long_lines_of_several_processes_are_not_mixed(run_program):
    """Also those that are longer than what the kernel writes to a pipe as a whole."""
    done = run_program(LONG_LINES)
    expected = [letter * 20_000 for letter in "abcd" for _ in range(50)]
    assert sorted(done.stdout.splitlines()) == expected, done.stderr


def test_many_lines_at_once_are_sent_at_once(pipe, writer_to):
    """Lines that are written together arrive together, and what follows the last is kept."""
    writer = writer_to(pipe[1])
    assert writer.write(b"one\ntwo\nthr") == 11
    assert what_came(pipe) == b"one\ntwo\n"
    writer.write(memoryview(b"ee\n"))
    assert what_came(pipe) == b"three\n"


def test_a_line_without_end_is_sent_in_parts(pipe, writer_to):
    """What is printed does not fill the memory."""
    writer = writer_to(pipe[1])
    reading = threading.Thread(target=partial(read_all, pipe[0], (1 << 20) + 1))
    reading.start()
    for _ in range((1 << 20) // 1024):
        writer.write(b"x" * 1024)
    assert reading.is_alive()
    writer.write(b"x")
    reading.join()


def read_all(descriptor, size):
    """Return as many bytes from a descriptor."""
    parts = []
    while (missing := size - sum(map(len, parts))) > 0:
        parts.append(os.read(descriptor, missing))
    return b"".join(parts)


# Lines that have not ended --------------------------------------------------------------------


def test_a_line_that_was_begun_is_sent_when_it_is_flushed(pipe, writer_to):
    """A progress bar is seen as it grows; without a flush nothing is sent before the line ends."""
    stream = io.TextIOWrapper(writer_to(pipe[1]), "utf-8", write_through=True)
    print("10 %", end="", file=stream)
    assert what_came(pipe) == b""
    print("\r20 %", end="", flush=True, file=stream)
    assert what_came(pipe) == b"10 %\r20 %"


def test_what_a_thread_leaves_unfinished_is_sent_when_it_ends(pipe, writer_to):
    """A later thread, which may have the same id, does not continue it."""
    writer = writer_to(pipe[1])
    thread = threading.Thread(target=writer.write, args=[b"begun"])
    thread.start()
    thread.join()
    assert what_came(pipe) == b"begun"


FORK = """
import os
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import take_over_output

take_over_output(RuntimeFolder(Path.cwd()))
print("begun", end="")
if os.fork() == 0:
    print("child")
    raise SystemExit
os.wait()
print(" and ended")
"""


def test_a_child_forgets_what_its_parent_has_begun(run_program):
    """It is printed once, by the parent."""
    done = run_program(FORK)
    assert done.stdout == "child\nbegun and ended\n", done.stderr


FORK_WHILE_OTHERS_PRINT = """
import os
import sys
import threading
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import take_over_output


def print_again_and_again():
    while True:
        print("thread")


take_over_output(RuntimeFolder(Path.cwd()))
sys.setswitchinterval(1e-6)
threading.Thread(target=print_again_and_again, daemon=True).start()
for _ in range(100):
    child = os.fork()
    if child == 0:
        print("child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


def test_a_child_can_print_whatever_its_parents_threads_are_doing(run_program):
    """It does not wait for a thread that it does not have."""
    unmeasured = {name: os.environ[name] for name in os.environ if "COVERAGE" not in name}
    done = run_program(FORK_WHILE_OTHERS_PRINT, env=unmeasured)
    assert set(done.stdout.split()) == {"thread", "child"}, done.stderr
    assert done.stdout.split().count("child") == 100


EXITS = """
import os
import sys
import threading
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import send_unfinished_soon, take_over_output

take_over_output(RuntimeFolder(Path.cwd()))
begun = threading.Event()


def begin():
    print("a thread's", file=sys.stderr, end="")
    begun.set()
    threading.Event().wait()


threading.Thread(target=begin, daemon=True).start()
begun.wait()
print("begun", end="")
if "soon" in sys.argv:
    sending = threading.Thread(target=lambda: (send_unfinished_soon(), os._exit(0)))
    sending.start()
    sending.join()
"""


@pytest.mark.parametrize("how", ["", "soon"])
def test_unfinished_lines_are_sent_before_the_process_ends(run_program, how):
    """Those of all threads, at Python's own end as before one that another thread makes."""
    done = run_program(EXITS, how)
    assert (done.stdout, done.stderr) == ("begun", "a thread's")


FULL_PIPE = """
import os
import threading
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import send_unfinished_soon, take_over_output

unread = os.pipe()
os.dup2(unread[1], 1)
take_over_output(RuntimeFolder(Path.cwd()))
os.set_blocking(1, False)
try:
    while True:
        os.write(1, bytes(4096))
except BlockingIOError:
    os.set_blocking(1, True)
print("begun", end="")
send_unfinished_soon()
os._exit(5)
"""


def test_an_exit_does_not_wait_for_a_reader(run_program):
    """A process can end though nobody reads what it still had to say."""
    assert run_program(FULL_PIPE, timeout=20).returncode == 5


# Descriptors of all kinds ---------------------------------------------------------------------


def test_a_pipe_that_does_not_block_gets_all(pipe, writer_to):
    """Whoever shares it may have set it so; what has no room waits until there is some."""
    os.set_blocking(pipe[1], False)
    line = b"0123456789" * 100_000 + b"\n"
    writing = threading.Thread(target=writer_to(pipe[1]).write, args=[line])
    writing.start()
    assert read_all(pipe[0], len(line)) == line
    writing.join()


def pipe_without_reader():
    """Return a descriptor whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def terminal_that_was_closed():
    """Return a descriptor of a terminal whose window is gone."""
    master, terminal = os.openpty()
    os.close(master)
    return terminal


def full_disk():
    """Return a descriptor of a file for which there is no room."""
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("make", [pipe_without_reader, terminal_that_was_closed, full_disk])
def test_what_cannot_be_written_is_dropped(writer_to, make):
    """A task does not fail since nobody reads what it prints."""
    descriptor = make()
    stream = io.TextIOWrapper(writer_to(descriptor), "utf-8", write_through=True)
    print("unheard", file=stream)
    print("begun", end="", flush=True, file=stream)
    os.close(descriptor)


def test_a_process_that_is_stopped_while_it_writes_does_not_stop_the_others(
    tmp_path, pipe, writer_to
):
    """They wait for it once, for a short time, and then go on."""
    holder = os.open(tmp_path / "output.lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_EX)
    writer, began = writer_to(pipe[1]), time.monotonic()
    for _ in range(50):
        writer.write(b"line\n")
    assert time.monotonic() - began < 10
    assert what_came(pipe) == b"line\n" * 50
    os.close(holder)


def test_no_lock_is_needed(tmp_path, pipe):
    """With too many open files, or in a folder that was deleted, lines are sent all the same."""
    turn = OutputTurn(tmp_path / "missing" / "output.lock")
    LineWriter(pipe[1], turn, "<test>").write(b"line\n")
    assert what_came(pipe) == b"line\n"
    (tmp_path / "planted.lock").symlink_to(tmp_path)
    LineWriter(pipe[1], OutputTurn(tmp_path / "planted.lock"), "<test>").write(b"line\n")
    assert what_came(pipe) == b"line\n"


def test_what_is_printed_in_the_midst_of_a_print_does_not_wait_for_it(tmp_path):
    """The interpreter may call a finalizer of the application at any moment, which may print."""
    turn = OutputTurn(tmp_path / "output.lock")

    def print_within():
        with turn, turn:
            pass

    thread = threading.Thread(target=print_within, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


# The streams of a process ---------------------------------------------------------------------

STREAMS = """
import io
import os
import subprocess
import sys
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import take_over_output

print("before")
encoding = sys.stdout.encoding
take_over_output(RuntimeFolder(Path.cwd()))
assert (sys.stdout.fileno(), sys.stderr.fileno()) == (1, 2)
assert (sys.stdout.encoding, sys.stdout.errors) == (encoding, "backslashreplace")
assert sys.stdout.isatty() is os.isatty(1)
assert (sys.stdout.name, sys.stdout.writable(), sys.stdout.readable()) == ("<stdout>", True, False)
print("\\xe9 \\u20ac")
sys.stdout.buffer.write(b"bytes\\n")
subprocess.run(["echo", "child"], stdout=sys.stdout)
sys.stdout = io.StringIO()
print("to nowhere")
sys.stdout = sys.__stdout__
print("restored")
os._exit(0)
"""


def test_the_streams_are_what_programs_expect(run_program):
    """They have descriptors, buffers and an encoding, and never fail for a character."""
    environment = os.environ | {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUNBUFFERED": ""}
    done = run_program(STREAMS, env=environment, encoding="latin-1")
    assert done.stderr == ""
    assert done.stdout == "before\n\xe9 \\u20ac\nbytes\nchild\nrestored\n"


def test_a_terminal_is_known_as_one(writer_to):
    """Programs that print in colour ask for that."""
    master, terminal = os.openpty()
    assert io.TextIOWrapper(writer_to(terminal)).isatty()
    os.close(master)
    os.close(terminal)


CLOSED = """
import os
import sys
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.output import take_over_output

take_over_output(RuntimeFolder(Path.cwd()))
with open("opened.txt", "w") as file:
    print("lost")
    print("lost", file=sys.stderr)
    file.write(str(file.fileno() > 2))
"""


def test_a_host_without_output_does_not_have_it_go_elsewhere(run_program, tmp_path):
    """Where output and error are closed, no file gets their numbers, and printing does no harm."""
    program = tmp_path / "closed.py"
    program.write_text(CLOSED)
    command = f"exec {sys.executable} {program} >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0
    assert (tmp_path / "opened.txt").read_text() == "True"


DIRECTED = """
import sys
from pathlib import Path

from autocron.processes.folder import RuntimeFolder
from autocron.processes.log import start_logging
from autocron.processes.output import direct_output, output_of_app, take_over_output
from autocron.settings import load_settings


def direct(**more):
    direct_output(load_settings({"database": "folder/jobs.db", **more}).settings)


take_over_output(RuntimeFolder(Path.cwd()))
start_logging()
Path("folder").mkdir()
direct()
print("to the app")
assert output_of_app() == (None, None)
direct(log_file="jobs.log")
print("to the file")
print("errors, too", file=sys.stderr)
direct(log_file=str(Path("other.log").absolute()))
print("to another file")
direct(log_file="missing/jobs.log")
print("to the same file")
output, errors = output_of_app()
direct()
print("to the app again")
print("and so do errors", file=sys.stderr)
assert output > 2 and errors > 2
assert output_of_app() == (None, None)
"""


def test_output_goes_where_the_settings_say(run_program, tmp_path):
    """To a file beside the database or elsewhere, and back; if it cannot be opened, all stays as it is."""
    done = run_program(DIRECTED)
    assert done.stdout == "to the app\nto the app again\n", done.stderr
    assert done.stderr == "and so do errors\n"
    file = tmp_path / "folder" / "jobs.log"
    assert file.read_text() == "to the file\nerrors, too\n"
    assert file.stat().st_mode & 0o777 == 0o600
    first, why, then = (tmp_path / "other.log").read_text().splitlines()
    assert (first, then) == ("to another file", "to the same file")
    assert "output cannot go to" in why
    assert "(No such file or directory)" in why


SPAWNS = """
import os

from autocron.processes.spawn import AppCode, Orders, spawn

settings = {"python": "/bin/echo", "database": "folder/jobs.db"}
direct(log_file="jobs.log")
spawn("supervisor", Orders(settings, AppCode("", {})), os.open("lock", os.O_CREAT)).wait()
"""


def test_a_supervisor_that_is_spawned_has_the_output_of_the_app(run_program, tmp_path):
    """Whoever starts it: it decides for itself where its output goes."""
    done = run_program(DIRECTED.partition("direct()")[0] + SPAWNS)
    database = tmp_path / "folder" / "jobs.db"
    assert done.stdout.endswith(f"boot.py supervisor {database}\n"), done.stderr
    assert (tmp_path / "folder" / "jobs.log").read_text() == ""


def test_a_file_is_added_to(run_program, tmp_path):
    """What was in the log file stays, and a program that empties it does no harm."""
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "jobs.log"
    file.write_text("earlier\n")
    done = run_program(
        DIRECTED.partition("Path(")[0]
        + """
from pathlib import Path
take_over_output(RuntimeFolder(Path.cwd()))
direct_output(load_settings({"database": "folder/jobs.db", "log_file": "jobs.log"}).settings)
print("first")
assert Path("folder/jobs.log").read_text() == "earlier\\nfirst\\n"
Path("folder/jobs.log").write_text("")
print("second")
"""
    )
    assert done.returncode == 0
    assert file.read_text() == "second\n"
