"""What a type checker knows of the public interface. Read by mypy, never run.

A line that must be an error has an `ignore` with the error's code, and is an error itself if
there is nothing to ignore.
"""

# ruff: noqa: D103 - functions are here for their types

from __future__ import annotations

from collections.abc import Coroutine
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from typing_extensions import assert_type

import autocron
from autocron import Attempt, CurrentJob, Job, JobStatus, Result, ScheduledTask, Task

# delay ------------------------------------------------------------------------------------------


@autocron.delay
def add(a: int, b: int = 0) -> int:
    return a + b


@autocron.delay(minutes=5, retries=3, ttl=60, queue="mail", priority=1)
def send(to: str, *, copies: int = 1) -> None: ...


@autocron.delay(
    retries=5,
    backoff=autocron.Exponential(first=5, longest=3600),
    retry_on=(OSError, autocron.TimeLimitExceeded),
    give_up_on=FileNotFoundError,
    timeout=60,
    on_crash="fail",
)
def pay(order: int) -> None:
    raise autocron.Retry("busy", after=5)


@autocron.delay()
async def fetch(url: str) -> bytes:
    return url.encode()


@autocron.delay
async def ping() -> bool:
    return True


assert_type(add(1, 2), Result[int])
assert_type(send("a", copies=2), Result[None])
assert_type(fetch("url"), Result[bytes])
assert_type(ping(), Result[bool])

add("1")  # type: ignore[arg-type]
add()  # type: ignore[call-arg]
add(1, 2, 3)  # type: ignore[call-arg]
send("a", 2)  # type: ignore[call-arg]
send("a", copies="2")  # type: ignore[arg-type]
fetch(5)  # type: ignore[arg-type]

assert_type(pay.options(backoff=[1, 60], timeout=5.5)(1), Result[None])
assert_type(pay(1).cancel(force=True), bool)
assert_type(pay(1).attempts, list[Attempt])

autocron.delay(backoff="long")  # type: ignore[arg-type]
autocron.delay(retry_on="OSError")  # type: ignore[arg-type]
autocron.delay(retry_on=int)  # type: ignore[arg-type]
autocron.delay(on_crash="ignore")  # type: ignore[call-overload]
pay(1).cancel(True)  # type: ignore[call-arg]
autocron.delay(retry=3)  # type: ignore[call-overload]
autocron.delay(minutes="5")  # type: ignore[call-overload]
autocron.delay("function")  # type: ignore[call-overload]

# Tasks ------------------------------------------------------------------------------------------

assert_type(add.call(1, b=2), int)
assert_type(add.options(seconds=5, retries=1)(1), Result[int])
assert_type(add.options(schedule=datetime.now(timezone.utc))(1), Result[int])
assert_type(add.enqueue_many([(1, 2), {"a": 1}]), list[Result[int]])
assert_type(add.enqueue_many((number,) for number in range(3)), list[Result[int]])
assert_type(add.name, str)

add.call("1")  # type: ignore[arg-type]
add.options(seconds="5")  # type: ignore[arg-type]
add.options(retry=5)  # type: ignore[call-arg]
add.options(seconds=5)("1")  # type: ignore[arg-type]
add.enqueue_many([1, 2])  # type: ignore[list-item]
add.enqueue_many(["ab"])  # type: ignore[list-item]


def takes_task(task: Task[[str], bytes]) -> Result[bytes]:
    return task("url")


takes_task(fetch)

# Schedules --------------------------------------------------------------------------------------


@autocron.cron
def bare() -> None: ...


@autocron.cron("30 7 * * mon-fri")
def report() -> int:
    return 1


@autocron.cron(minutes=[30], hours=range(7, 9), days_of_week=[0, "tue"], months={"jan", 2})
async def lists() -> str:
    return ""


@autocron.every(hours=1, start_now=True)
def refresh() -> None: ...


@autocron.cron("@daily")
@autocron.delay(retries=3)
def both() -> float:
    return 0.5


@autocron.cron
@autocron.delay
async def both_bare() -> float:
    return 0.5


assert_type(both_bare, ScheduledTask[float])
assert_type(bare, ScheduledTask[None])
assert_type(report, ScheduledTask[int])
assert_type(lists, ScheduledTask[str])
assert_type(refresh, ScheduledTask[None])
assert_type(both, ScheduledTask[float])
assert_type(report(), Result[int])
assert_type(report.next_runs(3), list[datetime])
assert_type(autocron.current_job(), CurrentJob | None)


@autocron.cron("@daily")  # type: ignore[arg-type]
def needs_argument(to: str) -> None: ...


@autocron.every(seconds=5)  # type: ignore[arg-type]
async def needs_another(to: str) -> None: ...


@autocron.cron("@daily")  # type: ignore[arg-type]
@autocron.delay
def both_need(to: str) -> None: ...


autocron.cron(5)  # type: ignore[call-overload]
autocron.cron(minutes="5")  # type: ignore[arg-type]
autocron.every("5")  # type: ignore[arg-type]
autocron.every(5)  # type: ignore[arg-type]
autocron.cron("@daily", overlap="never")  # type: ignore[call-overload]
autocron.every(seconds=5, catch_up="some")  # type: ignore[arg-type]
autocron.every(seconds="5")  # type: ignore[arg-type]

# Results ----------------------------------------------------------------------------------------


def results(result: Result[int]) -> None:
    assert_type(result.id, str)
    assert_type(result.ready, bool)
    assert_type(result.status, JobStatus)
    assert_type(result.result, int | None)
    assert_type(result.error, str | None)
    assert_type(result.traceback, str | None)
    assert_type(result.wait(), int)
    assert_type(result.wait(timeout=0.5), int)
    result.id = "other"  # type: ignore[misc]
    result.wait("5")  # type: ignore[arg-type]


async def awaited() -> None:
    assert_type(await add(1), int)
    assert_type(await fetch("url"), bytes)
    await add(1).stored()


def not_awaited() -> Coroutine[Any, Any, bytes]:
    return fetch("url")  # type: ignore[return-value]


assert_type(autocron.result("id"), Result[Any])
assert_type(autocron.jobs(limit=5, status=JobStatus.DONE), list[Job])
autocron.jobs(status="DONE")  # type: ignore[arg-type]

# start ------------------------------------------------------------------------------------------

autocron.start("project.db")
autocron.start(Path("project.db"), workers=2, durability="normal", handover="wait", autostart=False)
autocron.stop()

autocron.start()  # type: ignore[call-arg]
autocron.start(5)  # type: ignore[arg-type]
autocron.start("project.db", workers="2")  # type: ignore[arg-type]
autocron.start("project.db", durability="half")  # type: ignore[arg-type]
