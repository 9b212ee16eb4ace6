import pytest

from autocron.model import WorkerInfo


def test_settings_can_be_set_and_unset(store, open_store):
    """Several at once; other connections see them; None unsets, also what was not set."""
    assert store.settings() == {}
    store.change_settings({"workers": 3, "ttl": 0.5, "enabled": False, "durability": "normal"})
    store.change_settings({"workers": 4, "ttl": None, "handover": None})
    other = open_store()
    assert other.settings() == {"workers": 4, "enabled": False, "durability": "normal"}


@pytest.mark.parametrize("value", [0, -1.5, True, False, "", "ü", 10**12])
def test_settings_keep_their_types(store, value):
    """A number is a number again, and True is not 1."""
    store.change_settings({"x": value})
    found = store.settings()["x"]
    assert found == value
    assert type(found) is type(value)


def test_workers_are_listed_by_number(store, now):
    """A number that is given again replaces the one before."""
    store.add_worker(WorkerInfo(2, 200, now))
    store.add_worker(WorkerInfo(1, 100, now))
    store.add_worker(WorkerInfo(2, 201, now + 5))
    assert store.workers() == [WorkerInfo(1, 100, now), WorkerInfo(2, 201, now + 5)]


def test_a_worker_can_be_forgotten(store, now):
    """Also one that was not there."""
    store.add_worker(WorkerInfo(1, 100, now))
    store.remove_worker(1)
    store.remove_worker(1)
    assert store.workers() == []
