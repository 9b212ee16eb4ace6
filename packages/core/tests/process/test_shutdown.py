"""What becomes of running jobs when the application ends."""

from __future__ import annotations

from collections.abc import Callable

from process_harness import Site, wait_until

WAITING, DONE = 1, 3


def test_a_running_job_is_finished(app: Callable[..., Site]) -> None:
    """A job that ends within the time for it is done, though the application has ended."""
    site = app()
    web = site.web()
    job = web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    web.end()
    (site.folder / "one.go").touch()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    assert site.job(job)["state"] == DONE


def test_a_job_that_takes_too_long_is_given_back(app: Callable[..., Site]) -> None:
    """It waits again, as if it had not begun, and runs after the next start."""
    site = app(shutdown_timeout=0.5)
    web = site.web()
    job = web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    assert (site.job(job)["state"], site.job(job)["attempt"]) == (WAITING, 0)
    (site.folder / "one.go").touch()
    assert site.web().run(f"autocron.result({job!r}).wait(30)") == "one"


def test_a_task_that_swallows_everything_cannot_stay(app: Callable[..., Site]) -> None:
    """A worker that does not end in time is ended, and its job given back."""
    site = app(
        """
        @autocron.delay
        def stubborn():
            note("stubborn", 1)
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        """,
        shutdown_timeout=0.5,
    )
    web = site.web()
    job = web.run("site.stubborn().id")
    wait_until(lambda: site.lines("stubborn"), "the start of the job")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    assert (site.job(job)["state"], site.job(job)["attempt"]) == (WAITING, 0)


def test_jobs_not_yet_run_stay(app: Callable[..., Site]) -> None:
    """What waits when the application ends runs after its next start."""
    site = app(shutdown_timeout=0.5)
    web = site.web()
    web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the first job")
    waiting = web.run("[site.add(number).id for number in range(20)]")
    web.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 10)
    (site.folder / "one.go").touch()
    web = site.web()
    assert web.run(f"[autocron.result(job).wait(30) for job in {waiting}]") == list(range(1, 21))


def test_a_process_that_comes_back_while_workers_end_finds_workers(
    app: Callable[..., Site],
) -> None:
    """A rolling restart: the new web process need not wait for the old jobs to end."""
    site = app(workers=2)
    web = site.web()
    job = web.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    site.workers(2)
    web.end()
    site.workers(1)  # the idle one has ended: they were told to
    web = site.web()
    assert web.run("site.add(1).wait(30)") == 2
    (site.folder / "one.go").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert len(site.lines("one")) == 1
