import threading

import pytest

from autocron.errors import NewerSchema
from autocron.model import NewJob, Succeeded


def test_to_migrate_twice_does_no_harm(store, put, open_store):
    """Whoever starts calls it, and nothing is lost."""
    put("a")
    store.migrate()
    open_store().migrate()
    assert store.get("a")


def test_many_may_migrate_at_once(open_store, now):
    """The first start of an application with many processes makes the tables once."""
    barrier, failures = threading.Barrier(8), []

    def start(number):
        own = open_store()
        barrier.wait(30)
        try:
            own.migrate()
            own.enqueue([NewJob(str(number), "t", "[[],{}]")], now)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert open_store().counts()["WAITING"] == 8


def test_a_newer_schema_is_refused(store, functions, tmp_path, open_store):
    """Old code does not touch what a newer autocron has written."""
    store.close()
    functions["make_newer"](tmp_path)
    with pytest.raises(NewerSchema, match="has schema version 99"):
        open_store().migrate()


def test_a_closed_store_opens_again(store, put, now):
    """To close it twice does no harm; nothing is lost."""
    put("a")
    store.close()
    store.close()
    assert store.claim(1, now).id == "a"


def test_many_threads_may_use_one_store(store, now):
    """Each verb is one transaction, whichever thread calls it."""
    failures = []

    def use(name):
        try:
            for number in range(25):
                store.enqueue([NewJob(f"{name} {number}", "t", "[[],{}]")], now)
                store.watch([f"{name} {number}"])
                job = store.claim(1, now)
                if job:
                    store.settle(job, Succeeded("1"), now)
                store.counts()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counts = store.counts()
    assert counts["DONE"] == 200
    assert counts["RUNNING"] == counts["WAITING"] == 0


FORK = """
import os, sys, threading
from autocron.model import NewJob, Succeeded

store = open_store(sys.argv[1])
store.migrate()
store.enqueue([NewJob("before", "t", "[[],{}]")], 1.0)
store.sync()

busy = threading.Event()
def keep_busy():
    while not busy.wait(0.001):
        store.counts()
thread = threading.Thread(target=keep_busy)
thread.start()

children = []
for name in "abc":
    child = os.fork()
    if not child:
        for number in range(20):
            store.enqueue([NewJob(f"{name} {number}", "t", "[[],{}]")], 1.0)
        store.sync()
        store.close()
        os._exit(0 if store.get("before") else 1)
    children.append(child)
for number in range(20):
    store.enqueue([NewJob(f"parent {number}", "t", "[[],{}]")], 1.0)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
busy.set()
thread.join()
assert store.counts()["WAITING"] == 81, store.counts()
store.enqueue([NewJob("after", "t", "[[],{}]")], 1.0)
store.close()
"""


def test_a_store_can_be_used_after_a_fork(engine, run_program, tmp_path):
    """By the children and by the parent, also if a thread of it was reading at that moment."""
    ended = run_program(engine + FORK, tmp_path)
    assert ended.returncode == 0, ended.stderr
