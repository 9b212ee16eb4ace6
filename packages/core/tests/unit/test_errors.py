import inspect
import string

import pytest

from autocron import errors
from autocron.errors import AutocronError, InvalidOption, SettingsError, WaitTimeout

ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, AutocronError)
]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_error_words_its_own_message(kind):
    """An error is made of named details, all of which its message uses, and keeps them."""
    fields = [field for _, field, _, _ in string.Formatter().parse(kind.message) if field]
    details = dict.fromkeys(fields, 1)
    if kind is SettingsError:
        assert str(SettingsError(["one", "two"])) == "one; two"
        assert SettingsError(["one", "two"]).problems == ["one", "two"]
    else:
        error = kind(**details)
        assert "{" not in str(error)
        assert error.details == details


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_error_is_documented(kind):
    """Each class says when it is raised."""
    assert kind.__doc__


def test_one_except_clause_gets_them_all():
    """Everything that autocron raises of its own is an `AutocronError`; what tasks raise to ask for something is not."""
    own = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    asked = (errors.Retry, errors.Cancel)
    raised = [kind for kind in own if issubclass(kind, Exception) and kind not in asked]
    assert len(raised) > 15
    assert all(issubclass(kind, AutocronError) for kind in raised)


def test_errors_are_also_what_python_calls_them():
    """Code that knows nothing of autocron catches them by the usual names."""
    assert issubclass(WaitTimeout, TimeoutError)
    assert issubclass(InvalidOption, ValueError)
    assert issubclass(errors.InvalidTask, TypeError)
    assert issubclass(errors.UnsupportedValue, TypeError)
    assert issubclass(errors.UnknownJob, LookupError)


def test_an_error_shows_a_value_as_it_was_written():
    """Quotes tell the string "5" from the number 5."""
    error = InvalidOption(option="retries", value="5", reason="must be a whole number")
    assert str(error) == "retries='5': must be a whole number"


def test_an_interrupt_passes_what_handles_errors():
    """A task that handles any `Exception` of its work does not stay by that."""
    for kind in (errors.TimeLimitExceeded, errors.JobStopped):
        assert issubclass(kind, errors.JobInterrupt)
        assert not issubclass(kind, Exception)


@pytest.mark.parametrize("after", [-1, True, "soon", float("nan"), 10**10])
def test_another_attempt_can_be_asked_for_within_bounds(after):
    """It is an error in the task that asks."""
    with pytest.raises(InvalidOption, match=r"^after="):
        errors.Retry(after=after)
    assert errors.Retry("busy", after=0).after == 0
    assert str(errors.Retry("busy")) == "busy"


def test_kinds_of_a_main_module_have_one_name():
    """It is called otherwise in workers."""
    kind = type("Lost", (OSError,), {"__module__": "__mp_main__"})
    assert errors.kinds_of(kind)[:2] == ("__main__.Lost", "builtins.OSError")


class Unspeakable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize("value", [Unspeakable(), 10**5000, "x" * 10_000], ids=type)
def test_no_value_can_spoil_the_message(value):
    """What has no `repr`, or an endless one, is an error like any other."""
    text = str(InvalidOption(option="retries", value=value, reason="must be a whole number"))
    assert text.startswith("retries=")
    assert text.endswith(": must be a whole number")
    assert len(text) < 300
