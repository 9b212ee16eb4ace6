"""Lifespan and middleware by the protocol, without a server; with servers they are in frameworks/."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

import autocron
from autocron import asgi
from autocron.errors import DatabaseUnusable, NotStarted, SettingsError
from autocron.testing import capture, eager


@pytest.fixture(autouse=True)
def stopped():
    """Whatever a test has started is stopped at its end."""
    yield
    autocron.stop()


def is_started():
    """Whether calls have a database to go to."""
    try:
        autocron.jobs()
    except NotStarted:
        return False
    return True


async def without_lifespan(scope, receive, send):
    """Do what Django does, and what the specification asks for."""
    if scope["type"] == "lifespan":
        raise ValueError("only HTTP, not lifespan")
    await send({"type": "http.response.start", "status": 200, "started": is_started()})


class WithLifespan:
    """An application that notes how far it is, and whether autocron was started then."""

    def __init__(self, fails=""):
        self.fails = fails
        self.seen = []

    async def __call__(self, scope, receive, send):
        """Serve a lifespan."""
        while True:
            message = await receive()
            name = message["type"].rpartition(".")[2]
            self.seen.append((name, is_started()))
            if self.fails == f"raise at {name}":
                raise RuntimeError(name)
            outcome = "failed" if self.fails == name else "complete"
            await send({"type": f"lifespan.{name}.{outcome}"})
            if name == "shutdown" or outcome == "failed":
                return


def go_through_lifespan(app):
    """Do what a server does with an application's lifespan; return what it has sent, and whether autocron ran then."""
    sent = []

    async def serve():
        messages = asyncio.Queue()
        messages.put_nowait({"type": "lifespan.startup"})

        async def send(message):
            sent.append((message["type"].removeprefix("lifespan."), is_started()))
            if message["type"] == "lifespan.startup.complete":
                messages.put_nowait({"type": "lifespan.shutdown"})

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, messages.get, send)

    asyncio.run(serve())
    return sent


def around(app, path, **settings):
    """Put the middleware around an application, such that it starts no processes."""
    return asgi.AutocronMiddleware(app, path, autostart=False, **settings)


# The middleware -------------------------------------------------------------------------------

ALL_WELL = [("startup.complete", True), ("shutdown.complete", False)]


@pytest.mark.parametrize("logs", [False, True])
def test_an_app_without_a_lifespan_gets_one(path, caplog, logs):
    """Autocron is started before the server goes on, and stopped before it ends."""
    caplog.set_level("INFO" if logs else "WARNING", "autocron")
    assert go_through_lifespan(around(without_lifespan, path)) == ALL_WELL
    assert not is_started()
    assert ("only HTTP, not lifespan" in caplog.text) is logs


def test_an_app_that_ignores_the_lifespan_gets_one(path):
    """It may return at once instead of raising."""

    async def app(scope, receive, send):
        """Do nothing."""

    assert go_through_lifespan(around(app, path)) == ALL_WELL


def test_the_lifespan_of_an_app_is_within(path):
    """It has autocron from its start to its end."""
    app = WithLifespan()
    assert go_through_lifespan(around(app, path)) == ALL_WELL
    assert app.seen == [("startup", True), ("shutdown", True)]


@pytest.mark.parametrize("end", ["startup", "shutdown"])
def test_an_app_whose_lifespan_fails_stops_autocron(path, end):
    """And the server is told what the app has told."""
    app = WithLifespan(fails=end)
    assert go_through_lifespan(around(app, path))[-1] == (f"{end}.failed", end == "startup")
    assert not is_started()


def test_an_app_that_breaks_after_its_start_is_no_app_without_a_lifespan(path):
    """Its error goes to the server."""
    with pytest.raises(RuntimeError, match="shutdown"):
        go_through_lifespan(around(WithLifespan(fails="raise at shutdown"), path))
    assert not is_started()


def test_an_app_that_cannot_start_is_no_app_without_a_lifespan(path, monkeypatch):
    """Its error goes to the server, too; if that goes on without a lifespan, requests start autocron."""
    app = around(WithLifespan(fails="raise at startup"), path)
    with pytest.raises(RuntimeError, match="startup"):
        go_through_lifespan(app)
    assert not is_started()
    monkeypatch.setattr("sys.argv", ["bin/uvicorn"])
    app._app = without_lifespan
    assert get(app)


def test_an_app_need_not_wait_for_the_end(path):
    """Autocron is stopped when the server ends, and not when the app has nothing more to do."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})

    assert go_through_lifespan(around(app, path)) == ALL_WELL


def test_a_start_that_fails_fails_the_servers_start(tmp_path):
    """With a message that says why; the app does not begin."""
    app = WithLifespan()
    messages = []

    async def serve():
        async def receive():
            return {"type": "lifespan.startup"}

        async def send(message):
            messages.append(message)

        await around(app, tmp_path)({"type": "lifespan"}, receive, send)

    asyncio.run(serve())
    [message] = messages
    assert message["type"] == "lifespan.startup.failed"
    assert "is a directory: name a file in it" in message["message"]
    assert app.seen == []


async def request(app):
    """Make a request without any lifespan before; return whether autocron was started then."""
    answers = []

    async def send(message):
        answers.append(message)

    await app({"type": "http"}, None, send)
    return answers[0]["started"]


def get(app):
    """Make a request in a loop of its own."""
    return asyncio.run(request(app))


@contextmanager
def locked(path):
    """Have a database, which is made if need be, locked by another program."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_test_client_starts_nothing(path):
    """Requests alone do not tell that this is a server."""
    assert not get(around(without_lifespan, path))


def test_a_server_without_a_lifespan_starts_with_its_first_request(path, monkeypatch):
    """If it is known as a server."""
    monkeypatch.setattr("sys.argv", ["bin/uvicorn", "--lifespan", "off"])
    app = around(without_lifespan, path)
    assert get(app)
    client = autocron.app.current_client()
    assert get(app)
    assert autocron.app.current_client() is client


def test_requests_wait_for_the_start_and_try_again_if_it_fails(path, monkeypatch):
    """Whoever comes first: all find autocron started."""
    monkeypatch.setattr("sys.argv", ["bin/uvicorn"])
    app = around(without_lifespan, path, busy_timeout=30)
    path.mkdir()
    with pytest.raises(DatabaseUnusable):
        get(app)
    path.rmdir()

    async def serve():
        with locked(path):
            requests = [asyncio.ensure_future(request(app)) for _ in range(3)]
            await asyncio.wait(requests, timeout=0.2)
            assert not any(each.done() for each in requests)
        return await asyncio.gather(*requests)

    assert asyncio.run(serve()) == [True] * 3


def test_after_a_lifespan_a_request_starts_nothing(path, monkeypatch):
    """A server may answer the last ones while it ends."""
    monkeypatch.setattr("sys.argv", ["bin/uvicorn"])
    app = around(without_lifespan, path)
    go_through_lifespan(app)
    assert not get(app)


# The lifespan ---------------------------------------------------------------------------------


def enter(lifespan):
    """Go through a lifespan as Starlette does; return what it yields, and whether autocron was started within."""

    async def serve():
        async with lifespan("the app") as state:
            return state, is_started()

    return asyncio.run(serve())


def test_the_lifespan_starts_and_stops(path):
    """As often as the app is served."""
    lifespan = asgi.lifespan(path, autostart=False)
    for _ in range(2):
        assert enter(lifespan) == (None, True)
        assert not is_started()


def test_what_was_started_before_is_not_stopped(path):
    """By the module itself, or by another lifespan around this one."""
    autocron.start(path, autostart=False)
    assert enter(asgi.lifespan(path, autostart=False)) == (None, True)
    assert go_through_lifespan(around(WithLifespan(), path))[-1] == ("shutdown.complete", True)
    assert is_started()
    autocron.stop()
    seen = []

    @asynccontextmanager
    async def outer(app):
        async with asgi.lifespan(path, autostart=False)(app):
            yield
        seen.append(is_started())

    assert enter(asgi.lifespan(path, inner=outer, autostart=False)) == (None, True)
    assert seen == [True]
    assert not is_started()


@pytest.mark.parametrize("way", ["lifespan", "middleware"])
def test_a_server_that_is_cancelled_while_it_starts_leaves_nothing_started(path, way):
    """The start goes on to its end, since it is one of a thread; then it is undone."""

    async def serve():
        if way == "middleware":
            receive = asyncio.Queue()
            receive.put_nowait({"type": "lifespan.startup"})
            await around(WithLifespan(), path)({"type": "lifespan"}, receive.get, None)
        async with asgi.lifespan(path, autostart=False)("the app"):
            pass

    async def cancel():
        with locked(path):
            serving = asyncio.ensure_future(serve())
            await asyncio.wait([serving], timeout=0.2)
            serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(cancel())
    assert not is_started()


def test_the_lifespan_of_the_user_is_within(path):
    """It is given the app, and what it yields is passed on."""
    seen = []

    @asynccontextmanager
    async def inner(app):
        seen.append((app, is_started()))
        yield {"state": 1}
        seen.append(is_started())

    assert enter(asgi.lifespan(path, inner=inner, autostart=False)) == ({"state": 1}, True)
    assert seen == [("the app", True), True]


@pytest.mark.parametrize("at", ["start", "end"])
def test_a_lifespan_of_the_user_that_fails_stops_autocron(path, at):
    """Its error goes to the framework."""

    @asynccontextmanager
    async def inner(app):
        if at == "start":
            raise ZeroDivisionError
        yield
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enter(asgi.lifespan(path, inner=inner, autostart=False))
    assert not is_started()


def test_an_error_of_the_app_reaches_the_lifespan_of_the_user(path):
    """As if autocron was not there."""
    seen = []

    @asynccontextmanager
    async def inner(app):
        try:
            yield
        except ZeroDivisionError as error:
            seen.append(type(error))
            raise

    async def serve():
        async with asgi.lifespan(path, inner=inner, autostart=False)("app"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(serve())
    assert seen == [ZeroDivisionError]
    assert not is_started()


@pytest.mark.parametrize(
    "make", [asgi.lifespan, lambda *a, **k: asgi.AutocronMiddleware(None, *a, **k)]
)
def test_wrong_settings_are_told_where_they_are_written(path, make):
    """And not only when the server starts."""
    with pytest.raises(SettingsError, match="did you mean workers"):
        make(path, worker=2)


@pytest.mark.parametrize("stand_in", [capture, eager])
def test_in_a_test_that_stands_in_nothing_is_started(path, stand_in):
    """Test clients go through the lifespan as servers do."""
    with stand_in():
        _, was_started = enter(asgi.lifespan(path))
    assert was_started  # that is, calls go to what stands in
    assert not path.exists()


def modules_of_workers():
    """Return the names of the modules that workers of what is started here would import."""
    return list(autocron.app.current_client().integration.describe()["modules"])


def test_the_module_that_makes_the_app_is_what_workers_import(path, make_module):
    """Not the framework, which calls the lifespan."""
    text = f"from autocron import asgi\nlifespan = asgi.lifespan({str(path)!r}, autostart=False)\n"
    module = make_module(text, "making_it")

    async def serve():
        async with module.lifespan("app"):
            return modules_of_workers()

    assert "making_it" in asyncio.run(serve())


def test_the_module_that_puts_the_middleware_around_is_what_workers_import(path, make_module):
    """In the same way."""
    module = make_module(
        f"""
        from autocron.asgi import AutocronMiddleware

        seen = []

        async def app(scope, receive, send):
            import autocron

            seen.extend(autocron.app.current_client().integration.describe()["modules"])

        made = AutocronMiddleware(app, {str(path)!r}, autostart=False)
        """,
        "making_it",
    )
    go_through_lifespan(module.made)
    assert "making_it" in module.seen
