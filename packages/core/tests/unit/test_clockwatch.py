import select

import pytest

from autocron.processes.clockwatch import ClockWatch


class Clocks:
    """Two clocks, of which only one can be set."""

    def __init__(self):
        self.wall, self.steady = 1_795_000_000.0, 1000.0

    def go(self, seconds):
        """Let time pass."""
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks():
    """Return the clocks of the test."""
    return Clocks()


@pytest.fixture
def watch(clocks):
    """Return what compares them."""
    watch = ClockWatch(lambda: clocks.wall, lambda: clocks.steady)
    yield watch
    watch.close()


@pytest.mark.parametrize("seconds", [-86400, -2, 2, 86400])
def test_it_is_noticed_that_the_clock_was_set(clocks, watch, seconds):
    """By how much, when at the earliest, and once."""
    start = clocks.wall
    clocks.go(100)
    clocks.wall += seconds
    change = watch.look()
    assert change.seconds == pytest.approx(seconds)
    assert change.since == start + seconds
    clocks.go(100)
    assert watch.look() is None


def test_time_that_passes_is_not_a_clock_that_is_set(clocks, watch):
    """However long nobody looked."""
    clocks.go(1_000_000)
    assert watch.look() is None


def test_a_clock_that_is_slewed_is_not_set(clocks, watch):
    """Corrections of less than a second change nothing, and do not add up."""
    for _ in range(100):
        clocks.go(30)
        clocks.wall += 0.9
        assert watch.look() is None


def test_the_kernel_is_asked_to_tell_when_the_clock_is_set(watch):
    """Its timer waits for that, with the flags that have it cancelled then, and for nothing else."""
    (timer,) = watch.descriptors
    with open(f"/proc/self/fdinfo/{timer}") as file:
        facts = dict(line.split(":", 1) for line in file.read().splitlines())
    assert int(facts["clockid"]) == 0  # CLOCK_REALTIME
    assert int(facts["settime flags"], 8) == 3  # TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
    assert select.select([timer], [], [], 0) == ([], [], [])
    assert watch.look() is None  # and reading it does not wait


@pytest.mark.parametrize(("seconds", "counts"), [(86400, 0), (-86400, -86400), (0.5, 0)])
def test_nothing_comes_too_early_while_the_clock_is_being_set(clocks, watch, seconds, counts):
    """Until it is known how it was set, what counts is the earlier one of the two clocks."""
    start = clocks.wall
    clocks.go(100)
    clocks.wall += seconds
    assert watch.time() == pytest.approx(start + 100 + counts)
    watch.look()
    assert watch.time() == pytest.approx(start + 100 + seconds)


def test_it_can_be_closed_twice(watch):
    """And says afterwards that there is nothing to wait for."""
    watch.close()
    watch.close()
    assert watch.descriptors == []
