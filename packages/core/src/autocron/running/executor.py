"""Runs one job. Knows nothing around it: no store, no process, no task but the function."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

from autocron import codec
from autocron.coroutines import run_coroutine
from autocron.errors import Cancel, Retry, kinds_of
from autocron.model import (
    AskedAgain,
    AttemptOutcome,
    Cancelled,
    Failed,
    Produced,
    Succeeded,
)

_LONGEST_MESSAGE = 5_000
_LONGEST_TRACEBACK = 50_000
_PACKAGE = __name__.partition(".")[0] + "."


def execute(
    find_function: Callable[[str], Callable[..., Any]],
    task: str,
    arguments: str,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Produced:
    """Call the function of a task with stored arguments, and return what came of it.

    Whatever the function does short of ending the process becomes a `Failed`: it may raise,
    call `sys.exit()`, recurse without end, or return what cannot be stored. The context sees that as
    an error on its way out, and what it raises itself is a failure, too. With `Retry` and `Cancel` the function
    says itself what it wants.

    Args:
        find_function: returns the function, `def` or `async def`; the latter gets an event loop of
            its own.
        task: the task's name.
        arguments: what `codec.encode_arguments` wrote.
        context: returns what is entered before, and left after.

    Example:
        >>> execute({"divmod": divmod}.__getitem__, "divmod", "[[7,2],{}]")
        Succeeded(result='{"$":"tuple","v":[3,1]}')
        >>> execute({"divmod": divmod}.__getitem__, "divmod", "[[7,0],{}]").error
        'ZeroDivisionError: integer division or modulo by zero'
    """
    raised: BaseException
    try:
        with context():
            try:
                return Succeeded(_result(find_function(task), task, arguments))
            except BaseException as error:  # the boundary around the application's code
                raised = error  # the context may swallow it; the job has failed all the same
                raise
    except BaseException as error:  # the same error, or one of the context's own
        raised = error
    try:
        return produced_by(raised)
    finally:
        del raised  # it leads to this frame, and this frame must not lead to it


def _result(function: Callable[..., Any], task: str, arguments: str) -> str:
    args, kwargs = codec.decode_arguments(arguments)
    value = function(*args, **kwargs)
    if inspect.iscoroutine(value):
        value = run_coroutine(value)
    return codec.encode(value, f"the result of {task}")


def produced_by(error: BaseException) -> Produced:
    """Return what an attempt came to that has ended with an error."""
    match error:
        case Retry(after=after):
            return AskedAgain(failure(error, AttemptOutcome.RETRY), after)
        case Cancel():
            return Cancelled(failure(error, AttemptOutcome.CANCELLED))
        case _:
            return failure(error)


def failure(error: BaseException, outcome: AttemptOutcome = AttemptOutcome.FAILED) -> Failed:
    """Return an error as what is stored of it: its message, its traceback as text, and its kinds."""
    frames = error.__traceback__
    while frames and frames.tb_next and _is_own(frames.tb_frame):
        frames = frames.tb_next  # how the task was called tells nobody anything
    text = "".join(traceback.format_exception(type(error), error, frames))
    message = _cut(_message(error), _LONGEST_MESSAGE, " [...] ")
    text = _printable(_cut(text, _LONGEST_TRACEBACK, "\n[...]\n"))
    return Failed(_printable(message), text, outcome, kinds_of(type(error)))


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_PACKAGE)


def _cut(text: str, limit: int, gap: str) -> str:
    half = limit // 2
    return text if len(text) <= limit else text[:half] + gap + text[-half:]


def _message(error: BaseException) -> str:
    name = type(error).__qualname__
    try:
        text = str(error)
    except BaseException as second:  # the application's own __str__
        text = f"<str() of it raised {type(second).__qualname__}>"
    return f"{name}: {text}" if text else name


def _printable(text: str) -> str:
    # Lone surrogates cannot be stored as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
