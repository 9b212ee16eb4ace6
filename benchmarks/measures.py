"""The measures. Each returns rows of the table, and cleans up after itself."""

import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import autocron
import floors
import processes
import site_under_test as site
from autocron import app
from autocron.model import JobStatus

HERE = Path(__file__).parent
LOOK_SELDOM = 0.25  # whoever looks takes time from those who work
YEAR = 365 * 24 * 3600.0


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    measure: str
    figure: str
    floor: str = ""
    ratio: float | None = None
    goal: str = ""


@dataclass(frozen=True)
class Scale:
    """How much of everything is done."""

    calls: int = 3000
    latencies: int = 1000
    drained: int = 30_000
    end_to_end: int = 12_000
    later: int = 1_000_000
    idle_seconds: float = 60.0
    starts: int = 9


QUICK = Scale(600, 200, 6000, 3000, 50_000, 5.0, 3)


# Helpers ------------------------------------------------------------------------------------


def quantile(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def microseconds(times: list[float]) -> str:
    parts = ("p50", 0.5), ("p90", 0.9), ("p99", 0.99)
    text = ", ".join(f"{name} {quantile(times, share) * 1e6:.0f}" for name, share in parts)
    return f"{text}, max {max(times) * 1e6:.0f} µs"


@contextmanager
def started(folder: Path, name: str, **settings: object) -> Iterator[Path]:
    """Start autocron on a database of its own, and wait on leaving until all of it is gone."""
    database = folder / f"{name}.db"
    site.start(database, **settings)
    try:
        yield database
    finally:
        autocron.stop()
        wait_until(lambda: not is_supervised(database))


def is_supervised(database: Path) -> bool:
    from autocron.processes.folder import RuntimeFolder
    from autocron.processes.locks import is_held

    return is_held(RuntimeFolder.of(database).supervisor_lock)


def wait_until(condition: Callable[[], bool], seconds: float = 120.0, pause: float = 0.01) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition did not come true")
        time.sleep(pause)


def all_workers(database: Path, count: int) -> list[int]:
    """Wait for that many workers to be ready, and return the ids of all processes."""
    store = app.current_client().store
    for _ in range(2 * count):
        site.nothing().wait(60)
    wait_until(lambda: len(store.workers()) == count)
    time.sleep(0.5)
    return [processes.supervisor_of(database)] + [worker.pid for worker in store.workers()]


def call_times(count: int, pause: float) -> list[float]:
    times = []
    for _ in range(count):
        if pause:
            time.sleep(pause)
        began = time.perf_counter()
        site.write("a@example.org", "hi")
        times.append(time.perf_counter() - began)
    return times


def fill(count: int) -> None:
    for done in range(0, count, 5000):
        site.nothing.enqueue_many([()] * min(5000, count - done))


def unfinished(database: Path) -> int:
    """How many jobs are waiting for a worker or running; two looks into small indexes."""
    connection = sqlite3.connect(database)
    (count,) = connection.execute(
        "SELECT (SELECT count(*) FROM autocron_jobs WHERE state = 1)"
        " + (SELECT count(*) FROM autocron_jobs WHERE state = 2)"
    ).fetchone()
    connection.close()
    return int(count)


def latency_times(count: int, pause: float) -> list[float]:
    times = []
    for _ in range(count):
        time.sleep(pause)
        began = time.monotonic_ns()
        times.append((site.now().wait(60) - began) / 1e9)
    return times


def lateness(count: int, delay: float) -> list[float]:
    """By how much the first line of jobs comes after their due times, one job after the other."""
    times = []
    for _ in range(count):
        due = time.monotonic_ns() + delay * 1e9
        times.append((site.now.options(seconds=delay)().wait(60) - due) / 1e9)
    return times


def drain_rate(folder: Path, name: str, count: int) -> float:
    """Jobs a second, from the first job's start to the last job's end, by the store's own times."""
    with started(folder, name, autostart=False):
        fill(count)
    with started(folder, name, workers=2) as database:
        wait_until(lambda: unfinished(database) == 0, 300, LOOK_SELDOM)
    return _rate(database, count)


def _rate(database: Path, count: int) -> float:
    connection = sqlite3.connect(database)
    (seconds,) = connection.execute(
        "SELECT max(finished_at) - min(started_at) FROM autocron_jobs WHERE state = 3"
    ).fetchone()
    connection.close()
    return count / seconds


# The measures -------------------------------------------------------------------------------


def call(folder: Path, scale: Scale) -> Iterator[Row]:
    """A call, stored at return: one after the other, and with a pause so that two workers idle."""
    for durability, synchronous, goal in (("full", "FULL", "≤ 1.6"), ("normal", "NORMAL", "≤ 4")):
        with started(folder, f"call-{durability}", autostart=False, durability=durability):
            yield _call_row(folder, scale, synchronous, 0.0, "one after the other", goal)
        with started(folder, f"paced-{durability}", workers=2, durability=durability) as database:
            all_workers(database, 2)
            yield _call_row(folder, scale, synchronous, 0.003, "one in 3 ms, 2 idle workers", "")


def _call_row(
    folder: Path, scale: Scale, synchronous: str, pause: float, how: str, goal: str
) -> Row:
    floor: list[float] = []
    ours: list[float] = []
    for _ in range(6):  # in turns, so that both meet the same machine
        floor += floors.insert_times(folder, synchronous, scale.calls // 6, pause)
        ours += call_times(scale.calls // 6, pause)
    ratio = quantile(ours, 0.5) / quantile(floor, 0.5)
    name = f"a call, durability={synchronous.lower()!r}, {how}"
    return Row(name, microseconds(ours), microseconds(floor), ratio, goal)


def busy(folder: Path, scale: Scale) -> Iterator[Row]:
    """A call while two workers drain at full speed."""
    for durability in ("full", "normal"):
        name = f"busy-{durability}"
        with started(folder, name, autostart=False):
            fill(20 * scale.calls)
        with started(folder, name, workers=2, durability=durability) as database:
            wait_until(lambda: app.current_client().store.counts()[JobStatus.DONE] > 100)
            times = call_times(scale.calls, 0.0)
            left = unfinished(database)
        yield Row(
            f"a call, durability={durability!r}, while two workers drain ({left} jobs left)",
            microseconds(times),
            goal="p99 ≤ 3 ms, max ≤ 20 ms",
        )


def latency(folder: Path, scale: Scale) -> Iterator[Row]:
    """From a call to the first line of the task, on an idle system."""
    ours: list[float] = []
    floor: list[float] = []
    bare: list[float] = []
    with started(folder, "latency", workers=2) as database:
        all_workers(database, 2)
        for _ in range(5):
            ours += latency_times(scale.latencies // 5, 0.01)
            floor += floors.wake_up_times(folder, scale.latencies // 5, 0.01, "FULL")
            bare += floors.wake_up_times(folder, scale.latencies // 5, 0.01)
    yield Row(
        "call to first line of the task",
        microseconds(ours),
        f"insert, datagram, claim: {microseconds(floor)}; datagram alone: {microseconds(bare)}",
        quantile(ours, 0.5) / quantile(floor, 0.5),
        "p50 ≤ 0.7 ms, p99 ≤ 2.5 ms",
    )


def due(folder: Path, scale: Scale) -> Iterator[Row]:
    """From the due time of a delayed job to the first line of its task, on an idle system."""
    for name, each in (("alone", 0), ("deep", scale.later // _LATER_KINDS)):
        _fill_for_later(folder, name, each)
        with started(folder, name, workers=2) as database:
            all_workers(database, 2)
            times = lateness(scale.latencies // 10, 0.1)
        yield Row(
            f"due time to first line of the task, {each * _LATER_KINDS:,} others due later",
            f"{microseconds(times)}, max {max(times) * 1e6:.0f} µs",
            goal="max ≤ 20 ms",
        )


def drain(folder: Path, scale: Scale) -> Iterator[Row]:
    """Draining jobs that do nothing."""
    rates = [drain_rate(folder, f"drain-{n}", scale.drained) for n in range(3)]
    rate = statistics.median(rates)
    floor = floors.drain_rate(folder, scale.drained, 2)
    yield Row(
        "draining no-op jobs, 2 workers",
        f"{rate:.0f}/s ({min(rates):.0f} to {max(rates):.0f})",
        f"{floor:.0f}/s",
        rate / floor,
        "≥ 8,000/s",
    )


def _call_many(database: Path, count: int) -> None:
    site.start(database, workers=2)
    for _ in range(count):
        site.write("a@example.org", "hi")
    os._exit(0)


def end_to_end(folder: Path, scale: Scale) -> Iterator[Row]:
    """Four processes enqueue, two workers drain."""
    rates = [_end_to_end_run(folder, f"end-to-end-{n}", scale.end_to_end) for n in range(3)]
    floor = floors.end_to_end_rate(folder, scale.end_to_end, 4, 2)
    rate = statistics.median(rates)
    yield Row(
        "end to end, 4 processes enqueue, 2 workers",
        f"{rate:.0f}/s ({min(rates):.0f} to {max(rates):.0f})",
        f"{floor:.0f}/s",
        rate / floor,
        "≥ 4,000/s",
    )


def _end_to_end_run(folder: Path, name: str, count: int) -> float:
    context = multiprocessing.get_context("spawn")
    with started(folder, name, workers=2) as database:
        all_workers(database, 2)
        callers = [
            context.Process(target=_call_many, args=(database, count // 4)) for _ in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        wait_until(lambda: unfinished(database) == 0, 300, LOOK_SELDOM)
        return _end_to_end_rate(database)


def _end_to_end_rate(database: Path) -> float:
    connection = sqlite3.connect(database)
    count, seconds = connection.execute(
        "SELECT count(*), max(finished_at) - min(enqueued_at) FROM autocron_jobs "
        "WHERE task LIKE '%write'"
    ).fetchone()
    connection.close()
    return count / seconds


def depth(folder: Path, scale: Scale) -> Iterator[Row]:
    """Latency and rate beside a million jobs that are due later, and beside a few."""
    # Both have the same queues and priorities, so that only the number of jobs differs.
    _fill_for_later(folder, "deep", scale.later // _LATER_KINDS)
    _fill_for_later(folder, "shallow", 1)
    os.sync()  # or the kernel would still be writing what was just put in
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(5):  # in turns, so that both meet the same machine
        for name in ("deep", "shallow"):
            with started(folder, name, workers=2) as database:
                all_workers(database, 2)
                times.setdefault((name, "latency"), []).extend(
                    latency_times(scale.latencies // 5, 0.005)
                )
                times.setdefault((name, "call"), []).extend(call_times(scale.calls // 5, 0.0005))
            rate = _extra_drain(folder, name, scale.drained // 2)
            times.setdefault((name, "drain"), []).append(1 / rate)
    for kind in ("call", "latency", "drain"):
        deep, shallow = (statistics.median(times[name, kind]) for name in ("deep", "shallow"))
        yield Row(
            f"{kind} with {scale.later:,} jobs due later ÷ with {_LATER_KINDS}",
            f"{deep * 1e6:.0f} µs",
            f"{shallow * 1e6:.0f} µs",
            deep / shallow,
            "≤ 1.1",
        )


_LATER_KINDS = 200


def _fill_for_later(folder: Path, name: str, each: int) -> None:
    with started(folder, name, autostart=False):
        for number in range(_LATER_KINDS):
            options = {"queue": f"q{number % 7}", "priority": number % 11 - 5}
            site.nothing.options(seconds=YEAR + number, **options).enqueue_many([()] * each)
        site.nothing.enqueue_many([()])


def _extra_drain(folder: Path, name: str, count: int) -> float:
    with started(folder, name, autostart=False):
        fill(count)
        began = time.time()
    with started(folder, name, workers=2) as database:
        wait_until(lambda: unfinished(database) == 0, 300, LOOK_SELDOM)
    connection = sqlite3.connect(database)
    (seconds,) = connection.execute(
        "SELECT max(finished_at) - min(started_at) FROM autocron_jobs WHERE started_at >= ?",
        (began,),
    ).fetchone()
    connection.close()
    return count / seconds


def idle(folder: Path, scale: Scale) -> Iterator[Row]:
    """What an idle system costs."""
    with started(folder, "idle", workers=2) as database:
        pids = all_workers(database, 2)
        time.sleep(2)
        before = processes.cpu_seconds(pids)
        time.sleep(scale.idle_seconds)
        used = (processes.cpu_seconds(pids) - before) * 60 / scale.idle_seconds
        memory = processes.memory(pids)
    yield Row(
        "idle CPU of supervisor and 2 workers", f"{used:.4f} s a minute", goal="≤ 0.02 s a minute"
    )
    floor = floors.interpreters_memory(3)
    yield Row(
        "memory of supervisor and 2 workers",
        f"{memory:.1f} MB",
        f"{floor:.1f} MB",
        memory / floor,
        "≤ 30 MB",
    )


FRESH = """
import json, sys, time
moments = [time.perf_counter()]
import autocron
moments.append(time.perf_counter())
import site_under_test as site
moments.append(time.perf_counter())
import autocron.integration, autocron.client
moments.append(time.perf_counter())
site.start(sys.argv[1])
moments.append(time.perf_counter())
called = time.monotonic_ns()
first = (site.now().wait(60) - called) / 1e9 + moments[4] - moments[3]
print(json.dumps([later - earlier for earlier, later in zip(moments, moments[1:])] + [first]))
"""


def start(folder: Path, scale: Scale) -> Iterator[Row]:
    """How fast it is there, in a fresh process each time."""
    figures = []
    for number in range(scale.starts):
        database = folder / f"start-{number}.db"
        command = [sys.executable, "-c", FRESH, str(database)]
        done = subprocess.run(command, cwd=HERE, capture_output=True, check=True, timeout=120)
        figures.append(json.loads(done.stdout))
        wait_until(lambda database=database: not is_supervised(database))  # type: ignore[misc]
    bare, decorators, client, starts, firsts = map(list, zip(*figures, strict=True))
    floor = floors.interpreter_seconds(2 * scale.starts)
    yield Row("import autocron", milliseconds(bare), goal="≤ 30 ms")
    yield Row("then, using its decorators", milliseconds(decorators))
    yield Row("then, what the first start() imports", milliseconds(client))
    yield Row("start() in the web process", milliseconds(starts), goal="≤ 10 ms")
    yield Row(
        "start of the processes to the first job run",
        milliseconds(firsts),
        f"a bare interpreter, {milliseconds(floor)}",
        statistics.median(firsts) / statistics.median(floor),
        "≤ 200 ms",
    )


def milliseconds(times: list[float]) -> str:
    return f"p50 {statistics.median(times) * 1e3:.1f} ({min(times) * 1e3:.1f} to {max(times) * 1e3:.1f}) ms"


def bulk(folder: Path, _scale: Scale) -> Iterator[Row]:
    """A thousand jobs in one transaction."""
    with started(folder, "bulk", autostart=False):
        times = []
        for _ in range(20):
            began = time.perf_counter()
            site.write.enqueue_many([("a@example.org", "hi")] * 1000)
            times.append(time.perf_counter() - began)
    yield Row("enqueue_many of 1,000 jobs", milliseconds(times))


MEASURES = {
    measure.__name__: measure
    for measure in (call, busy, latency, due, drain, end_to_end, depth, bulk, start, idle)
}

if sys.platform != "linux":
    raise SystemExit("the benchmarks read /proc, and run on Linux only")
