"""autotask's interface: its three decorators, the handle, and the order of its crontab."""

from contextlib import closing

import pytest
from django_site import script, write_site

from autocron.testing import Project, wait_until
from autocron.testing.contract import Site

TASKS = """
import time
from pathlib import Path

import autocron
from django_autocron.tasks import DONE, ERROR, RUNNING, WAITING, cron_task, delayed_task, periodic_task

HERE = Path(__file__).parent


@delayed_task()
def add(a, b=0):
    return a + b


@delayed_task
def nothing():
    pass


@delayed_task(retries=1, ttl=60)
def fail(text):
    with open(HERE / "attempts.txt", "a") as file:
        print(time.time(), file=file)
    raise ValueError(text)


@delayed_task(delay=3600)
def later():
    pass


@periodic_task(seconds=3600, start_now=True)
def clean_up():
    (HERE / "cleaned.txt").write_text("yes")


@periodic_task()
def hourly():
    pass


@cron_task()
def each_minute():
    pass


@cron_task(minutes=[30], hours=[7], dow=[0, 6], months=[4, 7], dom=[1, 15])
def with_lists():
    pass


@cron_task(minutes=[1], dow=[3], crontab="* 9 0 4,7 10-15")
def with_string():
    pass
"""


@pytest.fixture
def project(tmp_path):
    """A site, without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS)
        write_site(project, "AUTOCRON = {'WORKERS': 2, 'AUTOSTART': True}")
        yield project


WAIT = """
import time
from tasks import *


def ended(handle):
    deadline = time.monotonic() + 30
    while not handle.ready:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return handle
"""


def test_a_call_returns_a_handle(project):
    """At once; it is ready when a worker has run the function, and has the result then."""
    text = """
handle = add(1, b=2)
assert handle.status in (WAITING, RUNNING, DONE)
ended(handle)
assert (handle.status, handle.result, handle.error_message) == (DONE, 3, "")
assert autocron.result(handle.id).result == 3
assert ended(nothing()).result is None
"""
    script(project, WAIT + text)


def test_an_error_is_tried_again_and_told(project):
    """So often as was asked for, two seconds later, as autotask does; the handle has the message."""
    text = """
handle = ended(fail("no luck"))
assert (handle.status, handle.result) == (ERROR, None)
assert "no luck" in handle.error_message
first, second = map(float, Path("attempts.txt").read_text().split())
assert 1.9 < second - first < 10, second - first
"""
    script(project, WAIT + text)


def test_a_delay_is_waited_for(project):
    """Until then it is not ready, and has no result."""
    text = """
handle = later()
assert (handle.ready, handle.status, handle.result, handle.error_message) == (False, WAITING, None, "")
[job] = [job for job in autocron.jobs() if job.task == "tasks.later"]
assert 3590 < job.run_at - time.time() <= 3600
"""
    script(project, WAIT + text)


def test_of_a_job_that_is_gone_nothing_is_known(project):
    """When its time to live is over, status and `ready` are None, as autotask has them."""
    text = """
from django_autocron.tasks import DelayedTask
handle = DelayedTask(autocron.result("01a201ca-2ee6-72e1-9f69-0bb079b709ac"))
assert (handle.ready, handle.status, handle.result, handle.error_message) == (None, None, None, "")
"""
    script(project, WAIT + text)


def test_a_cancelled_call_has_failed(project):
    """Autotask has no word for it."""
    text = """
handle = later()
autocron.result(handle.id).cancel()
assert (handle.ready, handle.status) == (True, ERROR)
"""
    script(project, WAIT + text)


def test_defaults_are_those_of_autotask(project):
    """No delay, no retries, five minutes to live."""
    text = """
assert (add.defaults.delay or 0, add.defaults.retries, add.defaults.ttl) == (0, 0, 300)
assert (fail.defaults.retries, fail.defaults.ttl) == (1, 60)
assert (hourly.schedule.rule, hourly.schedule.start_now) == ("every 3600", False)
"""
    script(project, WAIT + text)


def test_schedules_have_the_order_of_autotask(project):
    """Lists count weekdays from Monday; in its string, weekdays stand before months, and days come last."""
    text = """
assert each_minute.schedule.rule == "cron * * * * *"
assert with_lists.schedule.rule == "cron 30 7 1,15 4,7 0,1", with_lists.schedule.rule
assert with_string.schedule.rule == "cron * 9 10-15 4,7 1"
times = with_string.next_runs(1000)
assert {time.hour for time in times} == {9} and {time.month for time in times} <= {4, 7}
assert all(time.weekday() == 0 or 10 <= time.day <= 15 for time in times)
"""
    script(project, WAIT + text)


def test_what_is_not_possible_is_refused(project):
    """With the name of the argument."""
    text = """
from autocron.errors import InvalidOption, InvalidSchedule
for make, named in [
    (lambda: delayed_task(retries=-1), "retries"),
    (lambda: delayed_task(delay="soon"), "seconds"),
    (lambda: periodic_task(seconds=0), "seconds=0"),
    (lambda: cron_task(dow=["x"]), "days_of_week"),
    (lambda: cron_task(crontab="* *"), "minutes hours dow months dom"),
]:
    try:
        make()
    except (InvalidOption, InvalidSchedule) as error:
        assert named in str(error), str(error)
    else:
        raise AssertionError(named)
"""
    script(project, WAIT + text)


def test_periodic_tasks_run_with_the_site(project):
    """Nobody calls them."""
    Site.of(project, "manage.py runserver --noreload {port}", "autocron.db")
    wait_until((project.folder / "cleaned.txt").exists)
