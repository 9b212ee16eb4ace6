"""What is told of a failure that lasts."""

import pytest

from autocron import events
from autocron.running.outage import Outage

FAILED, WORKS = "worker.store_failed", "worker.store_works"


@pytest.fixture
def told():
    """Return the events that were emitted, with their details."""
    found = []
    events.subscribe(subscriber := lambda name, details: found.append((name, dict(details))))
    yield found
    events._subscribers.remove(subscriber)


@pytest.fixture
def outage(told):
    """Return an outage that tells of what fails."""
    return Outage(FAILED, WORKS, number=7)


def test_a_cause_is_told_once_and_another_as_well(outage, told):
    """However often either comes again."""
    full, gone = OSError("full"), OSError("gone")
    for error in (full, full, gone, full, gone):
        outage.failed(error)
    assert told == [
        (FAILED, {"error": full, "number": 7}),
        (FAILED, {"error": gone, "number": 7}),
    ]


def test_the_end_is_told_once(outage, told):
    """And nothing is told of an end that had no beginning."""
    outage.ended()
    outage.failed(OSError("full"))
    assert outage.lasts
    for _ in range(3):
        outage.ended(count=2)
    assert [name for name, _ in told] == [FAILED, WORKS]
    assert told[1][1].items() >= {"number": 7, "count": 2}.items()
    assert 0 <= told[1][1]["seconds"] < 60
    assert not outage.lasts


def test_the_next_outage_is_told_again(outage, told):
    """Also if it has the cause of the last one."""
    for _ in range(2):
        outage.failed(OSError("full"))
        outage.ended()
    assert [name for name, _ in told] == [FAILED, WORKS] * 2


def test_causes_that_are_never_the_same_do_not_fill_the_log(outage, told):
    """After some of them the rest is known."""
    for number in range(1000):
        outage.failed(OSError(f"process {number}"))
    assert len(told) == 10


def test_pauses_grow_and_stay_short(outage):
    """So that all goes on soon after the cause is gone; the next outage begins anew."""
    assert [outage.failed(OSError("full")) for _ in range(7)] == [0.5, 1, 2, 4, 5, 5, 5]
    outage.ended()
    assert outage.failed(OSError("full")) == 0.5
