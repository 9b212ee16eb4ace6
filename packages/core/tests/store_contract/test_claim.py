import threading

import pytest

from autocron.model import ClaimedJob, NewJob, Options, Succeeded


def claim_all(store, now):
    """Claim what there is; return the ids in the order in which they came."""
    ids = []
    while job := store.claim(1, now):
        ids.append(job.id)
    return ids


def test_a_claimed_job_is_running(store, put, now):
    """Its worker gets all it needs, and the job shows who runs it and since when."""
    put("a", retries=2)
    assert store.claim(7, now + 1) == ClaimedJob("a", "shop.task", "[[],{}]", 1, 2)
    job = store.get("a")
    assert (job.status, job.worker, job.started_at, job.attempt) == ("RUNNING", 7, now + 1, 1)


def test_a_job_is_claimed_once(store, put, now):
    """Who comes later finds nothing."""
    assert store.claim(1, now) is None
    put("a")
    assert store.claim(1, now)
    assert store.claim(1, now) is None
    assert store.claim(2, now) is None


def test_first_in_first_out(store, put, now):
    """Of equals, the one that was put in first comes first, also within one call."""
    put("c", "a")
    put("b")
    assert claim_all(store, now) == ["c", "a", "b"]


def test_a_higher_priority_goes_first(store, put, now):
    """Whatever the queue, and however late it comes."""
    put("low", priority=-1)
    put("middle 1", "middle 2")
    put("high", priority=10, queue="other")
    put("middle 3", queue="other")
    assert claim_all(store, now) == ["high", "middle 1", "middle 2", "middle 3", "low"]


@pytest.mark.parametrize("queue", ["default", "Default", "0", "ü", "x" * 100])
def test_all_queues_are_served(store, put, now, queue):
    """A queue needs no other registration than its first job."""
    put("a", queue=queue)
    assert claim_all(store, now) == ["a"]


def test_jobs_for_later_are_not_claimed(store, put, now):
    """Not even after their time, as long as they have not been promoted."""
    put("later", delay=1.0, priority=10)
    put("now")
    assert claim_all(store, now + 100) == ["now"]
    assert store.promote(lambda: now + 1, 10) == 1
    assert claim_all(store, now + 100) == ["later"]


def test_a_promoted_job_keeps_its_place(store, put, now):
    """Of equal priority, it goes by when it was put in and not by when it was due."""
    put("early", delay=1.0)
    put("late")
    store.promote(lambda: now + 1, 10)
    assert claim_all(store, now + 1) == ["early", "late"]


def test_two_connections_never_get_the_same_job(store, open_store, now):
    """Four workers, each with a connection of its own, share a thousand jobs without any twice."""
    store.enqueue([NewJob(str(number), "t", "[[],{}]") for number in range(1000)], now)
    claimed = [[] for _ in range(4)]

    def work(number):
        own = open_store()
        job = own.claim(number, now)
        while job:
            claimed[number].append(job.id)
            job = own.settle(job, Succeeded("1"), now, number).next

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [job_id for part in claimed for job_id in part]
    assert len(ids) == len(set(ids)) == 1000
    assert all(part == sorted(part, key=int) for part in claimed)


def test_callers_and_workers_do_not_lose_jobs(store, open_store, now):
    """While three threads put jobs in, two workers run them: each job once."""
    stop = threading.Event()
    claimed = [[], []]

    def work(number):
        own, job = open_store(), None
        while True:
            finished = stop.is_set()
            job = job or own.claim(number, now)
            if job is None and finished:
                return
            if job:
                claimed[number].append(job.id)
                job = own.settle(job, Succeeded("1"), now, number).next

    def call(name):
        own = open_store()
        for number in range(50):
            own.enqueue([NewJob(f"{name}{number}", "t", "[[],{}]", Options(queue=name))], now)

    workers = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    callers = [threading.Thread(target=call, args=(name,)) for name in "abc"]
    for thread in workers + callers:
        thread.start()
    for thread in callers:
        thread.join()
    stop.set()
    for thread in workers:
        thread.join()
    assert sorted(claimed[0] + claimed[1]) == sorted(f"{n}{i}" for n in "abc" for i in range(50))
    assert store.counts()["DONE"] == 150
