"""Workers that are replaced between jobs, and what is tried again after failures of all kinds."""

from __future__ import annotations

from collections.abc import Callable

from process_harness import Site, wait_until

WAITING, RUNNING, DONE, ERROR, CANCELLED = 1, 2, 3, 4, 5

CODE = """
kept = []

@autocron.delay
def leak(megabytes):
    kept.append(bytearray(os.urandom(1024) * 1024 * megabytes))
    return os.getpid()

@autocron.delay
def too_much():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    return len(bytearray(2**32))

@autocron.delay(retries=3, backoff=[0, 0, 600])
def unlucky():
    raise OSError(f"no {autocron.current_job().attempt}")

@autocron.delay(retries=3, backoff=0, retry_on=OSError, give_up_on=TimeoutError)
def picky(name):
    note("picky", name)
    raise {"os": OSError, "time": TimeoutError, "key": KeyError}[name](name)

@autocron.delay
def polls():
    if autocron.current_job().attempt < 4:
        raise autocron.Retry("not yet", after=0.01)
    return "now"

def outcome(result):
    try:
        return result.wait(30)
    except autocron.AutocronError as error:
        return type(error).__name__
"""


def test_a_worker_is_replaced_after_so_many_jobs(app: Callable[..., Site]) -> None:
    """Each job runs once, and the jobs that wait do not."""
    site = app(CODE, max_jobs_per_worker=3)
    web = site.web()
    pids = web.run("[result.wait(30) for result in [site.pid() for _ in range(10)]]")
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 3, 1]
    assert site.query("SELECT max(attempt), sum(crashes) FROM autocron_jobs") == [(1, 0)]


def test_a_leaking_worker_is_replaced(app: Callable[..., Site]) -> None:
    """After the job with which it has come to need too much; one that needs less stays."""
    site = app(CODE, max_memory_per_worker=150)
    web = site.web()
    first = web.run("site.leak(1).wait(30)")
    assert web.run("site.leak(150).wait(30)") == first
    wait_until(lambda: site.processes("worker") - {first}, "another worker")
    assert web.run("site.leak(1).wait(30)") != first
    assert site.query("SELECT max(attempt) FROM autocron_jobs") == [(1,)]


def test_a_job_that_asks_for_too_much_memory_fails_alone(app: Callable[..., Site]) -> None:
    """Where the system refuses it, as under a limit; where it kills instead, that is a crash."""
    site = app(CODE)
    web = site.web()
    job = web.run("site.too_much().id")
    assert web.run(f"site.outcome(autocron.result({job!r}))") == "JobFailed"
    assert "MemoryError" in site.job(job)["error"]
    assert web.run("site.add(1).wait(30)") == 2


def test_every_attempt_is_kept(app: Callable[..., Site]) -> None:
    """With its own error and traceback, in a job that waits for its next one."""
    site = app(CODE)
    web = site.web()
    job = web.run("site.unlucky().id")
    wait_until(lambda: site.job(job)["attempt"] == 3 and site.job(job)["state"] == 0)
    kept = web.run(f"[[a.error, a.traceback] for a in autocron.result({job!r}).attempts]")
    assert [error for error, _ in kept] == ["OSError: no 1", "OSError: no 2", "OSError: no 3"]
    assert all("in unlucky" in traceback for _, traceback in kept)


def test_only_the_exceptions_that_are_named_are_tried_again(app: Callable[..., Site]) -> None:
    """Others end the job at once, as do those that are to be given up on."""
    site = app(CODE)
    web = site.web()
    for name in ("os", "time", "key"):
        assert web.run(f"site.outcome(site.picky({name!r}))") == "JobFailed"
    assert site.lines("picky") == ["os"] * 4 + ["time", "key"]


def test_a_task_can_ask_for_other_attempts(app: Callable[..., Site]) -> None:
    """As many as it likes, without retries."""
    site = app(CODE)
    web = site.web()
    assert web.run("site.outcome(site.polls())") == "now"
