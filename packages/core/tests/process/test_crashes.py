"""What becomes of jobs when processes end in the middle of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from process_harness import Site, Web, children, is_alive, kill_all, wait_until

from autocron.processes.crew import LOAD_FAILED

WAITING, RUNNING, DONE, ERROR = 1, 2, 3, 4


def test_a_call_that_returned_is_stored(app: Callable[..., Site]) -> None:
    """Killing the process straight after the call loses nothing."""
    site = app(autostart=False)
    web = site.web()
    job = web.run("site.add(1).id")
    web.end(signal.SIGKILL)
    assert site.job(job)["state"] == WAITING
    site = app()
    assert site.web().run(f"autocron.result({job!r}).wait(30)") == 2


def test_no_call_of_many_is_lost_when_its_process_is_killed(app: Callable[..., Site]) -> None:
    """Of calls made in a loop, every one that returned before the kill is in the database."""
    site = app(
        """
        def many():
            for number in range(100_000):
                note("returned", add(number).id)
        """,
        autostart=False,
    )
    web = site.web()
    assert web.process.stdin is not None
    web.process.stdin.write("site.many()\n")
    web.process.stdin.flush()
    wait_until(lambda: len(site.lines("returned")) > 200, "200 calls")
    web.end(signal.SIGKILL)
    stored = {row[0] for row in site.query("SELECT id FROM autocron_jobs")}
    returned = {line for line in site.lines("returned") if len(line) == 36}
    assert len(returned) > 200
    assert returned <= stored


def begin_blocking(site: Site, web: Web) -> tuple[str, int]:
    """Have a worker begin a job that does not end by itself; return the job's id and the worker's."""
    job = web.run("site.block('one').id")
    return job, int(wait_until(lambda: site.lines("one"), "the first attempt")[0])


def kill_in_vain(web: Web, worker: int) -> None:
    """Kill a worker of which the supervisor can note nothing, as it says."""
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "trying again" in web.errors.read_text(), "a supervisor that waits")


def test_a_killed_worker_is_replaced_and_its_job_runs_again(app: Callable[..., Site]) -> None:
    """The job of a killed worker is put back at once, with its attempt counted."""
    site = app()
    web = site.web()
    job, first = begin_blocking(site, web)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(site.lines("one")) == 2, "the second attempt")
    assert int(site.lines("one")[1]) != first
    (site.folder / "one.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert (site.job(job)["attempt"], site.job(job)["crashes"]) == (2, 1)


def test_a_worker_that_is_killed_while_the_database_is_locked(app: Callable[..., Site]) -> None:
    """Its job is put back, with the crash counted, as soon as that can be written."""
    site = app(busy_timeout=0.2)
    web = site.web()
    job, first = begin_blocking(site, web)
    with site.locked():
        kill_in_vain(web, first)
    wait_until(lambda: len(site.lines("one")) == 2, "the second attempt")
    assert (site.job(job)["attempt"], site.job(job)["crashes"]) == (2, 1)


def test_all_processes_end_though_the_database_is_locked(app: Callable[..., Site]) -> None:
    """What a worker was running is then put back after the next start."""
    site = app(busy_timeout=0.2, shutdown_timeout=0.5)
    web = site.web()
    job, first = begin_blocking(site, web)
    with site.locked():
        kill_in_vain(web, first)
        web.end()
        wait_until(site.is_empty, "the end of supervisor and workers")
    (site.folder / "one.go").touch()
    assert site.web().run(f"autocron.result({job!r}).wait(30)") == "one"


def test_a_job_that_kills_its_workers_ends_with_an_error(app: Callable[..., Site]) -> None:
    """After the third worker it is not tried again, and says why; other jobs go on."""
    site = app(
        """
        @autocron.delay
        def die(): os.kill(os.getpid(), signal.SIGSEGV)
        """
    )
    web = site.web()
    job = web.run("site.die().id")
    site.wait_for_state(job, ERROR)
    assert site.job(job)["crashes"] == 3
    assert "SIGSEGV" in site.job(job)["error"]
    assert web.run("site.add(1).wait(30)") == 2


@pytest.mark.parametrize("status", [0, LOAD_FAILED])
def test_a_job_that_ends_its_worker_in_good_order_ends_with_an_error(
    app: Callable[..., Site], status: int
) -> None:
    """No status hides that the worker has left its job behind."""
    site = app(
        """
        @autocron.delay
        def leave(status): os._exit(status)
        """
    )
    web = site.web()
    job = web.run(f"site.leave({status}).id")
    site.wait_for_state(job, ERROR)
    assert (site.job(job)["crashes"], site.job(job)["attempt"]) == (3, 3)
    assert f"ended with status {status}" in site.job(job)["error"]


def test_a_job_that_is_put_back_does_not_wait_for_the_next_look(app: Callable[..., Site]) -> None:
    """An idle worker takes it at once, and not only when it looks whether a wake-up got lost."""
    site = app(check_interval=3600)
    web = site.web()
    job = web.run("site.block('one').id")
    first = int(wait_until(lambda: site.lines("one"), "the first attempt")[0])
    site.kill_supervisor()
    assert web.run("site.add(1).wait(30)") == 2  # by a new worker, which is idle now
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: len(site.lines("one")) == 2, "the second attempt")
    (site.folder / "one.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"


def test_whoever_waits_is_told_of_a_job_that_crashed_too_often(app: Callable[..., Site]) -> None:
    """wait() raises when the last attempt has taken its worker along."""
    site = app(
        """
        @autocron.delay
        def die(): os._exit(7)

        def outcome():
            try:
                die().wait(30)
            except autocron.AutocronError as error:
                return str(error)
        """
    )
    assert "ended with status 7" in site.web().run("site.outcome()")


def test_no_zombie_is_left(app: Callable[..., Site]) -> None:
    """The web process reaps a supervisor that was killed, and a supervisor its workers."""
    site = app(workers=2)
    web = site.web()
    web.run("site.add(1).wait(30)")
    site.kill_supervisor()
    supervisor, workers = site.supervisor(), site.workers(2)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(site.workers(2) - workers) == 2, "two new workers")
    wait_until(lambda: children(web.pid).keys() == {supervisor}, "one child of the web process")
    for pid in (web.pid, supervisor):
        wait_until(lambda pid=pid: "Z" not in children(pid).values(), "no zombie")
    assert children(supervisor).keys() == site.workers(2)


def test_a_job_outlives_its_supervisor_and_does_not_run_twice(app: Callable[..., Site]) -> None:
    """A worker whose supervisor is killed finishes its job, and nobody takes it from it."""
    site = app()
    web = site.web()
    job = web.run("site.block('one').id")
    worker = int(wait_until(lambda: site.lines("one"), "the start of the job")[0])
    site.kill_supervisor()
    assert web.run("site.add(1).wait(30)") == 2  # by a new worker
    assert site.job(job)["state"] == RUNNING
    (site.folder / "one.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert site.lines("one") == [str(worker)]
    wait_until(lambda: not is_alive(worker), "the end of the old worker")


def test_everything_killed_at_once_goes_on_at_the_next_start(app: Callable[..., Site]) -> None:
    """Web process, supervisor and workers may die together; no stale lock stands in the way."""
    site = app(workers=2)
    web = site.web()
    job = web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    kill_all({web.pid, site.supervisor(), *site.workers(2)})
    (site.folder / "one.go").touch()
    assert site.web().run(f"autocron.result({job!r}).wait(30)") == "one"


def test_a_task_can_do_anything_and_the_worker_goes_on(app: Callable[..., Site]) -> None:
    """Raising, sys.exit(), endless recursion or a bad result end the job, not the worker."""
    site = app(
        """
        @autocron.delay
        def fail(): raise ValueError("bad")
        @autocron.delay
        def leave(): sys.exit(3)
        @autocron.delay
        def recurse(): recurse.call()
        @autocron.delay
        def odd(): return object()
        @autocron.delay
        def interrupt(): raise KeyboardInterrupt

        def error_of(task):
            try:
                task().wait(30)
            except autocron.AutocronError as error:
                return str(error)
        """
    )
    web = site.web()
    worker = web.run("site.pid().wait(30)")
    expected = {
        "fail": "ValueError: bad",
        "leave": "SystemExit: 3",
        "recurse": "RecursionError",
        "odd": "the result of site_app.odd holds an instance of object",
        "interrupt": "KeyboardInterrupt",
    }
    for name, words in expected.items():
        assert words in web.run(f"site.error_of(site.{name})")
    assert web.run("site.pid().wait(30)") == worker


def test_a_stored_job_of_an_unknown_task_ends_with_an_error(app: Callable[..., Site]) -> None:
    """A job whose function is gone says so; nothing is run that is not a task."""
    site = app(autostart=False)
    web = site.web()
    job, other = web.run("[site.add(1).id, site.add(1).id]")
    rename = "UPDATE autocron_jobs SET task = ? WHERE id = ? RETURNING 1"
    assert site.query(rename, "site_app.gone", job)
    assert site.query(rename, "os.getpid", other)
    web.end()
    site = app()
    site.web()
    for job_id in (job, other):
        site.wait_for_state(job_id, ERROR)
        assert "TaskNotFound" in site.job(job_id)["error"]


def test_a_worker_that_cannot_end_is_ended_by_the_next_supervisor(app: Callable[..., Site]) -> None:
    """Its own was killed while a task held the interpreter, so that it cannot even notice that."""
    site = app(
        """
        import itertools

        @autocron.delay
        def compute():
            note("compute", os.getpid())
            if len((HERE / "compute").read_text().splitlines()) == 1:
                sum(itertools.repeat(0))
            return "done"
        """,
        shutdown_timeout=0.5,
    )
    web = site.web()
    job = web.run("site.compute().id")
    worker = int(wait_until(lambda: site.lines("compute"), "the start of the job")[0])
    site.kill_supervisor()
    wait_until(lambda: not is_alive(worker), "the end of the old worker")
    assert web.run(f"autocron.result({job!r}).wait(30)") == "done"
    assert site.job(job)["crashes"] == 0


def test_no_worker_outlives_an_application_that_has_ended(app: Callable[..., Site]) -> None:
    """Though its own supervisor was killed, and its task holds the interpreter."""
    site = app(
        """
        import itertools

        @autocron.delay
        def compute():
            note("compute", os.getpid())
            sum(itertools.repeat(0))
        """,
        shutdown_timeout=0.5,
    )
    web = site.web()
    web.run("site.compute().id")
    wait_until(lambda: site.lines("compute"), "the start of the job")
    site.kill_supervisor()
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)


# What has been recorded, and what is set ----------------------------------------------------------

DIE = """
@autocron.delay
def die(): os.kill(os.getpid(), signal.SIGKILL)

@autocron.delay(retries=5, on_crash="fail")
def once(name):
    note(name, os.getpid())
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_each_crash_is_recorded(app: Callable[..., Site]) -> None:
    """With the signal, and the number of the worker."""
    site = app(DIE, crash_limit=2)
    web = site.web()
    job = web.run("site.die().id")
    site.wait_for_state(job, ERROR)
    kept = web.run(
        f"[[str(a.outcome), a.error, a.worker] for a in autocron.result({job!r}).attempts]"
    )
    assert kept == [["CRASHED", "the worker was killed by SIGKILL", 1]] * 2


def begin_once(site: Site, web: Web) -> tuple[str, int]:
    """Have a worker begin a job that must never run twice; return the job's id and the worker's."""
    job = web.run("site.once('once').id")
    return job, int(wait_until(lambda: site.lines("once"), "the start of the job")[0])


def test_a_job_that_must_never_run_twice_fails_when_its_worker_dies(
    app: Callable[..., Site],
) -> None:
    """Whatever its retries; it says what happened."""
    site = app(DIE)
    web = site.web()
    job, _ = begin_once(site, web)
    (site.folder / "once.go").touch()
    site.wait_for_state(job, ERROR)
    assert site.job(job)["error"].startswith(
        "the worker was killed by SIGKILL; since it has on_crash"
    )
    assert web.run("site.add(1).wait(30)") == 2
    assert len(site.lines("once")) == 1


def test_a_job_that_must_never_run_twice_fails_when_everything_is_killed(
    app: Callable[..., Site],
) -> None:
    """The next start does not run it again."""
    site = app(DIE)
    web = site.web()
    job, worker = begin_once(site, web)
    kill_all({web.pid, site.supervisor(), worker})
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    assert site.job(job)["state"] == ERROR
    assert len(site.lines("once")) == 1


def test_a_job_that_must_never_run_twice_fails_when_the_application_ends(
    app: Callable[..., Site],
) -> None:
    """If it does not end in the time for it; it is not given back."""
    site = app(DIE, shutdown_timeout=0.2)
    web = site.web()
    job, _ = begin_once(site, web)
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    assert site.job(job)["state"] == ERROR
    assert site.job(job)["error"].startswith("the application ended while it was running")


def test_a_worker_that_crashes_at_its_start_is_restarted_with_growing_pauses(
    app: Callable[..., Site],
) -> None:
    """The log says what became of it, and when the next one starts; then all goes on."""
    site = app(
        """
        if not (HERE / "mended").exists() and "boot.py" in pathlib.Path("/proc/self/cmdline").read_text():
            os.kill(os.getpid(), signal.SIGSEGV)
        """
    )
    web = site.web()
    words = "was killed by SIGSEGV; a new one starts in 0.8 s"
    wait_until(lambda: words in web.errors.read_text(), "the third crash")
    (site.folder / "mended").touch()
    assert web.run("site.add(1).wait(30)") == 2
