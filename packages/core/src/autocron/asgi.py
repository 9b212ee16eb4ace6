"""For ASGI applications: workers that start when the server starts, and end when it ends.

With the application's lifespan (Starlette, FastAPI, Litestar, Quart), or by a middleware for those that have
none (Django). Like `autocron.start()` where the application is made, but scripts and reloaders that only import it
start nothing.

The protocol is <https://asgi.readthedocs.io/en/latest/specs/lifespan.html>.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

from autocron import events
from autocron.app import in_worker, is_stood_in, name_of_caller, start_for, stop
from autocron.coroutines import in_event_loop
from autocron.errors import AutocronError
from autocron.integration import is_served
from autocron.settings import load_settings

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]
Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]


def lifespan(database: Any, *, inner: Lifespan | None = None, **settings: Any) -> Lifespan:
    """Return a lifespan that starts autocron with the server, and stops it with the server.

    To be called in the module that makes the application: the workers import that. Autocron is started before
    `inner` begins, and stopped after it has ended. In tests with `autocron.testing.eager()` or `capture()`
    nothing is started.

    Args:
        database: the SQLite file; made when missing. A relative path starts at the current directory.
        inner: the application's own lifespan; what it yields is passed on.
        settings: what `autocron.start` takes besides.

    Raises:
        SettingsError: names everything that is wrong with the settings.

    Example:
        ```python
        app = FastAPI(lifespan=autocron.asgi.lifespan("project.db", workers=2))
        ```
    """
    start = _Start(name_of_caller(), {"database": database, **settings})

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Any]:
        await _without_blocking(start)
        try:
            if inner is None:
                yield
            else:
                async with inner(app) as state:
                    yield state
        finally:
            await _without_blocking(stop)

    return around


class AutocronMiddleware:
    """Starts autocron with the server, and stops it with the server, around any ASGI application.

    To be put around the application in the module that makes it: the workers import that. If the server has no
    lifespan either, as Daphne, it is started with the first request.

    Args:
        app: the application, whether it has a lifespan or not.
        database: the SQLite file; made when missing. A relative path starts at the current directory.
        settings: what `autocron.start` takes besides.

    Raises:
        SettingsError: names everything that is wrong with the settings.

    Example:
        ```python
        application = AutocronMiddleware(get_asgi_application(), "project.db", workers=2)
        ```
    """

    def __init__(self, app: AsgiApp, database: Any, **settings: Any) -> None:
        self._app = app
        self._start = _Start(name_of_caller(), {"database": database, **settings})
        self._is_started = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a connection, or the lifespan."""
        if scope["type"] == "lifespan":
            self._is_started = True
            await _LifespanAround(self._app, self._start, receive, send).serve(scope)
            return
        if not self._is_started and is_served():
            self._is_started = True
            await _without_blocking(self._start)
        await self._app(scope, receive, send)


class _Start:
    """Starts autocron, for the module that has asked for it."""

    def __init__(self, caller: str, given: dict[str, Any]) -> None:
        load_settings(given)  # what is wrong is told where it is written
        self._caller = caller
        self._given = given

    def __call__(self) -> None:
        if not in_worker() and not is_stood_in():
            start_for(self._caller, self._given)


class _LifespanAround:
    """The lifespan of a server, with that of an application within, if that has one."""

    def __init__(self, app: AsgiApp, start: _Start, receive: Receive, send: Send) -> None:
        self._app = app
        self._start = start
        self._receive = receive
        self._send = send
        self._received: list[Message] = []
        self._has_answered = False

    async def serve(self, scope: Message) -> None:
        """Go through start and end."""
        self._received.append(await self._receive())
        try:
            await _without_blocking(self._start)
        except AutocronError as error:
            await self._send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        try:
            await self._serve_app(scope)
        finally:
            await _without_blocking(stop)

    async def _serve_app(self, scope: Message) -> None:
        try:
            await self._app(scope, self._receive_again, self._answer)
        except Exception as error:  # an app says so that it has no lifespan
            if self._has_answered:
                raise
            events.emit("app.no_lifespan", error=error)
        if not self._has_answered:
            await self._send({"type": "lifespan.startup.complete"})
            await self._receive()
            await _without_blocking(stop)
            await self._send({"type": "lifespan.shutdown.complete"})

    async def _receive_again(self) -> Message:
        """Return what the application has to see as well, then what comes."""
        return self._received.pop() if self._received else await self._receive()

    async def _answer(self, message: Message) -> None:
        self._has_answered = True
        if message["type"].startswith("lifespan.shutdown."):
            await _without_blocking(stop)  # the server may end the process at once
        await self._send(message)


async def _without_blocking(function: Callable[[], None]) -> None:
    """Call a function in a thread; where the event loop is another than asyncio's, nobody is served as yet."""
    if in_event_loop():
        await asyncio.to_thread(function)
    else:
        function()
