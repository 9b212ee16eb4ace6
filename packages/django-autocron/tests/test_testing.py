"""Tests as users write them: with Django's test cases and with pytest-django."""

import os
from contextlib import closing

import pytest
from django_site import script, write_site

from autocron.processes.locks import Lock
from autocron.testing import Project
from autocron.testing.contract import TASKS

MORE_TASKS = """
from django.contrib.auth.models import User
from django.core import mail
from django.template import Context, Template


@autocron.delay
def welcome(name):
    user = User.objects.get(username=name)
    mail.send_mail("Welcome", name, "a@example.org", [user.email])
    return user.pk


@autocron.delay
def in_a_page(body):
    return Template("<p>{{ body }}</p>").render(Context({"body": body}))


@autocron.delay(retries=1, backoff=0)
def fail_once(text):
    if autocron.current_job().attempt == 1:
        raise ValueError(text)
    return text
"""

CASES = """
from unittest import mock

import autocron
import tasks
from autocron.errors import NotStarted
from autocron.testing import capture, drain, eager
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction
from django.utils.safestring import SafeString, mark_safe
from django.test import TestCase, TransactionTestCase, override_settings


def sign_up(name):
    User.objects.create_user(name, f"{name}@example.org")
    return tasks.welcome(name)


class Both:
    def test_calls_are_captured(self):
        with capture() as calls:
            sign_up("ann")
            tasks.echo.options(minutes=5, queue="slow")("later")
        self.assertEqual([call.task for call in calls], ["tasks.welcome", "tasks.echo"])
        [call] = calls.of(tasks.welcome)
        self.assertEqual((call.args, call.kwargs, call.due), (("ann",), {}, None))
        self.assertEqual(calls[1].queue, "slow")
        self.assertIsNotNone(calls[1].due.tzinfo)
        self.assertEqual(mail.outbox, [])

    def test_captured_calls_are_drained_in_the_transaction_of_the_test(self):
        with capture() as calls:
            result = sign_up("ann")
            self.assertEqual(drain(), 1)
            self.assertEqual(result.result, User.objects.get(username="ann").pk)
            self.assertEqual(drain(), 0)
        self.assertEqual(mail.outbox[0].to, ["ann@example.org"])
        self.assertEqual(len(calls), 1)

    def test_calls_run_at_once(self):
        with eager():
            result = sign_up("ann")
        self.assertTrue(result.ready)
        self.assertEqual(mail.outbox[0].to, ["ann@example.org"])

    def test_what_a_task_raises_comes_out(self):
        with eager(), self.assertRaisesMessage(ValueError, "no luck"):
            tasks.fail("no luck")
        with eager(raise_errors=False):
            self.assertEqual(tasks.fail("no luck").error, "ValueError: no luck")

    def test_no_test_sees_the_calls_of_another(self):
        with capture() as calls:
            self.assertEqual((len(calls), drain()), (0, 0))

    def test_retries_are_made(self):
        with capture():
            result = tasks.fail_once("again")
            self.assertEqual(drain(), 2)
            self.assertEqual((result.status, result.result), ("DONE", "again"))

    def test_tasks_call_tasks(self):
        with capture() as calls:
            tasks.relay("deep")
            self.assertEqual(drain(), 2)
        self.assertEqual([call.task for call in calls], ["tasks.relay", "tasks.echo"])

    @override_settings(AUTOCRON={"ENABLED": False})
    def test_overridden_settings_are_honoured(self):
        self.assertTrue(tasks.echo("hi").ready)


class Templates(TestCase):
    def test_what_is_marked_as_safe_stays_so(self):
        with capture() as calls:
            result = tasks.in_a_page(mark_safe("<b>now</b>"))
            self.assertIs(type(calls[0].args[0]), SafeString)
            drain()
            self.assertEqual(result.result, "<p><b>now</b></p>")


class InTransaction(Both, TestCase):
    def test_what_waits_for_the_commit_is_called_back(self):
        later = tasks.echo.options(enqueue_on_commit=True)
        with capture() as calls:
            with self.captureOnCommitCallbacks(execute=True):
                later("hi")
                self.assertEqual(len(calls), 0)
            self.assertEqual(len(calls), 1)

    def test_a_commit_that_never_comes_stores_nothing(self):
        with capture() as calls:
            tasks.echo.options(enqueue_on_commit=True)("hi")
        self.assertEqual(len(calls), 0)


class WithCommits(Both, TransactionTestCase):
    def test_what_waits_for_the_commit_is_stored_with_it(self):
        with capture() as calls:
            with transaction.atomic():
                tasks.echo.options(enqueue_on_commit=True)("hi")
                self.assertEqual(len(calls), 0)
            self.assertEqual(len(calls), 1)


class Isolation(TestCase):
    def test_the_database_of_the_site_is_left_alone(self):
        from django.conf import settings

        tasks.echo("of a test")
        self.assertEqual(autocron.jobs()[0].task, "tasks.echo")
        self.assertFalse((settings.BASE_DIR / "autocron.db").exists())

    def test_settings_may_be_overridden_by_blocks(self):
        tasks.echo("before")
        with override_settings(AUTOCRON={"ENABLED": False}):
            self.assertTrue(tasks.echo("within").ready)
        self.assertFalse(tasks.echo("after").ready)

    def test_a_database_of_its_own_is_used(self):
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "own.db")
            with override_settings(AUTOCRON={"DATABASE": path}):
                tasks.echo("hi")
                self.assertTrue(path.exists())
                self.assertEqual(drain(), 1)
"""

PYTEST = """
import pytest
import tasks
from autocron.testing import capture, drain, eager
from django.contrib.auth.models import User


@pytest.fixture
def calls():
    with capture() as calls:
        yield calls


@pytest.mark.django_db
def test_calls_are_captured_and_drained(calls, mailoutbox):
    User.objects.create_user("ann", "ann@example.org")
    tasks.welcome("ann")
    assert [call.args for call in calls.of("welcome")] == [("ann",)]
    assert drain() == 1
    assert mailoutbox[0].to == ["ann@example.org"]


@pytest.mark.django_db(transaction=True)
def test_calls_of_a_live_server_are_captured(calls, live_server):
    from urllib.request import urlopen

    urlopen(f"{live_server.url}/call/echo?text=hi").read()
    assert [call.args for call in calls] == [("hi",)]


def test_settings_are_honoured(settings):
    settings.AUTOCRON = {"ENABLED": False}
    assert tasks.echo("hi").ready


def test_calls_run_at_once():
    with eager():
        assert tasks.echo("hi").result == "hi"
"""


@pytest.fixture
def project(tmp_path):
    """A site with tests."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS + MORE_TASKS)
        apps = "['django.contrib.auth', 'django.contrib.contenttypes']"
        write_site(
            project,
            "TEMPLATES = [{'BACKEND': 'django.template.backends.django.DjangoTemplates'}]",
            f"INSTALLED_APPS = {apps} + INSTALLED_APPS",
        )
        yield project
        assert not (project.folder / "autocron.db").exists()
        assert not project.has_started("autocron.db")


@pytest.mark.parametrize("options", [[], ["--parallel", "2"], ["--reverse"]], ids=str)
def test_with_djangos_test_cases(project, options):
    """`TestCase` and `TransactionTestCase`, in one process and in several; the site's database stays out of it."""
    project.write("shop/tests.py", CASES)
    done = project.run("manage.py", "test", *options)
    assert done.returncode == 0, done.stdout
    assert "Ran 23 tests" in done.stdout


def test_with_pytest_django(project):
    """Its fixtures and marks."""
    project.write("shop/test_pytest.py", PYTEST)
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--ds", "site_of_shop.settings"]
    done = project.run(*command, "shop/test_pytest.py")
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


FORGETFUL = """
import tasks
from django.test import TestCase, override_settings


@override_settings(AUTOCRON={"ENABLED": False})
class ForgetfulTest(TestCase):
    def test_task(self):
        self.assertTrue(tasks.echo("hi").ready)
"""


def test_an_override_that_does_not_name_the_database_makes_none(project):
    """The project names one; what a test says in its place does not lead to another in `BASE_DIR`."""
    with (project.folder / "site_of_shop/settings.py").open("a") as settings:
        settings.write("\nAUTOCRON = {'DATABASE': 'jobs.db'}\n")
    project.write("shop/tests.py", FORGETFUL)
    done = project.run("manage.py", "test")
    assert done.returncode == 0, done.stdout
    assert list(project.folder.glob("*.db*")) == []


def test_databases_of_tests_do_not_pile_up(project):
    """That of a run is deleted at its end; so are those of processes that were killed, and no others."""
    folder = project.folder / "tmp"
    alive, dead = folder / "autocron-tests-alive", folder / "autocron-tests-dead"
    for each in (alive, dead):
        each.mkdir(parents=True)
    lock = Lock(alive / "lock")
    lock.acquire(wait=True)
    for each in (alive, dead):
        os.utime(each, (0, 0))
    project.write("shop/tests.py", CASES)
    done = project.run("manage.py", "test", TMPDIR=str(folder))
    lock.release()
    assert done.returncode == 0, done.stdout
    assert list(folder.glob("autocron-*")) == [alive]


FORK = """
import os

from django.test.utils import setup_test_environment

setup_test_environment()
import autocron
import tasks

tasks.echo("parent")
pid = os.fork()
if pid == 0:
    tasks.echo("child")
    assert [job.arguments for job in autocron.jobs()] == ['[["child"],{}]']
    raise SystemExit(5)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
assert [job.arguments for job in autocron.jobs()] == ['[["parent"],{}]']
"""


def test_a_forked_process_has_a_database_of_its_own(project):
    """As those of `test --parallel`; the end of one takes nothing from another."""
    script(project, FORK)
