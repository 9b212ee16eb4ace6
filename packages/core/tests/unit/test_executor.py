import pytest

from autocron.codec import decode, encode_arguments
from autocron.errors import Cancel, Retry
from autocron.model import AskedAgain, AttemptOutcome, Cancelled, Failed, Succeeded
from autocron.running.executor import execute

NO_ARGUMENTS = "[[],{}]"


def run(function, *args, **kwargs):
    """Run a function as a worker does."""
    return execute(lambda _name: function, "shop.task", encode_arguments((), args, kwargs))


def raiser(error):
    """Return a function that raises an error."""

    def function():
        raise error

    return function


def test_what_is_returned_is_stored():
    """The outcome holds the text of the value."""
    outcome = run(lambda *args, **kwargs: (args, kwargs), 1, "a", b=2.5)
    assert isinstance(outcome, Succeeded)
    assert decode(outcome.result) == ((1, "a"), {"b": 2.5})


def test_async_functions_run_to_their_end():
    """An `async def` task has an event loop of its own."""

    async def double(value):
        import asyncio

        await asyncio.sleep(0)
        return value * 2

    assert run(double, 4) == Succeeded("8")


def test_an_async_function_that_raises_has_failed():
    """Its error is stored as that of any other."""

    async def fail():
        raise KeyError("no")

    assert run(fail).error == "KeyError: 'no'"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (SystemExit(3), "SystemExit: 3"),
        (SystemExit(), "SystemExit"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "MemoryError"),
        (StopIteration(1), "StopIteration: 1"),
        (BaseException("odd"), "BaseException: odd"),
    ],
    ids=repr,
)
def test_whatever_is_raised_ends_only_the_job(error, message):
    """Also what would end a program."""
    assert run(raiser(error)).error == message


def test_the_traceback_is_the_tasks_own():
    """It begins in the function, and shows nothing of how it was called."""

    def outer():
        inner()

    def inner():
        raise ValueError("deep")

    lines = run(outer).traceback.splitlines()
    assert "in outer" in lines[1]
    assert any("in inner" in line for line in lines)
    assert "autocron/running" not in str(lines)


def test_recursion_without_end_is_an_error():
    """It costs the job and not the worker, and its traceback is no book."""

    def recurse(value):
        return recurse(value + 1) + 1

    outcome = run(recurse, 0)
    assert outcome.error.startswith("RecursionError")
    assert len(outcome.traceback) < 60_000
    assert run(len, "abc") == Succeeded("3")


def test_a_result_that_cannot_be_stored_is_an_error():
    """The message says that it is the result, and of which task."""
    outcome = run(object)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith(
        "UnsupportedValue: the result of shop.task holds an instance of object, which cannot be stored"
    )


def test_arguments_that_somebody_else_wrote_are_an_error():
    """Stored text that is no arguments ends that one job."""
    for text in ("", "nonsense", "{}", '[[{"$":"os.system","v":"x"}],{}]'):
        assert execute(lambda _name: print, "shop.task", text).error.startswith("UnreadableValue")


def test_arguments_that_no_longer_fit_are_an_error():
    """The code may have changed since the call."""
    assert run(len, 1, 2, 3).error.startswith("TypeError")


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("not even that")


def test_an_error_without_words_is_an_error():
    """An exception whose `str()` raises is named by its type."""
    assert run(raiser(Unspeakable())).error == "Unspeakable: <str() of it raised RuntimeError>"


class Fatal(Exception):
    def __str__(self):
        raise SystemExit


def test_an_error_that_exits_when_it_is_shown_is_an_error():
    """A `str()` that raises what is no `Exception` costs the job and not the worker."""
    assert run(raiser(Fatal())).error == "Fatal: <str() of it raised SystemExit>"


def test_halves_of_characters_can_be_stored():
    """Lone surrogates, as in names of files, are escaped: the database could not take them."""
    outcome = run(raiser(OSError("name \udcff")))
    assert outcome.error == r"OSError: name \udcff"
    outcome.traceback.encode("utf-8")


def test_a_message_as_long_as_a_book_is_cut():
    """A gigabyte of text in an exception does not go into the database."""
    outcome = run(raiser(ValueError("x" * 10_000_000)))
    assert len(outcome.error) < 60_000
    assert len(outcome.traceback) < 60_000
    assert outcome.error.startswith("ValueError: xxx")


def test_the_ends_of_a_long_traceback_are_kept():
    """Where it began and what it was are worth more than the middle."""

    def chain(depth):
        try:
            if depth:
                chain(depth - 1)
            raise ValueError(f"number {depth}")  # noqa: TRY301 - a chain is the point
        except Exception as error:
            raise KeyError(f"{depth}" * 100) from error

    text = run(chain, 300).traceback
    assert len(text) < 60_000
    assert "[...]" in text
    assert "number 0" in text
    assert text.endswith("'\n")


class Transaction:
    """A context as a transaction manager has it: it commits unless it sees an error."""

    def __init__(self, *, error=None, swallows=False):
        self.record = []
        self.error = error
        self.swallows = swallows

    def __enter__(self):
        self.record.append("begin")

    def __exit__(self, kind, error, traceback):
        self.record.append("commit" if kind is None else f"abort {error!r}")
        if self.error:
            raise self.error
        return self.swallows


def run_in(transaction, function):
    """Run a function within a transaction."""
    return execute(lambda _name: function, "shop.task", NO_ARGUMENTS, lambda: transaction)


@pytest.mark.parametrize("swallows", [False, True])
def test_the_context_sees_a_failure(swallows):
    """A transaction of a job that fails is aborted, and the job fails whatever the context makes of it."""
    transaction = Transaction(swallows=swallows)
    assert run_in(transaction, raiser(KeyError(1))).error == "KeyError: 1"
    assert transaction.record == ["begin", "abort KeyError(1)"]


def test_the_context_sees_a_result_that_cannot_be_stored():
    """The job fails, and so must not leave half of its work behind."""
    transaction = Transaction()
    assert run_in(transaction, object).error.startswith("UnsupportedValue")
    assert transaction.record[1].startswith("abort UnsupportedValue")


def test_the_context_sees_a_success():
    """It commits."""
    transaction = Transaction()
    assert run_in(transaction, lambda: 1) == Succeeded("1")
    assert transaction.record == ["begin", "commit"]


def test_an_error_of_the_context_is_a_failure():
    """A commit that fails fails the job, and its traceback has the task's own error as well."""
    transaction = Transaction(error=OSError("full"))
    assert run_in(transaction, lambda: 1).error == "OSError: full"
    outcome = run_in(transaction, raiser(KeyError(1)))
    assert outcome.error == "OSError: full"
    assert "KeyError: 1" in outcome.traceback


def test_a_function_can_ask_for_another_attempt():
    """With or without a time and a reason."""
    asked = run(raiser(Retry("busy", after=5)))
    assert (type(asked), asked.after, asked.failure.error) == (AskedAgain, 5, "Retry: busy")
    assert asked.failure.outcome is AttemptOutcome.RETRY
    assert run(raiser(Retry())).after is None


def test_a_function_can_cancel_its_job():
    """With its reason; the class will do."""
    cancelled = run(raiser(Cancel("not needed")))
    assert (type(cancelled), cancelled.failure.error) == (Cancelled, "Cancel: not needed")
    assert cancelled.failure.outcome is AttemptOutcome.CANCELLED
    assert type(run(raiser(Cancel))) is Cancelled


def test_a_failure_knows_its_kinds():
    """The class of the exception, and those that it is derived from."""
    assert run(raiser(ConnectionResetError())).kinds[:3] == (
        "builtins.ConnectionResetError",
        "builtins.ConnectionError",
        "builtins.OSError",
    )


def test_arguments_that_do_not_fit_are_told(make_module):
    """The function is not called; the error names it and what is missing. An error of its own is another."""
    module = make_module(
        """
        import autocron
        @autocron.delay
        def mail(to, text): raise TypeError("own")
        """
    )
    missing = execute(lambda _: module.mail.run, "mail", encode_arguments((), ("a",), {}))
    assert missing.error.startswith(
        f"ArgumentsMismatch: the stored arguments do not fit {module.mail.name} ("
    )
    assert "missing 1 required positional argument: 'text'" in missing.error
    own = execute(lambda _: module.mail.run, "mail", encode_arguments((), ("a", "b"), {}))
    assert own.error == "TypeError: own"
    assert own.traceback.count("File ") == 1
