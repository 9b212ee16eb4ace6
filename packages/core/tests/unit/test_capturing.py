import pytest

import autocron
from autocron.testing import capture, drain, eager

TEXT = """
import autocron

@autocron.delay
def double(number):
    return 2 * number
"""


@pytest.fixture(params=[True, False], ids=["enabled", "disabled"])
def double(request, path, make_module):
    """A task of an application that is switched on or off."""
    autocron.start(path, enabled=request.param, autostart=False)
    yield make_module(TEXT).double
    autocron.stop()


def test_nothing_runs_but_by_drain(double):
    """Whether the application has autocron switched off for its tests, or not."""
    with capture() as calls:
        result = double(21)
        assert result.status == "WAITING"
        assert [call.args for call in calls.of(double)] == [(21,)]
        assert drain() == 1
        assert result.result == 42
    assert len(calls) == 1


def test_calls_run_at_once_if_they_are_to(double):
    """The handle is ready."""
    with eager():
        assert double(21).result == 42
