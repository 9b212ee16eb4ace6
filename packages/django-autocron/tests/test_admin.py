"""The pages in Django's admin, asked for over HTTP: who may see and do what, and what others have stored."""

import re
import sqlite3
import time
from contextlib import closing
from html import unescape

import httpx
import pytest
from admin_site import manage, post, serve, served_site, write_site

from autocron.model import NewJob, Options, new_job_id
from autocron.testing.processes import Project, wait_until

JOBS, SCHEDULES, WORKERS = (f"django_autocron/{name}/" for name in ("job", "schedule", "worker"))
DIGEST = f"{SCHEDULES}newsletter.tasks.send_digest/change/"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, served once for all tests: what they do is about jobs of their own."""
    with served_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def root(site):
    """A superuser."""
    with site.user("root") as client:
        yield client


def detail(job_id):
    """The path of a job's page."""
    return f"{JOBS}{job_id}/change/"


def text_of(answer):
    """What is read on a page: without its tags, and with one space for many."""
    assert answer.status_code == 200, answer.text
    assert "INVALID-IN-TEMPLATE" not in answer.text
    main = answer.text.partition('id="content"')[2].partition('id="footer"')[0]
    messages = "".join(re.findall(r'<ul class="messagelist">.*?</ul>', answer.text, re.DOTALL))
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", messages + main)).split())


def waiting(site, *, count=1, task="newsletter.tasks.echo", queue="default", arguments="[[1],{}]"):
    """Put in jobs that are due in an hour."""
    options = Options(run_at=time.time() + 3600, queue=queue)
    jobs = [NewJob(new_job_id(), task, arguments, options) for _ in range(count)]
    with site.database() as database:
        database.store.enqueue(jobs, time.time())
    return [job.id for job in jobs]


def write_into(site, sql, *values):
    """Change what is stored, as another program might."""
    with closing(sqlite3.connect(site.project.folder / "autocron.db")) as connection, connection:
        assert connection.execute(sql, values).rowcount == 1


def status(site, job_id):
    """Where a job stands; None if it is gone."""
    with site.database() as database:
        job = database.store.get(job_id)
    return None if job is None else str(job.status)


def state_of_digest(site):
    """Whether the schedule is due at some time."""
    with site.database() as database:
        return database.store.schedule("newsletter.tasks.send_digest").state


class TestPermissions:
    @pytest.mark.parametrize(
        ("user", "seen"),
        [
            ("root", ["job", "schedule", "worker"]),
            ("changer", ["job", "schedule"]),
            ("viewer", ["job"]),
            ("watcher", ["schedule", "worker"]),
            ("nobody", []),
        ],
    )
    def test_each_sees_what_is_permitted(self, site, user, seen):
        """The index lists, and the pages show, what a user may view; all else is forbidden."""
        with site.user(user) as client:
            index = client.get("").text
            for name, path in {"job": JOBS, "schedule": SCHEDULES, "worker": WORKERS}.items():
                assert (f"/admin/{path}" in index) == (name in seen)
                assert client.get(path).status_code == (200 if name in seen else 403)
            assert client.get(DIGEST).status_code == (200 if "schedule" in seen else 403)

    def test_strangers_are_asked_to_log_in(self, site):
        """Without a session, each page leads to the login, and a form changes nothing."""
        (job,) = waiting(site)
        for path in (JOBS, SCHEDULES, WORKERS, DIGEST, detail(job), f"{JOBS}{job}/delete/"):
            assert "/login/" in httpx.get(site.url + path).headers["location"]
        assert status(site, job) == "WAITING"

    def test_who_may_only_look_is_offered_nothing(self, site):
        """There are no boxes, no actions and no buttons."""
        (job,) = waiting(site)
        with site.user("viewer") as client:
            listed, shown = client.get(JOBS).text, client.get(detail(job)).text
        assert job in listed
        assert "action-select" not in listed
        assert 'name="action"' not in listed + shown
        assert "/delete/" not in shown

    @pytest.mark.parametrize("action", ["retry", "cancel", "force", "delete", "nonsense"])
    def test_who_may_only_look_can_do_nothing(self, site, action):
        """A form that was made by hand is refused, to the list and to a job."""
        (job,) = waiting(site)
        with site.user("viewer") as client:
            form = {"action": action, "_selected_action": job, "post": "yes"}
            for path in (JOBS, detail(job), f"{JOBS}{job}/delete/"):
                assert post(client, path, form).status_code == 403
        assert status(site, job) == "WAITING"

    def test_who_may_change_cannot_delete(self, site):
        """To cancel a job is to change it; to delete it is another permission."""
        (job,) = waiting(site)
        with site.user("changer") as client:
            form = {"action": "delete", "_selected_action": job, "post": "yes"}
            assert post(client, JOBS, form).status_code == 403
            assert post(client, f"{JOBS}{job}/delete/", form).status_code == 403
            assert "Delete" not in text_of(client.get(detail(job)))
            post(client, detail(job), {"action": "cancel"})
        assert status(site, job) == "CANCELLED"

    def test_schedules_need_their_own_permission(self, site):
        """Who may only look, or that not even, cannot pause one; nobody can add or delete anything here."""
        for user in ("viewer", "watcher"):
            with site.user(user) as client:
                for path in (DIGEST, SCHEDULES):
                    form = {"action": "pause", "_selected_action": "newsletter.tasks.send_digest"}
                    assert post(client, path, form).status_code == 403
        with site.user("root") as client:
            for path in (f"{JOBS}add/", f"{SCHEDULES}add/", f"{WORKERS}add/"):
                assert client.get(path).status_code == 403
            for path in (DIGEST, f"{WORKERS}1/change/"):
                assert client.get(path.replace("change", "delete")).status_code == 403
        assert state_of_digest(site) == "active"

    def test_forms_need_their_token(self, site, root):
        """What another site would send in a user's name changes nothing."""
        (job,) = waiting(site)
        for path in (JOBS, detail(job), f"{JOBS}{job}/delete/"):
            form = {"action": "cancel", "_selected_action": job}
            assert root.post(path, data=form).status_code == 403
        assert status(site, job) == "WAITING"


class TestJobs:
    def test_filters(self, site, root):
        """Jobs are found by state, queue and task, each with a link that keeps the others."""
        (job,) = waiting(site, queue="letters", task="newsletter.tasks.count_readers")
        (other,) = waiting(site, queue="cards")
        for query in (
            {"state": "WAITING"},
            {"queue": "letters"},
            {"task": "newsletter.tasks.count_readers"},
        ):
            assert job in root.get(JOBS, params=query).text
        for query in ({"state": "DONE"}, {"queue": "cards"}, {"task": "newsletter.tasks.echo"}):
            assert job not in root.get(JOBS, params=query).text
        page = root.get(JOBS, params={"queue": "letters", "state": "WAITING"})
        assert other not in page.text
        assert (
            "?queue=letters&amp;state=DONE" in page.text
            or "?state=DONE&amp;queue=letters" in page.text
        )
        assert "Clear all filters" in page.text

    def test_search(self, site, root):
        """A part of the task's name in any case, or the beginning or end of an id; filters hold as well."""
        (job,) = waiting(site, task="newsletter.tasks.Seldom[1]")
        for part in ("seldom", "TASKS.SELD", "dom[1]", "s*ld", job, job[-12:], job[:13].upper()):
            assert job in root.get(JOBS, params={"q": part}).text, part
        for part in ("often", "seldom?", job[-12:] + "0"):
            assert "No such jobs." in root.get(JOBS, params={"q": part}).text, part
        for other in ({"state": "DONE"}, {"queue": "other"}, {"task": "other"}):
            assert "No such jobs." in root.get(JOBS, params={"q": job} | other).text

    def test_pages(self, site, root):
        """A hundred to a page, newest first; a page that there is not is the last one."""
        ids = waiting(site, count=230, queue="many")
        for page, expected in ((1, ids[130:]), (3, ids[:30]), (99, ids[:30])):
            found = re.findall(
                r'name="_selected_action" value="([^"]+)"',
                root.get(JOBS, params={"queue": "many", "p": page}).text,
            )
            assert found == expected[::-1]

    def test_only_one_page_is_read(self, site, root):
        """The list of a hundred thousand jobs is there long before all of them could have been read."""
        options = Options(run_at=time.time() + 3600, queue="crowd")
        with site.database() as database:
            for _ in range(10):
                jobs = [
                    NewJob(new_job_id(), "crowd.task", "[[],{}]", options) for _ in range(10_000)
                ]
                database.store.enqueue(jobs, time.time())
            begin = time.monotonic()
            assert root.get(JOBS).status_code == 200
            took = time.monotonic() - begin
            begin = time.monotonic()
            assert len(database.store.latest(100_000)) == 100_000
            reading = time.monotonic() - begin
            database.store.delete(database.store.ids(_selection("crowd")), ["WAITING"])
        assert took < reading

    def test_detail(self, site, root):
        """All that is known of a job that failed: arguments by name, attempt, traceback, history."""
        (job,) = site.put_in("fail.options(retries=1, backoff=0)('no luck')")
        site.ended(job)
        page = root.get(detail(job))
        text = text_of(page)
        for part in (
            f"newsletter.tasks.fail {job}",
            "State error Error ValueError: no luck",
            "2, with 1 retry",
            "text 'no luck'",
            "Attempt 1 failed",
            "Attempt 2 failed",
            "raise ValueError(text)",
            "attempt 2 begun by worker",
        ):
            assert part in text, part
        assert page.text.count("Traceback (most recent call last)") == 2

    def test_result(self, site, root):
        """What the task returned, with the types that it had."""
        (job,) = site.put_in(
            "echo({'when': __import__('datetime').date(2026, 11, 26), 'of': (1, 2)})"
        )
        site.ended(job)
        text = text_of(root.get(detail(job)))
        assert "Result {'when': datetime.date(2026, 11, 26), 'of': (1, 2)}" in text
        assert "State done" in text

    def test_why_it_waits(self, site, root):
        """A job that waits says what for."""
        (job,) = waiting(site)
        assert re.search(
            r"It waits: it is not due before \d+ s from now\.", text_of(root.get(detail(job)))
        )

    def test_progress(self, site, root):
        """How far a job has come is seen in the list, on its page, and with its worker."""
        (job,) = site.put_in("never_look()")
        wait_until(lambda: "readers" in text_of(root.get(detail(job))).partition("Queue")[0])
        for path in (JOBS, detail(job), WORKERS):
            assert re.search(r"\d+ % \(\d+ of 3000\) readers", text_of(root.get(path))), path
        assert f"{JOBS}{job}/change/" in root.get(WORKERS).text
        answer = post(root, detail(job), {"action": "force"})
        assert "1 job is being stopped." in text_of(answer)
        assert site.ended(job).status == "CANCELLED"

    def test_one_that_is_gone(self, root):
        """A link that is too old leads to the list, which says so."""
        assert "There is no job “<b>x” (any more)." in text_of(root.get(f"{JOBS}_3Cb_3Ex/change/"))
        assert "There is no job “gone” (any more)." in text_of(root.get(f"{JOBS}gone/delete/"))


def _selection(queue):
    from autocron.model_admin import Selection

    return Selection(queue=queue)


class TestStoredByOthers:
    def test_markup_is_text(self, site, root):
        """Arguments, errors, tracebacks, names and progress may hold markup: none of it is any on the pages."""
        (job,) = site.put_in("fail('<script>alert(1)</script>')")
        site.ended(job)
        write_into(
            site,
            "UPDATE autocron_jobs SET task = ?, queue = ? WHERE id = ?",
            "<script>task</script>",
            '"><script>queue',
            job,
        )
        try:
            for path in (
                JOBS,
                detail(job),
                f"{JOBS}{job}/delete/",
                f"{JOBS}{job}/history/",
                f"{JOBS}?queue=%22%3E%3Cscript%3Equeue",
                f"{JOBS}?q=%3Cscript%3E",
            ):
                page = root.get(path).text
                assert not re.search(r"<script>(?!</script>)", page), path
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in root.get(detail(job)).text
            assert "<script>task</script>" in text_of(root.get(detail(job)))
        finally:
            post(root, f"{JOBS}{job}/delete/", {"post": "yes"})

    @pytest.mark.parametrize(
        "stored",
        [
            "no JSON",
            "[[]",
            "[1,2]",
            '[[{"$":"unknown","v":1}],{}]',
            "[" * 100_000,
            "[[1" + "0" * 5000 + "],{}]",
            "null",
        ],
        ids=["none", "half", "shape", "type", "deep", "huge", "null"],
    )
    def test_unreadable_arguments_are_shown_as_stored(self, site, root, stored):
        """And so is a result; the page is there all the same."""
        (job,) = waiting(site)
        write_into(
            site,
            "UPDATE autocron_jobs SET arguments = ?, result = ? WHERE id = ?",
            stored,
            stored + "{",
            job,
        )
        text = text_of(root.get(detail(job)))
        assert text.count("This cannot be read, and is shown as it is stored.") == 2
        assert stored[:500] in text

    def test_halves_of_characters(self, site, root):
        """JSON can hold what UTF-8 cannot write: it is written out."""
        (job,) = waiting(site, arguments=r'[["\ud800"],{"\udfff":1}]')
        text = text_of(root.get(detail(job)))
        assert r"value '\ud800'" in text
        assert r"\udfff 1" in text

    def test_impossible_times(self, site, root):
        """A time that no calendar has is a number."""
        (job,) = waiting(site)
        write_into(site, "UPDATE autocron_jobs SET enqueued_at = 1e300 WHERE id = ?", job)
        try:
            for path in (JOBS, detail(job)):
                assert "1e+300" in text_of(root.get(path))
        finally:
            post(root, f"{JOBS}{job}/delete/", {"post": "yes"})

    def test_long_arguments_are_cut(self, site, root):
        """The beginning is seen, and all of it on demand."""
        (job,) = waiting(site, arguments='[["' + "x" * 5000 + 'end"],{}]')
        page = root.get(detail(job)).text
        assert f"<pre>&#x27;{'x' * 599} …</pre>" in page
        assert re.search(r"<details><summary>All 5005 characters</summary><pre>[^<]*xend", page)

    def test_names_that_no_address_can_have(self, site, root):
        """A job without an id is listed all the same."""
        (job,) = waiting(site, queue="nameless")
        write_into(site, "UPDATE autocron_jobs SET id = '' WHERE id = ?", job)
        try:
            assert "1 job" in text_of(root.get(JOBS, params={"queue": "nameless"}))
        finally:
            write_into(site, "DELETE FROM autocron_jobs WHERE id = ''")

    def test_many_attempts(self, site, root):
        """Of very many attempts the latest are shown, the last one first; and how many there were before."""
        (job,) = site.put_in("fail.options(retries=59, backoff=0)('again')")
        site.ended(job)
        text = text_of(root.get(detail(job))).partition("Attempts that did not succeed")[2]
        assert text.startswith(" 10 earlier ones are not shown. Attempt 60 failed")
        assert "Attempt 11 failed" in text
        assert "Attempt 10 failed" not in text

    def test_unreadable_rules(self, site, root):
        """A schedule whose rule or times others have written is listed, and has a page."""
        name = "newsletter.tasks.send_digest"
        with closing(sqlite3.connect(site.project.folder / "autocron.db")) as connection:
            (rule,) = connection.execute(
                "SELECT rule FROM autocron_schedules WHERE name = ?", [name]
            ).fetchone()
        change = "UPDATE autocron_schedules SET rule = ? WHERE name = ?"
        write_into(site, change, "<b>whenever", name)
        try:
            assert "<b>whenever" in text_of(root.get(SCHEDULES))
            assert "It is not due at any time." in text_of(root.get(DIGEST))
        finally:
            write_into(site, change, rule, name)


class TestActions:
    def test_retry(self, site, root):
        """What failed begins anew; what did not is left alone, and the page says why."""
        failed = site.put_in("fail('a')", "fail('b')", "echo(1)")
        for job in failed:
            site.ended(job)
        with site.database() as database:
            database.store.pause_queue("default", paused=True)
        try:
            (due,) = waiting(site)
            chosen = [*failed, due, "gone"]
            answer = post(root, JOBS, {"action": "retry", "_selected_action": chosen})
            assert [status(site, job) for job in failed[:2]] == ["WAITING", "WAITING"]
        finally:
            with site.database() as database:
                database.store.pause_queue("default", paused=False)
                database.tell_workers(2)
        assert text_of(answer).startswith(
            "2 jobs wait to be run; 1 was left alone: it has ended; 1 was left alone: it waits already; "
            "1 was left alone: it is gone."
        )
        assert site.ended(failed[0]).attempt == 2

    def test_cancel(self, site, root):
        """What waits never runs; what had ended before is not said to be cancelled."""
        (done,) = site.put_in("echo(1)")
        site.ended(done)
        (due,) = waiting(site)
        answer = post(root, JOBS, {"action": "cancel", "_selected_action": [due, done, "gone"]})
        assert text_of(answer).startswith(
            "1 job is cancelled; 1 was left alone: it has ended; 1 was left alone: it is gone."
        )
        again = post(root, JOBS, {"action": "cancel", "_selected_action": due})
        assert text_of(again).startswith("1 was left alone: it was cancelled before.")

    def test_a_running_job_is_asked_to_stop(self, site, root):
        """It is said to run still, and ends as soon as its task looks; until then it is not deleted."""
        (job,) = site.put_in("count_readers(1)")
        wait_until(lambda: status(site, job) == "RUNNING")
        left = post(root, JOBS, {"action": "delete", "_selected_action": job, "post": "yes"})
        assert text_of(left).startswith("1 was left alone: it is running.")
        answer = post(root, detail(job), {"action": "cancel"})
        assert "1 job is running, and was asked to stop." in text_of(answer)
        assert site.ended(job).status == "CANCELLED"

    def test_delete_asks_first(self, site, root):
        """The jobs are named, and there still; they are gone when that is confirmed."""
        jobs = waiting(site, count=2)
        form = {"action": "delete", "_selected_action": jobs}
        asked = post(root, JOBS, form)
        assert "Are you sure you want to delete these 2 jobs?" in text_of(asked)
        assert all(job in asked.text for job in jobs)
        assert status(site, jobs[0]) == "WAITING"
        assert text_of(post(root, JOBS, form | {"post": "yes"})).startswith("2 jobs were deleted.")
        assert [status(site, job) for job in jobs] == [None, None]

    def test_delete_of_one(self, site, root):
        """So it is from the page of a job, which leads back to the list."""
        (job,) = waiting(site)
        path = f"{JOBS}{job}/delete/"
        assert "Are you sure you want to delete this job?" in text_of(root.get(path))
        assert status(site, job) == "WAITING"
        answer = post(root, path, {"post": "yes"})
        assert answer.url.path == f"/admin/{JOBS}"
        assert text_of(answer).startswith("1 job was deleted.")
        assert status(site, job) is None

    def test_all_pages(self, site, root):
        """All jobs that a filter has can be meant; those that came after it was asked are not."""
        jobs = waiting(site, count=150, queue="batch")
        (other,) = waiting(site, queue="else")
        path, form = f"{JOBS}?queue=batch", {"action": "delete", "select_across": "1"}
        asked = post(root, path, form | {"_selected_action": jobs[:1]})
        assert "these 150 jobs" in text_of(asked)
        assert "and 130 more" in text_of(asked)
        (until,) = re.findall(r'name="until" value="([^"]+)"', asked.text)
        (late,) = waiting(site, queue="batch")
        answer = post(root, path, form | {"post": "yes", "until": until})
        assert text_of(answer).startswith("150 jobs were deleted.")
        assert status(site, late) == status(site, other) == "WAITING"

    def test_nothing_chosen(self, root):
        """Without an action, or without a job, the page says what is missing."""
        assert text_of(post(root, JOBS, {"action": ""})).startswith("No action selected.")
        answer = post(root, JOBS, {"action": "retry"})
        assert text_of(answer).startswith("Items must be selected")

    def test_the_admins_log_tells_who_did_it(self, site, root):
        """Each action is in the history of its job, or schedule, as others are that are done in the admin."""
        (job,) = waiting(site)
        with site.user("changer") as client:
            post(client, detail(job), {"action": "cancel"})
        assert "changer Cancelled." in text_of(root.get(f"{JOBS}{job}/history/"))
        assert f"newsletter.tasks.echo ({job})" in root.get(f"{JOBS}{job}/history/").text


class TestSchedules:
    def test_list_and_detail(self, root):
        """Rule, zone and coming runs as the clock of the zone shows them."""
        text = text_of(root.get(SCHEDULES))
        assert "send_digest active cron 0 6 * * mon-fri Europe/Berlin" in text
        page = root.get(DIGEST)
        assert len(re.findall(r"<li><time [^>]*>[^<]*, 06:00:00</time></li>", page.text)) == 5
        assert "Task newsletter.tasks.send_digest" in text_of(page)

    def test_pause_and_resume(self, site, root):
        """A paused schedule is not due, until it is resumed; both pages do both."""
        name = "newsletter.tasks.send_digest"
        answer = post(root, DIGEST, {"action": "pause"})
        assert f"{name} is paused." in text_of(answer)
        assert "It is not due at any time." in text_of(answer)
        assert state_of_digest(site) == "paused"
        answer = post(root, SCHEDULES, {"action": "resume", "_selected_action": name})
        assert re.search(rf"{name} goes on, and is due next on .*, 06:00:00\.", text_of(answer))
        assert state_of_digest(site) == "active"
        assert "root Paused." in text_of(root.get(DIGEST.replace("change", "history")))

    def test_run_now(self, site, root):
        """One more run is put in, and its page can be reached from that of the schedule."""
        answer = post(root, DIGEST, {"action": "run_now"})
        (job,) = re.findall(r"Job (\S+) was put in\.", text_of(answer))
        assert site.ended(job).result == '"sent"'
        assert f"{JOBS}{job}/change/" in root.get(DIGEST).text
        assert "Schedule newsletter.tasks.send_digest" in text_of(root.get(detail(job)))

    def test_what_cannot_be_done_is_told(self, site, root):
        """One that is not there (any more) is an error on the page; a wrong action is forbidden."""
        answer = post(root, SCHEDULES, {"action": "pause", "_selected_action": "send_nothing"})
        assert "send_nothing" in text_of(answer)
        assert post(root, DIGEST, {"action": "delete"}).status_code == 403
        assert "There is no schedule “a.b” (any more)." in text_of(
            root.get(f"{SCHEDULES}a.b/change/")
        )


class TestWorkers:
    def test_processes(self, site, root):
        """Each worker with its process, alive; the supervisor; and the web process that answers."""
        text = text_of(root.get(WORKERS))
        for number, pid in enumerate(
            sorted(each.pid for each in site.project.autocron_processes("worker")), 1
        ):
            assert re.search(rf"\b{pid} alive \d+ MB", text), number
        (supervisor,) = site.project.autocron_processes("supervisor")
        assert f"Workers 2 of 2 Supervisor running (process {supervisor.pid})" in text
        assert re.search(r"Web processes \d+ ", text)
        assert root.get(f"{WORKERS}1/change/").url.path == f"/admin/{WORKERS}"

    def test_what_keeps_them_from_work_is_told(self, site, root):
        """That all is paused stands above workers and schedules."""
        with site.database() as database:
            database.store.pause_all(paused=True)
        try:
            for path in (WORKERS, SCHEDULES, DIGEST):
                assert "All is paused" in text_of(root.get(path))
        finally:
            with site.database() as database:
                database.store.pause_all(paused=False)
                database.tell_supervisor()


class TestOtherSites:
    def test_another_admin_site(self, site, root):
        """One that has its own address and only some of the pages: its links stay there."""
        (job,) = waiting(site)
        other = site.url.replace("admin/", "other/")
        for path in (JOBS, detail(job)):
            page = root.get(other + path)
            assert job in page.text
            assert f"/other/{JOBS}" in page.text
            assert "/admin/django_autocron" not in page.text
        answer = post(root, f"{other}{JOBS}{job}/delete/", {"post": "yes"})
        assert answer.url.path == f"/other/{JOBS}"


# Projects of other kinds ---------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A project that is not served, with the site's files."""
    with closing(Project(tmp_path)) as project:
        write_site(project)
        yield project


IN_A_TEST = """
import autocron
from django.contrib.auth.models import User
from django.test import TestCase

from newsletter.tasks import echo


class AdminTest(TestCase):
    def test_pages(self):
        self.client.force_login(User.objects.create_superuser("root"))
        with self.captureOnCommitCallbacks(execute=True):
            job = echo("a test of the project")
        self.assertContains(self.client.get("/admin/django_autocron/job/"), job.id)
        page = self.client.get(f"/admin/django_autocron/job/{job.id}/change/")
        self.assertContains(page, "a test of the project")
"""


class TestProjects:
    def test_there_is_no_table_and_no_migration(self, project):
        """Django makes permissions of the models, and nothing else; what goes through all models finds none."""
        manage(project, "migrate", "-v", "0", "--run-syncdb")
        assert "No changes detected" in manage(project, "makemigrations", "--check", "--dry-run")
        with closing(sqlite3.connect(project.folder / "site.db")) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
            permissions = connection.execute(
                "SELECT codename FROM auth_permission JOIN django_content_type AS type"
                " ON type.id = content_type_id WHERE app_label = 'django_autocron' ORDER BY codename"
            ).fetchall()
        assert not [name for name in tables if "autocron" in name]
        assert [name for (name,) in permissions] == [
            "change_job",
            "change_schedule",
            "delete_job",
            "view_job",
            "view_schedule",
            "view_worker",
        ]
        assert "django_autocron.job" not in manage(project, "dumpdata", "--all")
        assert manage(project, "dumpdata", "django_autocron", "--all").strip() == "[]"
        manage(project, "flush", "--no-input")
        manage(project, "check", "--fail-level", "WARNING")

    def test_without_the_admin(self, project):
        """A project that has neither the admin nor users nor content types need not have them."""
        text = (project.folder / "site_settings.py").read_text()
        text = re.sub(r'    "django\.contrib\.\w+",\n', "", text)
        text = re.sub(r'    "django\.contrib\.[\w.]+Middleware",\n', "", text)
        text = re.sub(r"PASSWORD_HASHERS.*\n", "", text)
        text = re.sub(r'                "django\.contrib[\w.]+",\n', "", text)
        (project.folder / "site_settings.py").write_text(text)
        project.write("urls.py", "urlpatterns = []")
        assert "contrib" not in text
        manage(project, "check", "--fail-level", "WARNING")
        manage(project, "migrate", "-v", "0")
        seen = "import sys; print([name for name in sys.modules if name.startswith('django_autocron.pages')])"
        assert manage(project, "shell", "-v", "0", "-c", seen).strip().endswith("[]")

    def test_in_tests_of_the_project(self, project):
        """The pages show the jobs of the tests, not those of the project."""
        project.write("newsletter/tests.py", IN_A_TEST)
        manage(project, "test")
        assert not (project.folder / "autocron.db").exists()

    @pytest.mark.parametrize(
        "content", [None, b"no database, but long enough to look like one" * 50]
    )
    def test_a_database_that_cannot_be_used(self, project, content):
        """Each page says what is wrong and what to do, and nothing is made."""
        project.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
        with (project.folder / "site_settings.py").open("a") as file:
            file.write("AUTOCRON = {'AUTOSTART': False}\n")
        path = project.folder / "autocron.db"
        if content is not None:
            path.write_bytes(content)
        manage(project, "migrate", "-v", "0")
        manage(
            project,
            "shell",
            "-c",
            "from django.contrib.auth.models import User;"
            "User.objects.create_superuser('root', password='secret')",
        )
        site = serve(project)
        with site.user("root") as client:
            for page in (JOBS, detail("a"), SCHEDULES, DIGEST, WORKERS, f"{JOBS}a/delete/"):
                text = text_of(client.get(page))
                assert "What autocron keeps cannot be shown now." in text
                assert "autocron.db: " in text
                assert "manage.py check" in text
            text = text_of(post(client, JOBS, {"action": "retry", "_selected_action": "a"}))
            assert "cannot be shown now" in text
        assert path.exists() == (content is not None)

    def test_without_time_zones(self, project):
        """With `USE_TZ` off, times are those of the project's zone, too."""
        with (project.folder / "site_settings.py").open("a") as file:
            file.write("USE_TZ = False\nAUTOCRON = {'AUTOSTART': False}\n")
        look = """
            from datetime import datetime
            from django.contrib.auth.models import User
            from django.test import Client
            from newsletter.tasks import echo
            client = Client()
            client.force_login(User.objects.create_superuser('root'))
            job = echo(1)
            page = client.get(f'/admin/django_autocron/job/{job.id}/change/', headers={'host': '127.0.0.1'})
            print(page.status_code, f'{datetime.now():%H:%M}' in page.text)
        """
        import textwrap

        manage(project, "migrate", "-v", "0")
        assert manage(project, "shell", "-c", textwrap.dedent(look)).strip().endswith("200 True")
