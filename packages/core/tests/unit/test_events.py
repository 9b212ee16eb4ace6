import pytest

from autocron import events


@pytest.fixture
def heard():
    """Return what a subscriber hears, and have it forgotten at the end."""
    before, heard = events._subscribers[:], []

    def subscriber(name, details):
        heard.append((name, dict(details)))

    events.subscribe(subscriber)
    events.subscribe(subscriber)
    yield heard
    events._subscribers[:] = before


def test_a_subscriber_hears_each_event_once(heard):
    """Also one that has subscribed twice; details may have any name, `name` included."""
    events.emit("schedule.fired", name="shop.report", id="1")
    assert heard == [("schedule.fired", {"name": "shop.report", "id": "1"})]


def test_no_event_is_lost_without_subscribers():
    """To emit without anybody listening does no harm."""
    before = events._subscribers[:]
    events._subscribers.clear()
    try:
        assert events.emit("job.done", id="1", task="t", seconds=0.0) is None
    finally:
        events._subscribers[:] = before
