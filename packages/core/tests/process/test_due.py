"""Jobs and schedules that are due later."""

from __future__ import annotations

from collections.abc import Callable

from process_harness import Site

MORE = """
@autocron.delay
def when():
    return time.time()

@autocron.delay(retries=1)
def second_time():
    note("tries", 1)
    if len((HERE / "tries").read_text().splitlines()) < 2:
        raise ValueError("not yet")
    return "well"

def lateness(seconds):
    due = time.time() + seconds
    return when.options(seconds=seconds)().wait(30) - due
"""


def test_a_delayed_job_runs_at_its_time(app: Callable[..., Site]) -> None:
    """Not before it is due, and soon after, though nobody looks at the clock meanwhile."""
    site = app(MORE, check_interval=3600)
    web = site.web()
    web.run("site.add(1).wait(30)")
    lateness = sorted(web.run("site.lateness(0.3)") for _ in range(5))
    assert lateness[0] > -0.01
    assert lateness[2] < 1  # on a loaded machine; the benchmarks have the figure


def test_what_is_due_already_runs_at_once(app: Callable[..., Site]) -> None:
    """A moment in the past, or a delay of nothing: an idle worker is woken, as for any other call."""
    site = app(
        MORE + "\nimport datetime\nago = datetime.datetime(2020, 1, 1)\n", check_interval=3600
    )
    web = site.web()
    web.run("site.add(1).wait(30)")
    for options in ("seconds=0", "schedule=site.ago"):
        assert web.run(f"site.add.options({options})(1).wait(30)") == 2


def test_an_earlier_job_is_not_held_up_by_a_later_one(app: Callable[..., Site]) -> None:
    """A job that is due soon runs in time, though the supervisor sleeps until a later one."""
    site = app(MORE, check_interval=3600)
    web = site.web()
    web.run("site.when.options(hours=1)().id")
    assert web.run("site.lateness(0.2)") < 10  # an hour, if it were
    assert web.run("site.add(1).wait(30)") == 2


def test_a_later_job_behind_many_is_not_forgotten(app: Callable[..., Site]) -> None:
    """Calls that are stored together wake whoever each of them needs."""
    more = """
    def together():
        send = add.options(seconds=0.5)
        results = [add(1) for _ in range(100)] + [send(1)]
        return [result.wait(30) for result in results][-1]
    """
    site = app(more, check_interval=3600, handover="background")
    web = site.web()
    web.run("site.add(1).wait(30)")
    assert web.run("site.together()") == 2


def test_a_failed_job_is_tried_again(app: Callable[..., Site]) -> None:
    """With retries left it waits for a while, and then succeeds."""
    site = app(MORE, check_interval=3600)
    web = site.web()
    job = web.run("(r := site.second_time(), r.wait(30), r.id)[-1]")
    assert (site.job(job)["state"], site.job(job)["attempt"]) == (3, 2)
