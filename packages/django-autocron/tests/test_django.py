"""What is special to Django: settings, checks, connections, transactions, commands, and when it is a server."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import httpx
import pytest
from django_site import script, write_site

from autocron.processes.table import processes_with_open
from autocron.testing import Project, free_port, wait_until
from autocron.testing.contract import TASKS, UNKNOWN_SERVER, Site

DATABASE = "autocron.db"
RUNSERVER = "manage.py runserver --noreload {port}"
GUNICORN = "-m gunicorn --bind 127.0.0.1:{port} site_of_shop.wsgi"

MORE_TASKS = """
from django.db import connection
from django.utils import timezone, translation


@autocron.delay
def connection_before(text):
    before = connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return before


@autocron.delay
def queries(text):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return len(connection.queries)


@autocron.delay
async def connection_of_loop_before(text):
    from asgiref.sync import sync_to_async

    return await sync_to_async(connection_before.function)(text)


@autocron.delay
def language_before(text):
    before = translation.get_language(), timezone.get_current_timezone_name()
    translation.activate("fi")
    timezone.activate("Asia/Tokyo")
    return list(before)
"""


@pytest.fixture
def project(tmp_path):
    """A site, without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS + MORE_TASKS)
        write_site(project)
        yield project


def serve(project, arguments=RUNSERVER):
    """Serve the site."""
    return Site.of(project, arguments, DATABASE)


def manage(project, *arguments, status=0, **environ):
    """Run a management command to its end, and return its output."""
    done = project.run("manage.py", *arguments, **environ)
    assert done.returncode == status, done.stdout
    return done.stdout


# Settings and checks --------------------------------------------------------------------------


def test_settings_come_from_the_dict(project):
    """The core's settings, in capitals; others keep their defaults, and schedules have Django's time zone."""
    write_site(project, "TIME_ZONE = 'Europe/Berlin'", "AUTOCRON = {'WORKERS': 3, 'TTL': '60'}")
    script(project, "import tasks; tasks.echo('to have a database')")
    shown = json.loads(manage(project, "autocron", "settings", "--json"))
    values = {name: (each["value"], each["source"]) for name, each in shown.items()}
    assert values["workers"] == (3, "app")
    assert values["ttl"] == (60, "app")
    assert values["timezone"] == ("Europe/Berlin", "app")
    assert values["check_interval"] == (30, "default")


def test_the_dict_can_be_left_out(project):
    """The database lies in `BASE_DIR` then, from wherever the site is started."""
    write_site(project, "del AUTOCRON")
    (project.folder / "elsewhere").mkdir()
    text = "import os; os.chdir('elsewhere')\nimport tasks; tasks.echo('hi')"
    script(project, text)
    assert (project.folder / DATABASE).exists()


def test_everything_that_is_wrong_has_a_check(project):
    """`check` names all of it at once, by the names that the settings have, and runserver starts nothing."""
    wrong = {"WORKER": 2, "TTL": "soon", "workers": 1, "DATABASE": "", 5: 5}
    write_site(project, f"AUTOCRON = {wrong}")
    output = manage(project, "check", status=1)
    assert output.count("(autocron.E002)") == 5
    assert 'unknown setting AUTOCRON["WORKER"] (did you mean AUTOCRON["WORKERS"]?)' in output
    assert "AUTOCRON[\"TTL\"]='soon': must be a number of seconds" in output
    assert "unknown setting AUTOCRON['workers'] (names of settings are strings in cap" in output
    assert "unknown setting AUTOCRON[5]" in output
    assert "AUTOCRON[\"DATABASE\"]='': must not be empty" in output
    assert "(autocron.E002)" in manage(
        project, "runserver", "--noreload", str(free_port()), status=1
    )
    assert not project.has_started(DATABASE)


@pytest.mark.parametrize("value", ["'autocron.db'", "[('WORKERS', 2)]", "None"])
def test_what_is_no_dict_has_a_check(project, value):
    """It says what the setting is to be."""
    write_site(project, f"AUTOCRON = {value}")
    output = manage(project, "check", status=1)
    assert "must be a dict of settings, such as" in output
    assert "(autocron.E001)" in output


def test_a_server_with_wrong_settings_does_not_start(project):
    """Servers do not run checks: they get the error, which names all that is wrong."""
    write_site(project, "AUTOCRON = {'WORKER': 2, 'TTL': 'soon'}")
    done = project.run("-c", "import gunicorn.arbiter, site_of_shop.wsgi")
    assert done.returncode == 1
    assert "SettingsError" in done.stdout
    assert 'did you mean AUTOCRON["WORKERS"]?' in done.stdout
    assert "AUTOCRON[\"TTL\"]='soon'" in done.stdout


def test_a_relative_path_needs_a_folder_to_start_at(project):
    """Without `BASE_DIR` it is refused; an absolute one is not."""
    write_site(project, "DATABASES = {}", "del BASE_DIR")
    assert "is relative to BASE_DIR, which the settings do not have" in manage(
        project, "check", status=1
    )
    path = project.folder / "jobs.db"
    write_site(project, "DATABASES = {}", "del BASE_DIR", f"AUTOCRON = {{'DATABASE': '{path}'}}")
    manage(project, "check")
    script(project, "import tasks; tasks.echo('hi')")
    assert path.exists()


def test_a_folder_that_is_missing_is_warned_of(project):
    """`check` says so, and passes; a call fails, and says why."""
    write_site(project, "AUTOCRON = {'DATABASE': 'missing/jobs.db'}")
    assert "(autocron.W001)" in manage(project, "check")
    text = """
        import tasks
        from autocron.errors import StoreError

        try:
            tasks.echo("hi")
        except StoreError as error:
            print(error)
        """
    assert "missing" in script(project, text)


@pytest.mark.parametrize("root", ["MEDIA_ROOT", "STATIC_ROOT"])
def test_a_database_that_everybody_may_get_is_warned_of(project, root):
    """It holds the arguments of all jobs."""
    write_site(
        project, f"{root} = BASE_DIR / 'public'", "AUTOCRON = {'DATABASE': 'public/jobs.db'}"
    )
    (project.folder / "public").mkdir()
    output = manage(project, "check")
    assert "(autocron.W002)" in output
    assert f"move it out of {root}" in output


def test_settings_of_autotask_are_warned_of(project):
    """They do nothing any more."""
    write_site(project, "AUTOTASK_IS_ACTIVE = True")
    output = manage(project, "check")
    assert "(autocron.W003)" in output
    assert "AUTOTASK_IS_ACTIVE" in output


# When it is a server --------------------------------------------------------------------------


def test_autostart_can_be_switched_off(project):
    """The site serves and stores jobs, and nothing else starts."""
    write_site(project, "AUTOCRON = {'AUTOSTART': False}")
    site = serve(project)
    job_id = site.hand_over("echo", "hi")
    with project.store(DATABASE) as store:
        assert store.get(job_id).status == "WAITING"
    assert not project.has_started(DATABASE)


def test_autostart_can_be_switched_on(project):
    """Then any process that sets Django up has workers, such as a script that serves in its own way."""
    write_site(project, "AUTOCRON = {'AUTOSTART': 'yes'}")
    assert "7" in script(project, "import tasks; print(tasks.echo(7).wait(30))")


def test_a_first_request_that_could_not_start_them_leaves_it_to_the_next(project):
    """The database had no place, say: that is told, and once there is one, workers start."""
    write_site(project, "AUTOCRON = {'DATABASE': BASE_DIR / 'later' / 'autocron.db', 'WORKERS': 2}")
    project.write("serve.py", UNKNOWN_SERVER)
    site = Site.of(project, "serve.py {port} site_of_shop.wsgi:application", "later/autocron.db")
    assert httpx.get(f"http://127.0.0.1:{site.port}/call/echo").status_code == 500
    assert "later" in site.server.output
    (project.folder / "later").mkdir()
    assert site.call("echo", "hi") == "hi"
    assert len(wait_until(site.workers)) == 2


def test_the_runserver_of_another_app_serves_as_well(project):
    """Such as daphne's, in the place of Django's."""
    daphne = "INSTALLED_APPS.insert(0, 'daphne')"
    write_site(project, daphne, "ASGI_APPLICATION = 'site_of_shop.asgi.application'")
    assert "django_autocron" in script(project, "import django_autocron; print(django_autocron)")
    assert not project.has_started(DATABASE)
    site = serve(project)
    assert "daphne" in site.server.output.lower()
    wait_until(lambda: site.has_run("tasks.tick"), or_show=lambda: site.server.output)


def test_a_command_that_serves_a_copy_starts_nothing(project):
    """`testserver` has a database of its own, which workers would not have."""
    project.write("empty.json", "[]")
    site = serve(project, "manage.py testserver --noinput --addrport {port} empty.json")
    site.hand_over("echo", "hi")
    assert not project.has_started(DATABASE)


SINGLE_FILE = """
import sys
from pathlib import Path

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(
    BASE_DIR=Path(__file__).parent,
    DEBUG=True,
    INSTALLED_APPS=["django_autocron"],
    ROOT_URLCONF=__name__,
)

import autocron


@autocron.delay
def echo(text):
    return text


def call(request, task):
    return HttpResponse(globals()[task](request.GET["text"]).id)


urlpatterns = [path("call/<task>", call)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


@pytest.mark.parametrize("options", ["--noreload", ""])
def test_a_site_in_one_file_works(project, options):
    """Its settings are configured by the main module, which the workers run as `__mp_main__`."""
    project.write("single.py", SINGLE_FILE)
    site = serve(project, f"single.py runserver {options} {{port}}")
    assert site.call("echo", "hi") == "hi"


def test_calls_that_are_made_while_apps_are_loaded_are_stored(project):
    """A module may call a task while it is imported, and the process do nothing else."""
    project.write("shop/__init__.py", "import autocron\n")
    project.write("shop/models.py", "import tasks\n\ntasks.echo('early')\n")
    script(project, "")
    with project.store(DATABASE) as store:
        assert [job.arguments for job in store.latest(9)] == ['[["early"],{}]']


def test_the_tasks_of_each_app_are_imported(project):
    """A schedule in an app's `tasks.py` runs, though nothing imports it."""
    project.write("news/__init__.py", "")
    schedule = "import autocron\n\n@autocron.every(seconds=1, start_now=True)\ndef refresh(): ...\n"
    project.write("news/tasks.py", schedule)
    write_site(project, "INSTALLED_APPS += ['news']")
    site = serve(project)
    wait_until(lambda: site.has_run("news.tasks.refresh"), or_show=lambda: site.server.output)


def test_a_tasks_module_that_fails_is_no_secret(project):
    """An error in it is an error of the site, as one in `admin.py` is."""
    project.write("shop/tasks.py", "import nothing_of_that_name\n")
    assert "nothing_of_that_name" in manage(project, "check", status=1)


# Around jobs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["connection_before", "connection_of_loop_before"])
@pytest.mark.parametrize(("max_age", "is_kept"), [("0", False), ("None", True)])
def test_connections_are_closed_around_jobs_as_around_requests(project, task, max_age, is_kept):
    """With `CONN_MAX_AGE` none is left for the next job, or it is, as for the next request; also in loops."""
    write_site(
        project, f"DATABASES['default']['CONN_MAX_AGE'] = {max_age}", "AUTOCRON = {'WORKERS': 1}"
    )
    site = serve(project)
    assert [site.call(task) for _ in range(3)] == [False, is_kept, is_kept]


def test_no_connection_is_held_while_nothing_is_done(project):
    """It is closed after its job already, and not only before the next."""
    project.write("tasks.py", TASKS.partition("@autocron.every")[0] + MORE_TASKS)  # no other jobs
    write_site(project, "DATABASES['default']['CONN_MAX_AGE'] = 0")
    site = serve(project)
    site.call("connection_before")
    workers, database = wait_until(site.workers), project.folder / "shop.sqlite3"
    assert database.exists()
    wait_until(lambda: workers.isdisjoint(processes_with_open([database])))


def test_a_connection_that_has_become_too_old_is_not_used(project):
    """One that was kept for the next job is closed before that, if it has waited for too long."""
    write_site(project, "DATABASES['default']['CONN_MAX_AGE'] = 0.5", "AUTOCRON = {'WORKERS': 1}")
    site = serve(project)
    site.call("connection_before")
    until = time.monotonic() + 0.6
    wait_until(lambda: time.monotonic() > until)  # its age is all that there is to wait for
    assert site.call("connection_before") is False


def test_queries_are_not_kept_for_ever(project):
    """With `DEBUG`, Django lists them for each request; here it does for each job."""
    write_site(project, "DATABASES['default']['CONN_MAX_AGE'] = None", "AUTOCRON = {'WORKERS': 1}")
    site = serve(project)
    assert [site.call("queries") for _ in range(3)] == [1, 1, 1]


def test_a_language_does_not_outlive_its_job(project):
    """What a task activates is not active in the next job of its worker."""
    write_site(project, "TIME_ZONE = 'UTC'", "AUTOCRON = {'WORKERS': 1}")
    site = serve(project)
    assert [site.call("language_before") for _ in range(2)] == [["en-us", "UTC"]] * 2


# Transactions ---------------------------------------------------------------------------------


TRANSACTION = """
import autocron, tasks
from autocron.errors import NotCommitted, RolledBack
from django.db import transaction

later = tasks.echo.options(enqueue_on_commit=True)

def stored():
    return [job.arguments for job in reversed(autocron.jobs())]
"""


def test_a_call_is_stored_when_its_transaction_commits(project):
    """Not before, and at once outside of a transaction."""
    text = """
        with transaction.atomic():
            result = later("one")
            assert stored() == [], stored()
            assert result.status == "WAITING" and not result.ready and result.result is None
            with transaction.atomic():
                later("two")
        assert stored() == ['[["one"],{}]', '[["two"],{}]'], stored()
        assert result.status == "WAITING" and autocron.result(result.id).status == "WAITING"
        assert later("three").storing is None
        assert len(stored()) == 3
        """
    script(project, TRANSACTION + _dedented(text))


def test_a_call_is_not_stored_when_its_transaction_is_rolled_back(project):
    """Also to a savepoint; its handle says so."""
    text = """
        handles = []
        try:
            with transaction.atomic():
                handles.append(later("never"))
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        with transaction.atomic():
            outer = later("outer")
            try:
                with transaction.atomic():
                    handles.append(later("inner"))
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        assert stored() == ['[["outer"],{}]'], stored()
        for handle in handles:
            for look in (lambda: handle.status, lambda: handle.wait(1), handle.cancel):
                try:
                    look()
                except RolledBack as error:
                    assert "tasks.echo" in str(error) and handle.id in str(error)
                else:
                    raise AssertionError(look)
        """
    script(project, TRANSACTION + _dedented(text))


def test_nobody_waits_in_the_transaction_for_what_it_holds_back(project):
    """It would never end; after it, all is as usual."""
    text = """
        with transaction.atomic():
            result = later("one")
            for look in (result.wait, result.cancel):
                try:
                    look()
                except NotCommitted as error:
                    assert "wait for it after that" in str(error)
                else:
                    raise AssertionError
        assert result.cancel() is True
        """
    script(project, TRANSACTION + _dedented(text))


@pytest.mark.parametrize("default", [True, False])
def test_the_default_can_be_set_for_all_tasks(project, default):
    """A task, or a call, says otherwise."""
    write_site(project, f"AUTOCRON = {{'ENQUEUE_ON_COMMIT': {default}}}")
    project.write(
        "more.py",
        f"""
        import autocron

        @autocron.delay(enqueue_on_commit={not default})
        def other(text): ...
        """,
    )
    text = f"""
        import more
        with transaction.atomic():
            tasks.echo("as the setting says")
            more.other("as the task says")
            tasks.echo.options(enqueue_on_commit={not default})("as the call says")
            assert ("setting" in str(stored())) is {not default}
            assert ("task says" in str(stored())) is {default}
            assert ("call" in str(stored())) is {default}
        assert len(stored()) == 3
        """
    script(project, TRANSACTION + _dedented(text))


def test_jobs_of_one_call_are_held_back_together(project):
    """All of `enqueue_many`, in one transaction of ours."""
    text = """
        with transaction.atomic():
            handles = later.enqueue_many([("one",), ("two",)])
            assert stored() == []
        assert [handle.status for handle in handles] == ["WAITING"] * 2
        assert len(stored()) == 2
        """
    script(project, TRANSACTION + _dedented(text))


def test_a_store_that_fails_at_the_commit_tells_who_commits(project):
    """The transaction is committed, and the call is known not to be stored: by its handle as well."""
    text = """
        import sqlite3
        from autocron.errors import StoreBusy
        tasks.echo("to have a database")
        other = sqlite3.connect("autocron.db", isolation_level=None)
        try:
            with transaction.atomic():
                result = later("one")
                other.execute("BEGIN EXCLUSIVE")
        except StoreBusy:
            other.execute("ROLLBACK")
        else:
            raise AssertionError
        try:
            result.status
        except StoreBusy:
            pass
        else:
            raise AssertionError
        """
    write_site(project, "AUTOCRON = {'BUSY_TIMEOUT': 0.01}")
    script(project, TRANSACTION + _dedented(text))


def test_a_view_in_a_transaction_hands_over_when_it_is_answered(project):
    """With ATOMIC_REQUESTS each request is a transaction: of one that fails, no call is stored."""
    write_site(
        project,
        "DATABASES['default']['ATOMIC_REQUESTS'] = True",
        "AUTOCRON = {'ENQUEUE_ON_COMMIT': True}",
    )
    urls = """
        from django.http import HttpResponse
        from django.urls import path
        import tasks

        def call(request, task):
            return HttpResponse(getattr(tasks, task)(request.GET["text"]).id)

        def fail(request):
            tasks.echo("never")
            raise ValueError

        urlpatterns = [path("call/<task>", call), path("fail", fail)]
        """
    project.write("site_of_shop/urls.py", urls)
    site = serve(project)
    assert httpx.get(f"http://127.0.0.1:{site.port}/fail", timeout=30).status_code == 500
    assert site.call("echo", "hi") == "hi"
    with project.store(DATABASE) as store:
        assert "never" not in str(store.latest(100))


def _dedented(text):
    return "\n" + "\n".join(line.removeprefix("        ") for line in text.splitlines()) + "\n"


# Commands -------------------------------------------------------------------------------------


def test_the_command_has_the_verbs_of_the_tool(project):
    """It knows the database, and what the site has configured."""
    script(project, "import tasks; tasks.echo('hi')")
    assert "tasks.echo" in manage(project, "autocron", "jobs")
    [job] = json.loads(manage(project, "autocron", "jobs", "--json"))
    assert "is cancelled" in manage(project, "autocron", "cancel", job["id"])
    text = manage(project, "autocron", "--help")
    assert "run-now" in text
    assert "manage.py autocron VERB --help" in text
    assert "manage.py autocron jobs --status error" in manage(project, "autocron", "jobs", "--help")


def test_the_command_makes_no_database(project):
    """Whoever looks may be another user than the site's; it says when there will be one."""
    output = manage(project, "autocron", "status", status=1)
    assert "it is made when the application starts, or first calls a task" in output
    assert not (project.folder / DATABASE).exists()


def test_options_of_all_commands_are_understood_before_and_after_the_verb(project):
    """Such as the settings, which Django reads, and the verbosity."""
    script(project, "import tasks; [tasks.echo(text) for text in 'ab']")
    for words in (
        ["autocron", "--verbosity", "0", "purge", "--yes"],
        ["autocron", "purge", "--yes", "-v", "0", "--settings", "site_of_shop.settings"],
    ):
        assert manage(project, *words) == ""
    assert "tasks.echo" in manage(project, "autocron", "jobs", "-v0", "--no-color", "--traceback")


def on_terminal(project, *arguments):
    """Run a management command on a terminal; return what that has got."""
    ours, theirs = os.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        command = [sys.executable, "manage.py", *arguments]
        environ = os.environ | {"TERM": "xterm", "NO_COLOR": ""}
        subprocess.run(command, cwd=project.folder, stdout=theirs, env=environ, check=True)
        os.close(theirs)
        return terminal.read(65536).decode()


def test_colours_can_be_left_out(project):
    """With Django's own option."""
    script(project, "import tasks; tasks.echo('hi')")
    assert "\x1b[" in on_terminal(project, "autocron", "jobs")
    assert "\x1b[" not in on_terminal(project, "autocron", "jobs", "--no-color")


def test_what_is_wrong_is_an_error_of_the_command(project):
    """With the exit status of the tool, and without a traceback."""
    script(project, "import tasks; tasks.echo('hi')")
    assert "no job" in manage(project, "autocron", "job", "missing", status=1)
    assert "invalid choice" in manage(project, "autocron", "nothing", status=2)
    assert "doctor" in manage(project, "autocron", "doctor", status=3)
    write_site(project, "AUTOCRON = {'WORKER': 2}")
    assert "CommandError" in manage(project, "autocron", "jobs", status=1)


def test_call_command_works(project):
    """Its output goes where it is wanted, and what is wrong is raised."""
    text = """
        from io import StringIO
        from django.core.management import CommandError, call_command
        import tasks

        tasks.echo("hi")
        output = StringIO()
        call_command("autocron", "jobs", "--json", stdout=output)
        assert "tasks.echo" in output.getvalue()
        output = StringIO()
        call_command("autocron", "purge", "--yes", stdout=output, verbosity=0)
        assert output.getvalue() == ""
        for words, status in [(["job", "missing"], 1), (["nothing"], 2), ([], 2), (["doctor"], 3)]:
            try:
                call_command("autocron", *words, stdout=output)
            except CommandError as error:
                assert error.returncode == status, (words, error.returncode)
            else:
                raise AssertionError(words)
        """
    assert script(project, text) == ""


def test_workers_run_without_a_web_process(project):
    """`manage.py autocron run` keeps them until it is told to end; -v 2 tells of each job."""
    runs = project.start("manage.py", "autocron", "run", "-v", "2")
    wait_until(lambda: "Ctrl-C ends it" in runs.output, or_show=lambda: runs.output)
    output = script(project, "import tasks; print(tasks.echo('hi').wait(30))")
    assert output == "hi\n"
    wait_until(lambda: "tasks.echo" in runs.output, or_show=lambda: runs.output)
    runs.end(signal.SIGTERM)
    wait_until(lambda: not project.autocron_processes())


def test_workers_of_a_command_are_quiet_if_they_are_to_be(project):
    """With -v 0 nothing is said but of errors."""
    runs = project.start("manage.py", "autocron", "run", "-v", "0")
    assert script(project, "import tasks; print(tasks.echo('hi').wait(30))") == "hi\n"
    runs.end(signal.SIGTERM)
    assert runs.output == ""


# The installation -----------------------------------------------------------------------------


def test_the_framework_is_not_needed(project):
    """A Django without Tasks, and without the package `django-tasks`, has all the rest; the backend says so."""
    text = """
        import sys
        sys.modules["django_tasks"] = sys.modules["django.tasks"] = None
        import tasks
        tasks.echo("hi")
        import django_autocron
        try:
            django_autocron.AutocronBackend
        except ImportError as error:
            assert "install Django 6.0 or later, or django-tasks" in str(error)
        else:
            raise AssertionError
        """
    script(project, text)


def test_a_name_that_is_none_is_an_error(project):
    """As in any module."""
    text = """
        import django_autocron
        try:
            django_autocron.Autocron
        except AttributeError as error:
            assert "has no attribute 'Autocron'" in str(error)
        else:
            raise AssertionError
        """
    script(project, text)
