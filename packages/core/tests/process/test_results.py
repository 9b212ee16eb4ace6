"""Handles: from any process, soon after the end, and gone after their time to live."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
from process_harness import Site, wait_until

MORE = """
@autocron.delay
def end():
    return time.time()

@autocron.delay(ttl=1)
def forget():
    return 1

def delays(count):
    found = []
    for _ in range(count):
        ended = end().wait(30)
        found.append(time.time() - ended)
    return found

def outcome(result, timeout=30):
    try:
        return result.wait(timeout)
    except Exception as error:
        return type(error).__name__
"""


def test_wait_returns_soon_after_the_end(app: Callable[..., Site]) -> None:
    """It takes a few milliseconds from the end of the task until a waiting process knows."""
    site = app(MORE, check_interval=3600)
    delays = site.web().run("site.delays(50)")
    assert statistics.median(delays) < 0.05  # 0.001 when the machine has nothing else to do


def test_any_process_can_wait_for_a_job(app: Callable[..., Site]) -> None:
    """A handle that is rebuilt from its id waits for the same job."""
    site = app(MORE, check_interval=3600)
    first, second = site.web(), site.web()
    job = first.run("site.block('one').id")
    wait_until(lambda: site.lines("one"), "the start of the job")
    assert second.run(f"autocron.result({job!r}).status.value") == "RUNNING"
    (site.folder / "one.go").touch()
    assert second.run(f"autocron.result({job!r}).wait(30)") == "one"
    assert first.run(f"autocron.result({job!r}).ready") is True


def test_an_outcome_is_deleted_after_its_time_to_live(app: Callable[..., Site]) -> None:
    """Then its handle says that there is no such job."""
    site = app(MORE, check_interval=1)
    web = site.web()
    job = web.run("(r := site.forget(), r.wait(30), r.id)[-1]")
    wait_until(lambda: not site.query("SELECT 1 FROM autocron_jobs WHERE id = ?", job), "pruning")
    assert web.run(f"site.outcome(autocron.result({job!r}))") == "UnknownJob"


def test_wait_gives_up_after_its_timeout(app: Callable[..., Site]) -> None:
    """The job goes on."""
    site = app(MORE)
    web = site.web()
    web.run("globals().update(r=site.block('one'))")
    assert web.run("site.outcome(r, 0.05)") == "WaitTimeout"
    (site.folder / "one.go").touch()
    assert web.run("r.wait(30)") == "one"


@pytest.mark.parametrize("count", [1, 1000])
def test_enqueue_many_stores_all_in_one_transaction(app: Callable[..., Site], count: int) -> None:
    """All jobs of a bulk call have the same moment, and all run."""
    site = app(MORE, workers=2)
    web = site.web()
    web.run(f"globals().update(results=site.add.enqueue_many([(n,) for n in range({count})]))")
    assert web.run("[result.wait(60) for result in results]") == list(range(1, count + 1))
    moments = site.query("SELECT DISTINCT enqueued_at FROM autocron_jobs")
    assert len(moments) == 1
