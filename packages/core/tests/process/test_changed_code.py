"""Jobs of code that is no longer, or not yet, that of the workers; and rows that somebody else has written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from process_harness import Site, wait_until

WAITING, RUNNING, DONE, ERROR, CANCELLED = 1, 2, 3, 4, 5

BEFORE = """
@autocron.delay(retries=5)
def greet(name): return f"hello {name}"
"""


def admin(site: Site, *arguments: str) -> str:
    """Run the admin tool; return what it prints."""
    command = [sys.executable, "-m", "autocron", "--database", str(site.database), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("after", "error"),
    [
        ("", "TaskNotFound: there is no task site_app.greet in the code that the worker runs"),
        (
            "@autocron.delay\ndef greet(name, title): return title + name",
            "ArgumentsMismatch: the stored arguments do not fit site_app.greet (greet() missing 1 required",
        ),
    ],
    ids=["gone", "unfit"],
)
def test_a_job_that_does_not_fit_the_code_fails_and_can_be_retried(
    app: Callable[..., Site], after: str, error: str
) -> None:
    """At once, whatever its retries; after a fix it begins anew with the tool."""
    site = app(BEFORE, autostart=False)
    web = site.web()
    job = web.run("site.greet('you').id")
    web.end()
    app(after)
    web = site.web()
    site.wait_for_state(job, ERROR)
    assert site.job(job)["error"].startswith(error)
    assert site.job(job)["attempt"] == 1
    web.end()
    wait_until(site.is_empty, "the end of all")
    app(BEFORE)
    web = site.web()
    assert f"{job} waits to be run" in admin(site, "retry", job)
    assert web.run(f"autocron.result({job!r}).wait(30)") == "hello you"


def test_a_module_that_is_gone_fails_its_jobs(app: Callable[..., Site]) -> None:
    """It says which, and why it cannot be imported."""
    site = app("import more_tasks", autostart=False)
    site.write("import autocron\n@autocron.delay\ndef f(): return 5", "more_tasks")
    web = site.web()
    job = web.run("site.more_tasks.f().id")
    web.end()
    (site.folder / "more_tasks.py").unlink()
    app()
    web = site.web()
    site.wait_for_state(job, ERROR)
    assert "there is no such module" in site.job(job)["error"]
    assert web.run("site.add(1).wait(30)") == 2


def test_a_job_of_newer_code_waits_for_a_worker_that_has_it(app: Callable[..., Site]) -> None:
    """A worker that still has the old code does not fail it, but makes room for one with the new code."""
    site = app(autostart=True)
    web = site.web()
    old = web.run("site.pid().wait(30)")
    app(
        BEFORE, autostart=False
    )  # deployed, and called by a process that does not tell the supervisor
    job = site.web().run("site.greet('you').id")
    assert web.run(f"autocron.result({job!r}).wait(30)") == "hello you"
    assert site.job(job)["attempt"] == 1
    assert web.run("site.pid().wait(30)") != old


def test_a_task_of_a_module_that_is_imported_late_is_found(app: Callable[..., Site]) -> None:
    """By workers that have not imported it: the application has called it."""
    site = app()
    site.write("import autocron\n@autocron.delay\ndef f(): return 5", "late_tasks")
    web = site.web()
    assert web.run("__import__('late_tasks').f().wait(30)") == 5


def test_only_registered_tasks_run_whatever_a_row_says(app: Callable[..., Site]) -> None:
    """Nothing that a row names is imported, let alone run, unless the application has such a task."""
    site = app(autostart=False)
    site.write(
        "open('imported', 'w').close()\nimport autocron\n@autocron.delay\ndef f(): ...", "evil"
    )
    web = site.web()
    names = ["evil.f", "os.system", "site_app.note", "../evil.f", "site_app.gone", "", "a" * 300]
    jobs = [web.run("site.add(1).id") for _ in names]
    for job, name in zip(jobs, names, strict=True):
        site.query("UPDATE autocron_jobs SET task = ? WHERE id = ? RETURNING 1", name, job)
    web.end()
    app()
    web = site.web()
    for job in jobs:
        site.wait_for_state(job, ERROR)
        assert site.job(job)["error"].startswith("TaskNotFound")
    assert not (site.folder / "imported").exists()
    assert web.run("site.add(1).wait(30)") == 2
