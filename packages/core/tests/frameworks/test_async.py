"""What handlers of async frameworks do with autocron, under real servers."""

import json
from contextlib import closing

import pytest

from autocron.testing import Project, wait_until
from autocron.testing.contract import TASKS, Site

HANDLERS = """
import asyncio
import sqlite3
import time

import tasks


async def gather():
    return await asyncio.gather(*(tasks.double(number) for number in range(20)))


async def locked():
    '''Hand over while another program holds the database for two seconds; return the longest tick of the loop.'''
    holder = sqlite3.connect("autocron.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    began = last = time.perf_counter()
    results, longest = [], 0.0
    while last - began < 2:
        if len(results) < 20:
            results.append(tasks.double(len(results)))
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    stored = [result.storing.done() for result in results]
    holder.execute("ROLLBACK")
    holder.close()
    for result in results:
        await result.stored()
    return longest, stored, await asyncio.gather(*results)


async def failing():
    from autocron.errors import JobFailed

    try:
        await tasks.fail("no luck")
    except JobFailed as error:
        return str(error)
"""

MORE_TASKS = """

import asyncio

@autocron.delay
async def double(number):
    await asyncio.sleep(0)
    return 2 * number
"""

FASTAPI = """
import autocron.asgi
import handlers
from fastapi import FastAPI

app = FastAPI(lifespan=autocron.asgi.lifespan("autocron.db", workers=2))
app.get("/gather")(handlers.gather)
app.get("/locked")(handlers.locked)
app.get("/failing")(handlers.failing)
"""

TORNADO = """
import asyncio
import json
import sys

import autocron
import handlers
import tornado

autocron.start("autocron.db", workers=2)


class Handler(tornado.web.RequestHandler):
    async def get(self, name):
        self.write(json.dumps(await getattr(handlers, name)()))


async def main():
    tornado.web.Application([("/(.*)", Handler)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
"""

SERVERS = {
    "fastapi": (FASTAPI, "-m uvicorn --port {port} application:app"),
    "tornado": (TORNADO, "application.py {port}"),
}


@pytest.fixture(params=SERVERS)
def site(tmp_path, request):
    """An application with the handlers, in each of two frameworks."""
    text, arguments = SERVERS[request.param]
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS + MORE_TASKS)
        project.write("handlers.py", HANDLERS)
        project.write("application.py", text)
        site = Site.of(project, arguments, "autocron.db")
        wait_until(site.workers, or_show=lambda: site.server.output)
        yield site


def test_handlers_await_results_of_async_tasks(site):
    """Many at a time, and a task that fails raises in its handler."""
    assert json.loads(site.get("/gather")) == [2 * number for number in range(20)]
    assert "ValueError: no luck" in json.loads(site.get("/failing"))


def test_handing_over_never_blocks_the_loop(site):
    """Though nobody can write to the database for two seconds; then all is stored, and runs."""
    longest, stored, doubled = json.loads(site.get("/locked"))
    assert longest < 0.5  # the calls alone would have taken two seconds each
    assert stored == [False] * 20
    assert doubled == [2 * number for number in range(20)]


PROCESSES = """
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


async def main(sockets):
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/call/(.*)", CallHandler)]))
    server.add_sockets(sockets)
    await asyncio.Event().wait()


if __name__ == "__main__":
    autocron.start("autocron.db", workers=2)
    sockets = tornado.netutil.bind_sockets(int(sys.argv[1]), "127.0.0.1")
    tornado.process.fork_processes(3)
    asyncio.run(main(sockets))
"""


def test_forked_processes_of_tornado_share_their_workers(tmp_path):
    """Each of them hands over, and all of them have the workers that were started before the fork."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS)
        project.write("application.py", PROCESSES)
        site = Site.of(project, "application.py {port}", "autocron.db")
        for number in range(20):
            assert site.call("echo", str(number)) == str(number)
        assert len(wait_until(site.workers)) == 2
        assert len(project.autocron_processes("supervisor")) == 1


MAIN = """
import sys

import autocron.asgi
import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

app = FastAPI(lifespan=autocron.asgi.lifespan("autocron.db", workers=2))


@autocron.delay
def echo(text):
    return text


@app.get("/call/echo", response_class=PlainTextResponse)
async def call(text: str):
    result = echo(text)
    await result.stored()
    return result.id


if __name__ == "__main__":
    uvicorn.run("application:app", port=int(sys.argv[1]), {arguments})
"""


@pytest.mark.parametrize("arguments", ["", "workers=2", "reload=True"])
def test_the_main_module_may_have_tasks_and_the_server(tmp_path, arguments):
    """Also where the server imports it in processes of its own, as `multiprocessing` does."""
    with closing(Project(tmp_path)) as project:
        project.write("application.py", MAIN.replace("{arguments}", arguments))
        site = Site.of(project, "application.py {port}", "autocron.db")
        job = site.ended(site.hand_over("echo", "hi"))
        assert (job.status, job.task) == ("DONE", "application.echo")
