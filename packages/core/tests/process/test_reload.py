"""The workers run the code that the newest web process runs."""

from __future__ import annotations

from collections.abc import Callable

from process_harness import Site, wait_until

GREETINGS = "[r.wait(30) for r in site.greet.enqueue_many([()] * 40)]"

MORE = """
from greeting import words

@autocron.delay
def greet(): return words()
"""


def test_a_new_web_process_brings_its_code(app: Callable[..., Site]) -> None:
    """After an edit, the next process that starts has the workers replaced."""
    site = app(MORE, workers=2)
    site.write("def words(): return 'old'", "greeting")
    old = site.web()
    assert old.run("site.greet().wait(30)") == "old"
    workers = site.workers(2)
    site.write("def words(): return 'brand new'", "greeting")
    new = site.web()
    wait_until(lambda: new.run("site.greet().wait(30)") == "brand new", "new code")
    wait_until(lambda: set(new.run(GREETINGS)) == {"brand new"}, "new code in all workers")
    assert len(site.workers(2) & workers) < 2


def test_what_a_job_has_imported_is_looked_at_as_well(app: Callable[..., Site]) -> None:
    """An import within a function is code of the app like any other."""
    site = app(
        """
        @autocron.delay
        def greet():
            from greeting import words
            return words()
        """
    )
    site.write("def words(): return 'old'", "greeting")
    assert site.web().run("site.greet().wait(30)") == "old"
    site.write("def words(): return 'brand new'", "greeting")
    new = site.web()
    wait_until(lambda: new.run("site.greet().wait(30)") == "brand new", "new code")


def test_a_module_that_cannot_be_looked_at_is_left_out(app: Callable[..., Site]) -> None:
    """One that is imported when it is first used, and fails, keeps no worker from being replaced."""
    more = """
    from greeting import words

    class Lazy:
        def __getattr__(self, name):
            raise ImportError(name)

    @autocron.delay
    def greet():
        sys.modules["lazy"] = Lazy()
        return words()
    """
    site = app(more)
    site.write("def words(): return 'old'", "greeting")
    web = site.web()
    assert web.run("site.greet().wait(30)") == "old"
    site.write("def words(): return 'brand new'", "greeting")
    new = site.web()
    wait_until(lambda: new.run("site.greet().wait(30)") == "brand new", "new code")
    web.end()
    new.end()
    wait_until(site.is_empty, "the end of supervisor and workers", 15)


def test_unchanged_code_leaves_the_workers_alone(app: Callable[..., Site]) -> None:
    """Recycling a web process does not touch the workers."""
    site = app(MORE, workers=2)
    site.write("def words(): return 'old'", "greeting")
    site.web().run("site.greet().wait(30)")
    workers = site.workers(2)
    for _ in range(3):
        assert site.web().run("site.greet().wait(30)") == "old"
    assert site.workers(2) == workers


def test_a_replaced_worker_finishes_its_job(app: Callable[..., Site]) -> None:
    """A reload does not interrupt what runs."""
    site = app(MORE)
    site.write("def words(): return 'old'", "greeting")
    old = site.web()
    job = old.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    site.write("def words(): return 'brand new'", "greeting")
    new = site.web()
    (site.folder / "one.go").touch()
    assert new.run(f"autocron.result({job!r}).wait(30)") == "one"
    wait_until(lambda: new.run("site.greet().wait(30)") == "brand new", "new code")
    assert len(site.lines("one")) == 1


def test_code_that_cannot_be_imported_keeps_jobs_waiting(app: Callable[..., Site]) -> None:
    """A mistake in the code costs no job: they wait until it is mended."""
    site = app(MORE)
    site.write(
        """
        import os, sys
        if not os.path.exists("mended") and "boot.py" in open("/proc/self/cmdline").read():
            raise RuntimeError("a mistake")
        def words(): return "well"
        """,
        "greeting",
    )
    web = site.web()
    job = web.run("site.greet().id")
    again = "cannot import the app either; jobs wait until it can: RuntimeError: a mistake"
    wait_until(lambda: web.errors.read_text().count(again) > 1, "the log lines")
    # Its traceback is not shown again and again.
    assert web.errors.read_text().count("Traceback (most recent call last)") == 1
    assert site.job(job)["state"] == 1
    (site.folder / "mended").touch()
    assert web.run(f"autocron.result({job!r}).wait(30)") == "well"
