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
    `inner` begins, and stopped after it has ended, unless it was started before by somebody else. In tests with
    `autocron.testing.eager()` or `capture()` nothing is started.

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
    autocron = _Autocron(name_of_caller(), {"database": database, **settings})

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Any]:
        try:
            await _without_blocking(autocron.start)
            if inner is None:
                yield
            else:
                async with inner(app) as state:
                    yield state
        finally:
            await _without_blocking(autocron.stop)

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
        self._autocron = _Autocron(name_of_caller(), {"database": database, **settings})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve a connection, or the lifespan."""
        if scope["type"] == "lifespan":
            await _LifespanAround(self._app, self._autocron, receive, send).serve(scope)
            return
        if self._autocron.is_awaited and is_served():
            await _without_blocking(self._autocron.start)
        await self._app(scope, receive, send)


class _Autocron:
    """What a server has of autocron: started for the module that has asked for it, and stopped if it was started here."""

    def __init__(self, caller: str, given: dict[str, Any]) -> None:
        load_settings(given)  # what is wrong is told where it is written
        self._caller = caller
        self._given = given
        self._is_ours = False
        self.is_awaited = True
        """Whether it has never been started as yet."""

    def start(self) -> None:
        if not in_worker() and not is_stood_in():
            self._is_ours |= start_for(self._caller, self._given)
        self.is_awaited = False

    def stop(self) -> None:
        if self._is_ours:
            self._is_ours = False
            stop()


class _LifespanAround:
    """The lifespan of a server, with that of an application within, if that has one."""

    def __init__(self, app: AsgiApp, autocron: _Autocron, receive: Receive, send: Send) -> None:
        self._app = app
        self._autocron = autocron
        self._receive = receive
        self._send = send
        self._received: list[Message] = []
        self._answered: str | None = None

    async def serve(self, scope: Message) -> None:
        """Go through start and end."""
        self._received.append(await self._receive())
        try:
            try:
                await _without_blocking(self._autocron.start)
            except AutocronError as error:
                await self._send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await self._serve_app(scope)
        finally:
            await _without_blocking(self._autocron.stop)

    async def _serve_app(self, scope: Message) -> None:
        try:
            await self._app(scope, self._receive_again, self._answer)
        except Exception as error:  # an app that has no lifespan says so, and receives nothing
            if not self._received:
                # If it has not even started, servers may go on all the same, without a lifespan.
                self._autocron.is_awaited |= self._answered is None
                raise
            events.emit("app.no_lifespan", error=error)
        if self._answered is None:
            await self._answer({"type": "lifespan.startup.complete"})
        if self._answered == "lifespan.startup.complete":
            await self._receive()
            await self._answer({"type": "lifespan.shutdown.complete"})

    async def _receive_again(self) -> Message:
        """Return what the application has to see as well, then what comes."""
        return self._received.pop() if self._received else await self._receive()

    async def _answer(self, message: Message) -> None:
        self._answered = message["type"]
        if message["type"].startswith("lifespan.shutdown."):
            await _without_blocking(self._autocron.stop)  # the server may end the process at once
        await self._send(message)


async def _without_blocking(function: Callable[[], None]) -> None:
    """Call a function in a thread; where the event loop is another than asyncio's, nobody is served as yet."""
    if not in_event_loop():
        function()
        return
    work = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        # A thread goes on to its end, and what comes next has to know what it has done.
        await asyncio.wait([work])
        raise
