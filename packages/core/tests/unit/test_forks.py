"""Forks, while threads are in the midst of SQLite; what comes of it for jobs is in the store's contract."""

GATE = """
import os, threading, time
from autocron.stores.sqlite.forks import ForkGate

record = []
gate = ForkGate(lambda: record.append("close"))
gate.hook()
gate.hook()

def use(seconds):
    with gate:
        entered.set()
        time.sleep(seconds)   # what SQLite takes
        record.append("used")

def fork(exit_status=lambda: 0):
    child = os.fork()
    if child == 0:
        os._exit(exit_status())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def enter():
    with gate:
        return 7

entered = threading.Event()
"""


def test_a_fork_waits_for_who_is_at_it_and_then_has_all_closed(run_program):
    """Once for each fork, though it was asked twice to see to them."""
    done = run_program(
        GATE
        + """
thread = threading.Thread(target=use, args=(0.2,))
thread.start()
entered.wait()
assert fork() == 0
assert record == ["used", "close"], record
thread.join()
assert fork() == 0
assert record == ["used", "close", "close"], record
"""
    )
    assert done.returncode == 0, done.stderr


def test_a_child_can_go_on_at_once_whatever_the_parents_threads_did(run_program):
    """They are not there any more."""
    done = run_program(
        GATE
        + """
thread = threading.Thread(target=use, args=(3,), daemon=True)
thread.start()
entered.wait()
began = time.monotonic()
assert fork(enter) == 7
assert time.monotonic() - began < 2.5   # nor does a fork wait for ever
assert enter() == 7
assert record == ["close"], record
"""
    )
    assert done.returncode == 0, done.stderr


def test_a_fork_in_the_midst_of_it_by_the_same_thread_does_no_harm(run_program):
    """As that of a signal's handler: it waits for its second, and later ones do not."""
    done = run_program(
        GATE
        + """
def fork_again():
    began = time.monotonic()
    assert fork(enter) == 7
    return 0 if time.monotonic() - began < 0.9 else 1

with gate:
    child = os.fork()
if child == 0:
    os._exit(fork_again())
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert fork_again() == 0
"""
    )
    assert done.returncode == 0, done.stderr
