"""How far jobs have come: what tasks may say, and how often it is kept."""

import threading

import pytest

import autocron
from autocron.current import CurrentJob, enter, leave
from autocron.errors import InvalidOption, StoreError
from autocron.model import ClaimedJob, Progress
from autocron.running.progress import ProgressWriter

JOB = ClaimedJob("a", "shop.mail", "[[],{}]", 1, 0)


@pytest.fixture
def said():
    """What the job that is being run here says of its progress."""
    said = []
    token = enter(lambda: CurrentJob("a", "shop.mail", 1, _report=said.append))
    yield said
    leave(token)


def test_a_task_says_how_far_it_has_come(said):
    """With how much there is and what it is doing, if it knows."""
    autocron.progress(1, 4, "rows")
    autocron.progress(2.5)
    assert [(one.done, one.total, one.text) for one in said] == [(1, 4, "rows"), (2.5, None, "")]
    assert said[0].fraction == 0.25
    assert said[0].at > 1_700_000_000


def test_outside_of_jobs_nothing_happens():
    """A task's function can be called like any other."""
    assert autocron.current_job() is None
    assert autocron.progress(1, 2) is None


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ((-1,), "done"),
        (("1",), "done"),
        ((True,), "done"),
        ((float("nan"),), "done"),
        ((1, float("inf")), "total"),
        ((1, -1), "total"),
        ((1, 2, None), "text"),
        ((1, 2, "x" * 201), "text"),
    ],
)
def test_what_is_not_possible_is_refused(said, arguments, option):
    """The argument is named; also outside of jobs."""
    with pytest.raises(InvalidOption, match=f"^{option}="):
        autocron.progress(*arguments)
    assert said == []


def test_text_that_cannot_be_stored_is_escaped(said):
    """As in errors."""
    autocron.progress(1, 2, "\udcff")
    assert said[0].text == "\\udcff"


@pytest.mark.parametrize(
    ("done", "total", "fraction"), [(0, 0, 1.0), (5, 4, 1.0), (0, 4, 0.0), (1, None, None)]
)
def test_the_fraction_stays_within_its_bounds(done, total, fraction):
    """Whatever a task counts."""
    assert Progress(done, total, "", 0.0).fraction == fraction


def numbered(number):
    """Return a progress."""
    return Progress(number, None, "", 0.0)


def test_only_the_latest_of_many_is_written(until):
    """A task that says it all the time costs the database next to nothing; the last word is kept."""
    written = []
    writer = ProgressWriter(lambda _, progress: written.append(progress.done))
    for number in range(10_000):
        writer.put(JOB, numbered(number))
    until(lambda: written and written[-1] == 9_999)
    assert len(written) <= 5


def test_all_is_written_when_the_job_ends():
    """Also what a thread is just writing."""
    written, may_go, is_writing = [], threading.Event(), threading.Event()

    def write(job, progress):
        is_writing.set()
        may_go.wait(30)
        written.append(progress.done)

    writer = ProgressWriter(write)
    writer.flush()  # nothing was put
    writer.put(JOB, numbered(1))
    is_writing.wait(30)
    writer.put(JOB, numbered(2))
    threading.Timer(0.05, may_go.set).start()
    writer.flush()
    assert written == [1, 2]


def test_a_database_that_fails_does_not_harm_the_task(until):
    """Whoever ends the job will tell; what is said later is written again."""
    written = []

    def write(job, progress):
        if progress.done == 1:
            raise StoreError(path="jobs.db", reason="its disk is full")
        written.append(progress.done)

    writer = ProgressWriter(write)
    writer.put(JOB, numbered(1))
    writer.flush()
    writer.put(JOB, numbered(2))
    writer.flush()
    until(lambda: written == [2])
