"""Runs one job. Knows nothing around it: no store, no process, no task but the function."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from autocron import codec
from autocron.model import Failed, Succeeded

_LONGEST_MESSAGE = 5_000
_LONGEST_TRACEBACK = 50_000
_OWN_FRAMES = 1


def execute(function: Callable[..., Any], arguments: str, name: str) -> Succeeded | Failed:
    """Call a function with stored arguments, and return what came of it.

    Whatever the function does short of ending the process becomes a `Failed`: it may raise,
    call `sys.exit()`, recurse without end, or return what cannot be stored.

    Args:
        function: `def` or `async def`; the latter gets an event loop of its own.
        arguments: what `codec.encode_arguments` wrote.
        name: names the task in the error when its result cannot be stored.

    Example:
        >>> execute(divmod, '[[7,2],{}]', "divmod")
        Succeeded(result='{"$":"tuple","v":[3,1]}')
        >>> execute(divmod, '[[7,0],{}]', "divmod").error
        'ZeroDivisionError: integer division or modulo by zero'
    """
    try:
        args, kwargs = codec.decode_arguments(arguments)
        value = function(*args, **kwargs)
        if inspect.iscoroutine(value):
            value = _run(value)
        return Succeeded(codec.encode(value, f"the result of {name}"))
    except BaseException as error:  # the boundary around the application's code
        return failure(error, _OWN_FRAMES)


def _run(coroutine: Any) -> Any:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    # The caller is in an event loop, and a thread cannot have two at a time.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, coroutine).result()


def failure(error: BaseException, skip_frames: int = 0) -> Failed:
    """Return an error as what is stored of it: its message and its traceback as text.

    Args:
        error: what was raised.
        skip_frames: how many of the outermost frames to leave out.
    """
    frames = error.__traceback__
    for _ in range(skip_frames):
        frames = frames.tb_next if frames and frames.tb_next else frames
    text = "".join(traceback.format_exception(type(error), error, frames))
    message = _cut(_message(error), _LONGEST_MESSAGE, " [...] ")
    return Failed(_printable(message), _printable(_cut(text, _LONGEST_TRACEBACK, "\n[...]\n")))


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
