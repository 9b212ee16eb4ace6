"""Locks and forks: what the kernel holds for a process must not be kept alive by its children."""

import os
import signal
import threading

import pytest

from autocron.processes.locks import CallersTurn, Lock, OutputTurn, WorkersTurn

FORK_BESIDE_A_THREAD = """
import os
import sys
import threading
from pathlib import Path

from autocron.processes.locks import Lock

path = Path("test.lock")


def take_again_and_again():
    while True:
        lock = Lock(path)
        lock.acquire(wait=False)
        lock.release()


def inherited():
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}").endswith(path.name):
                return True
        except FileNotFoundError:
            pass  # that of the listing itself
    return False


sys.setswitchinterval(1e-6)
threading.Thread(target=take_again_and_again, daemon=True).start()
for _ in range(200):
    child = os.fork()
    if child == 0:
        os._exit(inherited())
    if os.waitpid(child, 0)[1]:
        sys.exit("a child has inherited the lock")
"""


def test_a_fork_while_a_thread_takes_a_lock_leaves_nothing_open(run_program):
    """A child has none of its parent's lock files, at whatever moment it was forked."""
    # Coverage has a lock of its own, which the thread may hold at the fork, and nobody in the child lets go.
    unmeasured = {name: os.environ[name] for name in os.environ if "COVERAGE" not in name}
    done = run_program(FORK_BESIDE_A_THREAD, env=unmeasured)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", [CallersTurn, WorkersTurn])
def test_a_turn_that_cannot_be_taken_is_done_without(tmp_path, kind):
    """It is for fairness only: without a lock file, or with too many open ones, all goes on."""
    count = 1 if kind is CallersTurn else 2
    turn = kind(*[tmp_path / "missing" / name for name in ("callers.lock", "writers.lock")][:count])
    for _ in range(3):
        with turn:
            pass
    (tmp_path / "missing").mkdir()
    with turn:
        assert (tmp_path / "missing" / "callers.lock").exists()


FORK_UNKNOWN_TO_PYTHON = """
import ctypes
import os
import sys
from pathlib import Path

from autocron.processes.locks import Lock, is_held

lock = Lock(Path("parent.lock"))
assert lock.acquire(wait=False)
child = ctypes.PyDLL(None).fork()
if child == 0:
    own = Lock(Path("child.lock"))
    own.acquire(wait=False)
    links = [os.readlink(f"/proc/self/fd/{number}") for number in range(20) if os.path.exists(f"/proc/self/fd/{number}")]
    os._exit(sum(link.endswith(".lock") for link in links))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
assert is_held(Path("parent.lock"))
"""


def test_a_child_that_was_forked_without_pythons_knowledge_lets_go_with_its_first_lock(run_program):
    """No hook runs in it, as under uWSGI; the lock stays its parent's."""
    done = run_program(FORK_UNKNOWN_TO_PYTHON)
    assert done.returncode == 0, done.stderr


def test_a_lock_that_is_not_taken_leaves_no_file_open(tmp_path, open_files):
    """Who asks again and again would run out of them."""
    path = tmp_path / "test.lock"
    first, second = Lock(path), Lock(path)
    assert first.acquire(wait=False)
    assert not second.acquire(wait=False)
    assert open_files().count(str(path)) == 1
    first.release()


class Interrupted(BaseException):
    """What a signal handler of the host raises."""


def test_an_interrupted_turn_lets_other_threads_go_on(tmp_path):
    """As Ctrl-C does it, in the midst of waiting."""

    def interrupt(_number, _frame):
        raise Interrupted

    def wait():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with turn:
            threading.Event().wait(30)

    path = tmp_path / "output.lock"
    holder, turn = Lock(path), OutputTurn(path)
    holder.acquire(wait=False)
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interrupted):
            wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
    holder.release()
    other = threading.Thread(target=turn.__enter__, daemon=True)
    other.start()
    other.join(30)
    assert not other.is_alive()
