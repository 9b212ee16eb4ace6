"""Event loops: whether there is one, and running a coroutine for a caller that waits."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in an event loop of its own, and return what it returns.

    A caller that is in an event loop itself is blocked meanwhile: the coroutine runs in a thread,
    since a thread cannot have two loops at a time.

    Example:
        >>> async def double(value):
        ...     return value * 2
        >>> run_coroutine(double(21))
        42
    """
    import asyncio

    if not in_event_loop():
        return asyncio.run(coroutine)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, coroutine).result()


def in_event_loop() -> bool:
    """Whether this runs in an event loop of asyncio, which must not be blocked."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and asyncio._get_running_loop() is not None  # noqa: SLF001 - documented for libraries
