import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from autocron.model import JobStatus, NewJob, new_job_id


def test_ids_are_uuids_of_version_7():
    """An id is a UUID as RFC 9562 has it, and begins with the time in milliseconds."""
    before = time.time_ns() // 1_000_000
    made = UUID(new_job_id())
    after = time.time_ns() // 1_000_000
    assert str(made) == str(made).lower()
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after


def test_ids_are_unique_across_threads():
    """Ten thousand ids that are made at the same time are all different."""
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: new_job_id(), range(10_000)))
    assert len(set(ids)) == len(ids)


def test_ids_grow_with_time(until):
    """An id that is made a millisecond later sorts after."""
    first = new_job_id()
    until(lambda: time.time_ns() // 1_000_000 > UUID(first).int >> 80)
    assert new_job_id() > first


def test_a_status_is_its_name():
    """A status compares with and prints as its name, also in an f-string."""
    assert JobStatus.DONE == "DONE"
    assert f"{JobStatus.DONE}" == str(JobStatus.DONE) == "DONE"


@pytest.mark.parametrize("status", JobStatus)
def test_a_job_that_has_ended_stays_so(status):
    """All statuses but those of jobs that wait or run are final."""
    assert status.is_final is (status not in {"WAITING", "RUNNING"})


def test_values_cannot_be_changed():
    """What the rooms hand to each other is frozen."""
    job = NewJob("id", "task", "[[],{}]")
    with pytest.raises(AttributeError):
        job.task = "other"
