"""The contract of all frameworks, in those that need no adapter: with ASGI, and in Tornado."""

import textwrap
from typing import ClassVar

from autocron.testing.contract import FrameworkContract

UVICORN = "-m uvicorn --port {port} application:app"
HYPERCORN = "-m hypercorn --bind 127.0.0.1:{port} application:app"

PYTEST = """
import asyncio

import httpx
from application import app
from autocron.testing import eager


def test_request():
    async def get():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.get("/call/echo", params={"text": "hi"})

    with eager():
        assert asyncio.run(get()).status_code == 200
"""


def with_settings(application, settings):
    """Return the text of an application that knows its settings as `SETTINGS`."""
    return f"SETTINGS = {settings!r}\n{textwrap.dedent(application)}"


class AsgiContract(FrameworkContract):
    """What holds in all ASGI frameworks."""

    application: ClassVar[str]
    database = "autocron.db"
    silent: ClassVar = {
        "import": "-c 'import application'",
        "pytest": "-m pytest -p no:cacheprovider test_application.py",
    }

    def write_app(self, project, **settings):
        """Write an application, and a test of it."""
        project.write("application.py", with_settings(self.application, settings))
        project.write("test_application.py", PYTEST)


class TestFastAPI(AsgiContract):
    application = """
        import autocron.asgi
        import tasks
        from fastapi import FastAPI
        from fastapi.responses import PlainTextResponse

        app = FastAPI(lifespan=autocron.asgi.lifespan("autocron.db", **SETTINGS))


        @app.get("/call/{task}", response_class=PlainTextResponse)
        async def call(task: str, text: str):
            result = getattr(tasks, task)(text)
            await result.stored()
            return result.id
    """
    servers: ClassVar = {
        "uvicorn": UVICORN,
        "uvicorn-3": f"{UVICORN} --workers 3",
        "uvicorn-reload": f"{UVICORN} --reload",
        "hypercorn": HYPERCORN,
        "gunicorn": "-m gunicorn --workers 2 --worker-class asgi --bind 127.0.0.1:{port} application:app",
    }
    reloading = ("uvicorn-reload",)


class TestStarlette(AsgiContract):
    application = """
        from contextlib import asynccontextmanager

        import autocron.asgi
        import tasks
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route


        async def call(request):
            result = getattr(tasks, request.path_params["task"])(request.query_params["text"])
            await result.stored()
            assert request.state.ready
            return PlainTextResponse(result.id)


        @asynccontextmanager
        async def prepare(app):
            yield {"ready": True}


        lifespan = autocron.asgi.lifespan("autocron.db", inner=prepare, **SETTINGS)
        app = Starlette(routes=[Route("/call/{task}", call)], lifespan=lifespan)
    """
    servers: ClassVar = {"uvicorn": UVICORN}
    silent: ClassVar = {"import": "-c 'import application'"}


class TestLitestar(AsgiContract):
    application = """
        import autocron.asgi
        import tasks
        from litestar import Litestar, MediaType, get


        @get("/call/{task:str}", media_type=MediaType.TEXT)
        async def call(task: str, text: str) -> str:
            result = getattr(tasks, task)(text)
            await result.stored()
            return result.id


        app = Litestar([call], lifespan=[autocron.asgi.lifespan("autocron.db", **SETTINGS)])
    """
    servers: ClassVar = {"uvicorn": UVICORN}


class TestQuart(AsgiContract):
    application = """
        import autocron.asgi
        import tasks
        from quart import Quart, request

        app = Quart(__name__)
        lifespan = autocron.asgi.lifespan("autocron.db", **SETTINGS)


        @app.while_serving
        async def background():
            async with lifespan(app):
                yield


        @app.get("/call/<task>")
        async def call(task):
            result = getattr(tasks, task)(request.args["text"])
            await result.stored()
            return result.id
    """
    servers: ClassVar = {"hypercorn": HYPERCORN, "uvicorn": UVICORN}


class TestDjango(AsgiContract):
    """Which has no lifespan."""

    application = """
        from autocron.asgi import AutocronMiddleware
        from django.conf import settings
        from django.core.asgi import get_asgi_application
        from django.http import HttpResponse
        from django.urls import path

        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")


        async def call(request, task):
            import tasks

            result = getattr(tasks, task)(request.GET["text"])
            await result.stored()
            return HttpResponse(result.id)


        urlpatterns = [path("call/<task>", call)]
        app = AutocronMiddleware(get_asgi_application(), "autocron.db", **SETTINGS)
        import tasks
    """
    servers: ClassVar = {
        "uvicorn": UVICORN,
        "uvicorn-2": f"{UVICORN} --workers 2",
        "hypercorn": HYPERCORN,
    }


class TestTornado(FrameworkContract):
    """Where autocron is started by the module that makes the application, as Tornado's documentation does."""

    database = "autocron.db"
    servers: ClassVar = {
        "main": "application.py {port}",
        "autoreload": "application.py {port} debug",
        "autoreload-wrapper": "-m tornado.autoreload application.py {port} debug",
    }
    replacing = ("autoreload", "autoreload-wrapper")
    silent: ClassVar = {"import": "-c 'import application'"}

    application = """
        import asyncio
        import sys

        import autocron
        import tasks
        import tornado

        class CallHandler(tornado.web.RequestHandler):
            async def get(self, task):
                result = getattr(tasks, task)(self.get_argument("text"))
                await result.stored()
                self.write(result.id)


        def make_app(**settings):
            return tornado.web.Application([("/call/(.*)", CallHandler)], **settings)


        async def main(port, debug=False):
            make_app(debug=debug).listen(port, "127.0.0.1")
            await asyncio.Event().wait()


        if __name__ == "__main__":
            autocron.start("autocron.db", **SETTINGS)
            asyncio.run(main(int(sys.argv[1]), debug="debug" in sys.argv))
    """

    def write_app(self, project, **settings):
        """Write the application."""
        project.write("application.py", with_settings(self.application, settings))
