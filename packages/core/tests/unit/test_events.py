import pytest

from autocron import events


@pytest.fixture
def heard():
    """Return what a subscriber hears, and have it forgotten at the end."""
    before, wishes, heard = events._subscribers[:], dict(events._wishes), []

    def subscriber(name, details):
        heard.append((name, dict(details)))

    events.subscribe(subscriber)
    events.subscribe(subscriber)
    yield heard
    events._subscribers[:] = before
    events._wishes.clear()
    events._wishes.update(wishes)


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


def test_an_event_is_wanted_if_any_subscriber_has_use_for_it(heard):
    """Who does not say what it wants gets everything; nobody wants anything of which nobody hears."""
    assert events.is_wanted("job.done")
    events._subscribers.clear()
    assert not events.is_wanted("job.done")
    events.subscribe(print, wants=lambda name: name == "job.failed")
    assert events.is_wanted("job.failed")
    assert not events.is_wanted("job.done")
