from autocron.model import Failed, JobStatus, Reclaimed, Retrying, Succeeded

DEAD = "the worker was killed by SIGKILL"


def test_a_released_job_is_as_it_was(store, put, now):
    """Its attempt does not count, and it has the place that it had before."""
    put("a", "b", retries=2)
    before = store.get("a")
    job = store.claim(1, now)
    assert store.release(job)
    assert store.get("a") == before
    again = store.claim(2, now)
    assert (again.id, again.attempt) == ("a", 1)


def test_only_the_present_attempt_can_be_released(store, put, now):
    """Fenced like `settle`: a worker that has lost its job, or ended it, changes nothing."""
    put("a")
    lost = store.claim(1, now)
    store.reclaim(1, DEAD, 3, now)
    assert not store.release(lost)
    store.claim(2, now)
    assert not store.release(lost)
    assert store.get("a").status == "RUNNING"
    put("b")
    done = store.claim(3, now)
    store.settle(done, Succeeded("1"), now)
    assert not store.release(done)
    assert store.get("b").status == "DONE"


def test_all_jobs_of_a_worker_can_be_released(store, put, now):
    """Those of others are left alone."""
    put("a", "b", "c")
    before = store.get("a"), store.get("b")
    store.claim(1, now)
    store.claim(1, now)
    store.claim(2, now)
    store.release_all(1)
    assert (store.get("a"), store.get("b")) == before
    assert store.get("c").status == "RUNNING"
    store.release_all(9)


def test_the_job_of_a_dead_worker_waits_again(store, put, now):
    """It says why, its attempt has counted, and it can be claimed at once."""
    put("a", "b")
    store.claim(1, now)
    store.claim(2, now)
    waiting = Reclaimed("a", "shop.task", JobStatus.WAITING, awaited=False)
    assert store.reclaim(1, DEAD, 3, now) == [waiting]
    job = store.get("a")
    assert (job.status, job.worker, job.attempt, job.error) == ("WAITING", None, 1, DEAD)
    assert store.get("b").status == "RUNNING"
    assert store.claim(3, now).attempt == 2
    assert store.reclaim(1, DEAD, 3, now) == []


def test_a_job_that_has_cost_too_many_workers_ends(store, put, now):
    """At the limit it is an error, whatever its retries."""
    put("a", retries=100)
    for _ in range(2):
        store.claim(1, now)
        (reclaimed,) = store.reclaim(1, DEAD, 3, now)
        assert reclaimed.status == "WAITING"
    store.claim(1, now)
    (reclaimed,) = store.reclaim(1, DEAD, 3, now + 5)
    assert reclaimed.status == "ERROR"
    job = store.get("a")
    assert (job.status, job.error, job.finished_at, job.worker) == ("ERROR", DEAD, now + 5, None)
    assert store.claim(1, now) is None


def test_failures_are_no_crashes(store, put, now):
    """Attempts that ended by themselves do not bring a job nearer to the limit of crashes."""
    put("a", retries=100)
    for _ in range(5):
        store.settle(store.claim(1, now), Retrying(Failed("no", ""), now), now)
        store.promote(lambda: now, 10)
    for status in ("WAITING", "WAITING", "ERROR"):
        store.claim(1, now)
        (reclaimed,) = store.reclaim(1, DEAD, 3, now)
        assert reclaimed.status == status


def test_to_be_given_back_is_no_crash(store, put, now):
    """A job that is interrupted by every deployment goes on for ever."""
    put("a")
    for _ in range(5):
        store.release(store.claim(1, now))
        store.claim(1, now)
        store.release_all(1)
    store.claim(1, now)
    (reclaimed,) = store.reclaim(1, DEAD, 2, now)
    assert reclaimed.status == "WAITING"


def test_who_waits_is_known(store, put, now):
    """A reclaimed job tells whether somebody waits for it."""
    put("a")
    store.watch(["a"])
    store.claim(1, now)
    (reclaimed,) = store.reclaim(1, DEAD, 1, now)
    assert reclaimed.awaited is True


def test_success_after_a_crash_leaves_no_error(store, put, now):
    """The outcome is that of the last attempt."""
    put("a")
    store.claim(1, now)
    store.reclaim(1, DEAD, 3, now)
    store.settle(store.claim(1, now), Succeeded("5"), now)
    job = store.get("a")
    assert (job.status, job.result, job.error) == ("DONE", "5", None)
