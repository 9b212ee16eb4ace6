import math
import os
import signal
import threading
import time

import pytest

from autocron.errors import JobStopped, TimeLimitExceeded
from autocron.model import ClaimedJob
from autocron.policy import Policy
from autocron.processes.limits import SIGNAL, STOP, TIMEOUT, Board, Keeper, Limits


def job(job_id="a", timeout=None):
    """Return a job with a time limit."""
    return ClaimedJob(job_id, "shop.task", "[[],{}]", 1, 0, policy=Policy(timeout=timeout))


@pytest.fixture
def board():
    """Return the memory that a supervisor and its workers share."""
    return Board(10)


@pytest.fixture
def called():
    """Return how often the supervisor was called."""
    return []


@pytest.fixture
def limits(board, called):
    """Return those of worker 3, which is this process."""
    before = signal.getsignal(SIGNAL)
    yield Limits(board, 3, lambda: called.append(1))
    signal.signal(SIGNAL, before)


def test_what_is_run_can_be_seen(board, limits):
    """By its id and its limit, and only while it runs; each attempt has a turn of its own."""
    assert board.running(3) is None
    before = time.monotonic()
    limits.begin(job("x" * 36, timeout=60))
    running = board.running(3)
    assert (running.turn, running.job) == (1, "x" * 36)
    assert before + 60 <= running.until <= time.monotonic() + 60
    assert board.running(2) is board.running(4) is None
    limits.end()
    limits.end()
    assert board.running(3) is None
    limits.begin(job())
    assert (board.running(3).turn, board.running(3).until) == (2, float("inf"))
    board.clear(3)
    assert board.running(3) is None


def test_the_supervisor_is_called_only_if_it_would_look_too_late(board, limits, called):
    """So that a quick job with a limit costs nothing."""
    keeper = Keeper(board)
    limits.begin(job(timeout=60))
    assert called == [1]
    keeper.look({3: os.getpid()}, {}, 5)
    assert board.next_look == keeper.next_look == board.running(3).until
    limits.end()
    limits.begin(job(timeout=90))
    limits.end()
    limits.begin(job())
    assert called == [1]
    limits.end()
    limits.begin(job(timeout=30))
    assert called == [1, 1]


@pytest.mark.parametrize(
    ("timeout", "to_stop", "kind"), [(1e-9, {}, TimeLimitExceeded), (60, {3: "a"}, JobStopped)]
)
def test_what_runs_for_too_long_or_is_to_be_stopped_is_interrupted(
    board, limits, timeout, to_stop, kind
):
    """In the midst of what it does, once, and by the supervisor's signal."""
    keeper = Keeper(board)
    limits.begin(job(timeout=timeout))
    with pytest.raises(kind):
        keeper.look({3: os.getpid()}, to_stop, 5)
    assert limits.interrupted is kind
    keeper.look({3: os.getpid()}, to_stop, 5)
    limits.end()


def test_another_job_is_left_alone(board, limits):
    """Though one that was to be stopped has run in this worker before."""
    keeper = Keeper(board)
    limits.begin(job("b"))
    assert keeper.look({3: os.getpid()}, {3: "a", 4: "b"}, 5) == {}
    board.interrupt(3, 1, STOP)
    limits.end()
    limits.begin(job("c"))
    os.kill(os.getpid(), SIGNAL)
    limits.end()
    board.interrupt(3, 2, TIMEOUT)
    os.kill(os.getpid(), SIGNAL)
    assert limits.interrupted is None


@pytest.mark.parametrize(
    "module", ["autocron.writer", "autocron.processes.locks", "autocron.stores.sqlite.forks"]
)
def test_what_must_not_be_left_half_done_is_not_interrupted(board, limits, module):
    """The next signal comes soon."""
    limits.begin(job())
    board.interrupt(3, 1, STOP)
    delicate = {"__name__": module, "os": os, "SIGNAL": SIGNAL}
    exec("def put(): os.kill(os.getpid(), SIGNAL)", delicate)
    delicate["put"]()
    assert limits.interrupted is None
    with pytest.raises(JobStopped):
        os.kill(os.getpid(), SIGNAL)


def test_a_worker_has_nothing_to_do_with_an_earlier_one_of_its_number(board, limits):
    """That was interrupted, and has died of something else before it was killed for that."""
    keeper = Keeper(board)
    board.note(3, 1, 0.0, b"earlier")
    before = signal.signal(SIGNAL, signal.SIG_IGN)
    keeper.look({3: os.getpid()}, {}, 5)
    assert keeper.next_look < math.inf
    signal.signal(SIGNAL, before)
    keeper.forget(3)
    assert board.running(3) is None
    limits.begin(job("later"))
    keeper.look({3: os.getpid()}, {}, 5)
    assert keeper.next_look == math.inf
    assert limits.interrupted is None


def test_a_worker_that_does_not_heed_it_is_killed(board):
    """When the time for that is over; nobody else is."""
    keeper = Keeper(board)
    ready, end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(SIGNAL, signal.SIG_IGN)
        os.write(end, b"x")
        threading.Event().wait(30)
        os._exit(0)
    os.read(ready, 1)
    board.note(3, 7, 0.0, b"a")
    board.note(4, 1, float("inf"), b"b")
    assert keeper.look({3: child, 4: os.getpid()}, {}, 0.05) == {}
    assert keeper.next_look <= time.monotonic() + 0.05
    while not (killed := keeper.look({3: child, 4: os.getpid()}, {}, 0.05)):
        signal.sigtimedwait([], 0.01)
    assert [(number, each.job, each.why) for number, each in killed.items()] == [(3, "a", TIMEOUT)]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(ready)
    os.close(end)
