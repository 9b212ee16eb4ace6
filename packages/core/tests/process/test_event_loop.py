"""Handing over in an event loop never blocks it, and loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable

from process_harness import Site, wait_until

LOOP = '''
import asyncio, sqlite3, subprocess, threading, time

@autocron.delay
async def double(number):
    await asyncio.sleep(0)
    return 2 * number

@autocron.delay
async def parent():
    return add(1).id

@autocron.delay
def plain_parent():
    return add(1).id

async def gather(count):
    return await asyncio.gather(*[double(number) for number in range(count)])

async def call_while_locked(seconds):
    holder = sqlite3.connect(HERE / "site.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        slowest, began = 0.0, time.perf_counter()
        results = [add(number) for number in range(10)]
        while time.perf_counter() - began < seconds:
            tick = time.perf_counter()
            await asyncio.sleep(0.005)
            slowest = max(slowest, time.perf_counter() - tick)
        waiting = [str(result.status) for result in results]
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    for result in results:
        await result.stored()
    return slowest, waiting, [await result for result in results]

HOLDER = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    # https://www.sqlite.org/walformat.html#locks: without a lock on one of these bytes nobody can read.
    fcntl.lockf(index, fcntl.LOCK_EX, 8, 120)
    print("held", flush=True)
    sys.stdin.read()
"""

async def call_with_new_settings_that_cannot_be_read():
    await add(1)
    command = [sys.executable, "-c", HOLDER, HERE / "site.db-shm"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\\n"
        os.utime(HERE / "site.db.autocron" / "settings.mark")
        await asyncio.sleep(0.6)  # not to wait for something: the settings are looked at after half a second
        began = time.perf_counter()
        result = add(2)
        seconds = time.perf_counter() - began
        holder.stdin.close()
    await result.stored()
    return seconds, await result

async def call_and_leave():
    return [add(number).id for number in range(50)]
'''


def test_async_tasks_and_awaited_results(app: Callable[..., Site]) -> None:
    """`async def` tasks run in an event loop of their own, and a handle can be awaited."""
    site = app(LOOP, workers=2)
    assert site.web().run("site.asyncio.run(site.gather(30))") == list(range(0, 60, 2))


def test_a_locked_database_does_not_stop_the_loop(app: Callable[..., Site]) -> None:
    """While another program locks the database for two seconds, the loop goes on ticking."""
    site = app(LOOP)
    web = site.web()
    web.run("site.add(1).wait(30)")
    slowest, waiting, values = web.run("site.asyncio.run(site.call_while_locked(2))")
    assert slowest < 0.5
    assert waiting == ["WAITING"] * 10
    assert values == list(range(1, 11))


def test_settings_that_cannot_be_read_do_not_stop_the_loop(app: Callable[..., Site]) -> None:
    """They have changed, and nobody can read the database just now: a call goes by the old ones."""
    site = app(LOOP)
    web = site.web()
    code = "site.asyncio.run(site.call_with_new_settings_that_cannot_be_read())"
    seconds, value = web.run(code)
    assert seconds < 1
    assert value == 3


def test_an_orderly_exit_stores_what_is_in_flight(app: Callable[..., Site]) -> None:
    """A process that ends right after calls in an event loop stores them first."""
    site = app(LOOP, autostart=False)
    web = site.web()
    jobs = web.run("site.asyncio.run(site.call_and_leave())")
    web.end()
    stored = {row[0] for row in site.query("SELECT id FROM autocron_jobs")}
    assert stored == set(jobs)


def test_the_setting_handover_waits_in_a_loop_too(app: Callable[..., Site]) -> None:
    """With handover="wait" a call in an event loop is stored when it returns."""
    site = app(LOOP, autostart=False, handover="wait")
    web = site.web()
    jobs = web.run("site.asyncio.run(site.call_and_leave())")
    web.end(signal.SIGKILL)
    assert {row[0] for row in site.query("SELECT id FROM autocron_jobs")} == set(jobs)


def test_the_setting_handover_leaves_it_to_a_thread_everywhere(app: Callable[..., Site]) -> None:
    """With handover="background" a call outside of a loop returns before it is stored."""
    site = app(LOOP, autostart=False, handover="background")
    web = site.web()
    job = web.run("(r := site.add(1), r.wait_stored(30), r.id)[-1]")
    assert site.job(job)["state"] == 1


def test_a_task_that_calls_a_task_enqueues_it(app: Callable[..., Site]) -> None:
    """In a worker, from a plain and from an async task alike; it is stored when its caller ends."""
    site = app(LOOP)
    web = site.web()
    for name in ("parent", "plain_parent"):
        child = web.run(f"site.{name}().wait(30)")
        assert web.run(f"autocron.result({child!r}).wait(30)") == 2


def test_awaiting_many_results_needs_no_polling(app: Callable[..., Site]) -> None:
    """A few hundred awaited handles are all told, however many wake-ups get lost on the way."""
    site = app(LOOP, workers=2, check_interval=3600)
    web = site.web()
    assert web.run("site.asyncio.run(site.gather(400))") == list(range(0, 800, 2))
    wait_until(lambda: len(site.processes("worker")) == 2, "two workers")
