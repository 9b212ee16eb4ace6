"""What the machine can do without us: bare `sqlite3` loops, and a bare datagram between processes."""

import multiprocessing
import os
import socket
import sqlite3
import sys
import time
from pathlib import Path

TABLE = "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, state INTEGER, task TEXT, arguments TEXT)"
INDEX = "CREATE INDEX IF NOT EXISTS waiting ON jobs (id) WHERE state = 0"
INSERT = "INSERT INTO jobs (state, task, arguments) VALUES (0, ?, ?)"
CLAIM = """
UPDATE jobs SET state = 1 WHERE id = (SELECT id FROM jobs WHERE state = 0 ORDER BY id LIMIT 1)
RETURNING id
"""
FINISH = "UPDATE jobs SET state = 2 WHERE id = ?"
ROW = ("app.send_mail", '[["a@example.org","hi"],{}]')


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(TABLE)
    connection.execute(INDEX)
    return connection


def insert_times(folder: Path, synchronous: str, count: int, pause: float) -> list[float]:
    """Seconds of each of `count` inserts, every one committed, with a pause before each."""
    connection = connect(folder / f"floor-{synchronous}.db", synchronous)
    times = []
    for _ in range(count):
        if pause:
            time.sleep(pause)
        began = time.perf_counter()
        connection.execute(INSERT, ROW)
        times.append(time.perf_counter() - began)
    connection.close()
    return times


def _drain(path: Path) -> None:
    connection = connect(path, "NORMAL")
    finished = None
    while True:
        connection.execute("BEGIN IMMEDIATE")
        if finished is not None:
            connection.execute(FINISH, finished)
        finished = connection.execute(CLAIM).fetchone()
        connection.execute("COMMIT")
        if finished is None:
            return


def drain_rate(folder: Path, count: int, processes: int) -> float:
    """Jobs a second that processes take and end, one transaction for each."""
    path = folder / f"floor-drain-{processes}.db"
    connection = connect(path, "NORMAL")
    connection.execute("BEGIN")
    connection.executemany(INSERT, [ROW] * count)
    connection.execute("COMMIT")
    context = multiprocessing.get_context("fork")
    connection.close()
    children = [context.Process(target=_drain, args=(path,)) for _ in range(processes)]
    began = time.perf_counter()
    for child in children:
        child.start()
    for child in children:
        child.join()
    return count / (time.perf_counter() - began)


def _insert_many(path: Path, count: int) -> None:
    connection = connect(path, "FULL")
    for _ in range(count):
        connection.execute(INSERT, ROW)
    connection.close()


def end_to_end_rate(folder: Path, count: int, callers: int, workers: int) -> float:
    """Jobs a second when some processes insert, each commit forced to the disk, and others drain."""
    path = folder / "floor-end-to-end.db"
    connect(path, "NORMAL").close()
    context = multiprocessing.get_context("fork")
    share = count // callers
    inserting = [context.Process(target=_insert_many, args=(path, share)) for _ in range(callers)]
    draining = [
        context.Process(target=_drain_until, args=(path, share * callers)) for _ in range(workers)
    ]
    began = time.perf_counter()
    for child in inserting + draining:
        child.start()
    for child in inserting + draining:
        child.join()
    return share * callers / (time.perf_counter() - began)


def _drain_until(path: Path, count: int) -> None:
    connection = connect(path, "NORMAL")
    while True:
        _drain(path)
        (waiting, finished) = connection.execute(
            "SELECT (SELECT count(*) FROM jobs WHERE state = 0), (SELECT max(id) FROM jobs)"
        ).fetchone()
        if finished == count and waiting == 0:
            return


def _claim_when_woken(path: Path, address: str) -> None:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(address)
    connection = connect(path, "NORMAL")
    while True:
        message, sender = receiver.recvfrom(100)
        if message == b"end":
            return
        if message == b"claim":
            connection.execute(CLAIM).fetchone()
        receiver.sendto(str(time.monotonic_ns()).encode(), sender)


def wake_up_times(
    folder: Path, count: int, pause: float, synchronous: str | None = None
) -> list[float]:
    """Seconds from sending a datagram until the other process, which was idle, runs.

    With `synchronous`, from inserting a row with that setting, before the datagram, until the other
    process has claimed it.
    """
    name = f"floor-wake-{synchronous}-{time.monotonic_ns()}"
    path, address = folder / f"{name}.db", str(folder / f"{name}.sock")
    connect(path, "NORMAL").close()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_claim_when_woken, args=(path, address))
    child.start()
    connection = connect(path, synchronous or "NORMAL")
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.bind(address + ".sender")
    while not os.path.exists(address):
        time.sleep(0.01)
    times = []
    for _ in range(count):
        time.sleep(pause)
        began = time.monotonic_ns()
        if synchronous:
            connection.execute(INSERT, ROW)
        sender.sendto(b"claim" if synchronous else b"wake", address)
        times.append((int(sender.recv(100)) - began) / 1e9)
    sender.sendto(b"end", address)
    child.join()
    return times


def interpreter_seconds(count: int) -> list[float]:
    """Seconds that a Python interpreter takes to start and end."""
    return [_run_python("pass") for _ in range(count)]


def _run_python(code: str) -> float:
    began = time.perf_counter()
    os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ), 0)
    return time.perf_counter() - began


def interpreters_memory(count: int) -> float:
    """Megabytes (PSS) that bare interpreters with `sqlite3` take together."""
    from processes import memory

    pipes = [os.pipe() for _ in range(count)]
    code = "import sqlite3, os; os.write({}, b'x'); os.read(0, 1)"
    reading, writing = os.pipe()
    pids = []
    for told, tell in pipes:
        os.set_inheritable(tell, True)
        actions = [(os.POSIX_SPAWN_DUP2, reading, 0)]
        command = [sys.executable, "-c", code.format(tell)]
        pids.append(os.posix_spawn(sys.executable, command, os.environ, file_actions=actions))
        os.read(told, 1)
    total = memory(pids)
    os.write(writing, b"x" * count)
    for pid in pids:
        os.waitpid(pid, 0)
    return total
