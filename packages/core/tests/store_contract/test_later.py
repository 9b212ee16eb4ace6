from autocron.model import AttemptOutcome, Failed, Succeeded


def test_due_jobs_are_promoted(store, put, now):
    """Those whose time has come, the longest due first, and no more than wanted."""
    for seconds in (30, 10, 20, 40):
        put(f"in {seconds}", delay=float(seconds))
    assert store.promote(lambda: now + 9, 10) == 0
    assert store.promote(lambda: now + 30, 2) == 2
    assert [store.claim(1, now).id for _ in range(2)] == ["in 10", "in 20"]
    assert store.claim(1, now) is None
    assert store.promote(lambda: now + 30, 2) == 1
    assert store.claim(1, now).id == "in 30"


def test_a_promoted_job_still_shows_its_time(store, put, now):
    """It is waiting before and after."""
    put("a", delay=5.0)
    assert store.get("a").status == "WAITING"
    store.promote(lambda: now + 5, 10)
    job = store.get("a")
    assert (job.status, job.run_at) == ("WAITING", now + 5)


def test_the_next_due_time_is_known(store, put, now):
    """None if there is nothing for later; jobs that can be claimed have none."""
    assert store.next_due() is None
    put("now")
    assert store.next_due() is None
    put("a", delay=20.0)
    put("b", delay=10.0)
    assert store.next_due() == now + 10
    store.promote(lambda: now + 10, 10)
    assert store.next_due() == now + 20
    store.promote(lambda: now + 20, 10)
    assert store.next_due() is None


def end_all(store, outcome, now):
    """Run all jobs to their end."""
    while job := store.claim(1, now):
        store.settle(job, outcome, now)


def test_outcomes_are_deleted_after_their_time(put, open_store, now):
    """Each after its own time to live, or the store's; errors like results."""
    store = open_store(ttl=100.0)
    put("short", ttl=10.0)
    put("long", ttl=1000.0)
    put("usual")
    put("none", ttl=0.0)
    end_all(store, Failed("no", ""), now)
    assert {job.id for job in store.latest(10)} == {"short", "long", "usual", "none"}
    expected = [(0, {"none"}), (9, set()), (10, {"short"}), (99, set()), (100, {"usual"})]
    for seconds, gone in expected:
        before = {job.id for job in store.latest(10)}
        assert store.prune(lambda seconds=seconds: now + seconds, 10) == len(gone)
        assert before - {job.id for job in store.latest(10)} == gone
    assert store.get("short") is None


def test_only_so_many_are_deleted_at_once(store, put, now):
    """The oldest first."""
    put(*"abcde", ttl=1.0)
    end_all(store, Succeeded("1"), now)
    assert store.prune(lambda: now + 1, 3) == 3
    assert store.prune(lambda: now + 1, 3) == 2
    assert store.prune(lambda: now + 1, 3) == 0


def test_jobs_that_have_not_ended_are_kept(store, put, now):
    """However old they are."""
    put("running", ttl=0.0)
    put("waiting", ttl=0.0)
    put("later", ttl=0.0, delay=5.0)
    store.claim(1, now)
    assert store.prune(lambda: now + 1e9, 10) == 0
    assert len(store.latest(10)) == 3


def test_a_job_that_crashed_too_often_is_deleted_too(store, put, now):
    """Its time to live begins with its end."""
    put("a", ttl=10.0)
    crash = Failed("it was killed", outcome=AttemptOutcome.CRASHED)
    store.settle(store.claim(1, now), crash, now + 100)
    assert store.prune(lambda: now + 109, 10) == 0
    assert store.prune(lambda: now + 110, 10) == 1
