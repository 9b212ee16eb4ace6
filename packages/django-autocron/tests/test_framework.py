"""Django's Tasks framework with real workers; Django's own tests of its contract are run by conformance/run.py."""

import textwrap
from contextlib import closing

import pytest
from django_site import script, write_site

from autocron.testing import Project

IMPORT = """
try:
    from django.tasks import task, task_backends
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
    from django.tasks.signals import task_enqueued, task_finished, task_started
except ImportError:
    from django_tasks import task, task_backends
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist
    from django_tasks.signals import task_enqueued, task_finished, task_started
"""

TASKS = f"""{IMPORT}
import os
from pathlib import Path

import autocron


@task
def add(a, b=0):
    return a + b


@task
async def add_in_loop(a, b=0):
    return a + b


@task(takes_context=True)
def look(context, text):
    result = context.task_result
    return [context.attempt, result.id, result.status, result.args, result.worker_ids, text]


@task(takes_context=True)
def fail_before(context, attempt):
    if context.attempt < attempt:
        raise LookupError(f"attempt {{context.attempt}}")
    return context.attempt


@task
def die():
    os._exit(1)


@autocron.delay
def echo(text):
    return text


def note(word):
    def receive(sender, task_result, **more):
        with open("signals.txt", "a") as file:
            print(word, task_result.status, task_result.attempts, sender.__name__, file=file)
    return receive


receivers = [note("enqueued"), note("started"), note("finished")]
task_enqueued.connect(receivers[0])
task_started.connect(receivers[1])
task_finished.connect(receivers[2])
"""

HEAD = f"""{IMPORT}
import time
import tasks
from pathlib import Path


def tell(text):
    Path("told.txt").write_text(text)


def ended(result):
    deadline = time.monotonic() + 30
    while not result.is_finished:
        assert time.monotonic() < deadline, result
        time.sleep(0.01)
        result.refresh()
    return result


def raised(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind as error:
        return str(error)
    raise AssertionError(f"{{kind}} is not raised")
"""

WITH_WORKERS = "AUTOCRON = {'WORKERS': 1, 'AUTOSTART': True}"


BACKPORT = """
try:
    import django.tasks
except ImportError:
    INSTALLED_APPS.append("django_tasks")
"""


def tasks_setting(**more):
    """Return the line of the settings that has the backend."""
    default = {"BACKEND": "django_autocron.AutocronBackend"} | more
    other = default | {"QUEUES": ["slow"]}
    return f"TASKS = {{'default': {default!r}, 'other': {other!r}}}\n{BACKPORT}"


@pytest.fixture
def project(tmp_path):
    """A site with the backend, without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS)
        write_site(project, tasks_setting(), WITH_WORKERS)
        yield project


def run(project, text):
    """Run a script of the site, and return what it tells: workers log to where it prints."""
    told = project.write("told.txt", "")
    script(project, HEAD + textwrap.dedent(text))
    return told.read_text()


def test_a_worker_runs_what_is_enqueued(project):
    """The result is READY at first, and has all that the framework promises when it has been run."""
    text = """
        result = tasks.add.enqueue(1, b=2)
        assert result.status == "READY" and not result.is_finished and result.attempts == 0
        assert result.enqueued_at is not None and result.started_at is None
        assert ended(result).return_value == 3
        assert result.status == "SUCCESSFUL" and result.attempts == 1 and result.errors == []
        assert result.enqueued_at <= result.started_at <= result.finished_at
        assert result.last_attempted_at == result.started_at
        assert result.enqueued_at.tzinfo is not None
        found = tasks.add.get_result(result.id)
        assert found == result and found.task == tasks.add and found.args == [1] and found.kwargs == {"b": 2}
        """
    run(project, text)


def test_times_are_as_the_site_has_its_times(project):
    """Naive, and local, in a site that does not use time zones; one that is given is understood so."""
    write_site(project, tasks_setting(), "USE_TZ = False", "TIME_ZONE = 'Asia/Tokyo'")
    text = """
        from datetime import datetime, timedelta
        before = datetime.now()
        later = before + timedelta(hours=1)
        result = tasks.add.using(run_after=later).enqueue(1)
        assert before <= result.enqueued_at <= datetime.now()
        found = tasks.add.get_result(result.id)
        assert found == result and found.task.run_after == later
        """
    run(project, text)


def test_everything_is_supported(project):
    """Deferring, coroutines, results and priorities."""
    text = """
        backend = task_backends["default"]
        names = ["defer", "async_task", "get_result", "priority"]
        assert all(getattr(backend, f"supports_{name}") is True for name in names)
        assert list(backend.check()) == []
        """
    run(project, text)


def test_a_coroutine_is_run(project):
    """Enqueued by a coroutine, too, which can ask for the result."""
    text = """
        import asyncio

        async def main():
            result = await tasks.add_in_loop.aenqueue(1, 2)
            while not result.is_finished:
                await asyncio.sleep(0.01)
                await result.arefresh()
            return await tasks.add_in_loop.aget_result(result.id)

        assert asyncio.run(asyncio.wait_for(main(), 30)).return_value == 3
        """
    run(project, text)


def test_a_task_may_know_its_context(project):
    """The attempt, and its own result as it stands while it runs; callers do not give it."""
    text = """
        result = ended(tasks.look.enqueue("hi"))
        assert result.return_value == [1, result.id, "RUNNING", ["hi"], ["1"], "hi"], result.return_value
        assert result.args == ["hi"]
        """
    run(project, text)


def test_each_failed_attempt_is_among_the_errors(project):
    """With the class of its exception and the traceback; the last one ends the job."""
    text = """
        result = ended(tasks.fail_before.using(retries=1, backoff=0).enqueue(3))
        assert result.status == "FAILED" and result.attempts == 2
        assert [error.exception_class for error in result.errors] == [LookupError] * 2
        for number, error in enumerate(result.errors, 1):
            assert error.traceback.endswith(f"LookupError: attempt {number}\\n"), error
            assert "tasks.py" in error.traceback
        assert raised(ValueError, lambda: result.return_value) == "Task failed"
        assert result.started_at < result.last_attempted_at < result.finished_at
        """
    run(project, text)


def test_a_retry_may_succeed(project):
    """The context counts attempts; the signal of the end comes once."""
    text = """
        result = ended(tasks.fail_before.using(retries=5, backoff=0).enqueue(3))
        assert result.return_value == 3 and result.attempts == 3 and len(result.errors) == 2
        """
    run(project, text)
    assert (project.folder / "signals.txt").read_text().splitlines() == [
        "enqueued READY 0 AutocronBackend",
        "started RUNNING 1 AutocronBackend",
        "started RUNNING 2 AutocronBackend",
        "started RUNNING 3 AutocronBackend",
        "finished SUCCESSFUL 3 AutocronBackend",
    ]


def test_the_signal_of_a_failure_comes_with_its_exception(project):
    """Once, with the last attempt; so the framework's own log has the traceback."""
    run(project, "ended(tasks.fail_before.using(retries=1, backoff=0).enqueue(3))")
    lines = (project.folder / "signals.txt").read_text().splitlines()
    assert lines[-1] == "finished FAILED 2 AutocronBackend"
    assert sum(line.startswith("finished") for line in lines) == 1


def test_a_job_that_costs_its_workers_fails(project):
    """No exception has ended it: an error of autocron stands for that."""
    write_site(project, tasks_setting(OPTIONS={"on_crash": "fail"}), WITH_WORKERS)
    text = """
        result = ended(tasks.die.enqueue())
        assert result.status == "FAILED" and result.attempts == 1
        [error] = result.errors
        assert error.exception_class.__name__ == "JobFailed"
        assert "worker" in error.traceback
        """
    run(project, text)


def test_a_cancelled_job_has_failed(project):
    """The framework has no word for it."""
    write_site(project, tasks_setting())
    text = """
        import autocron
        result = tasks.add.enqueue(1)
        assert autocron.result(result.id).cancel()
        result.refresh()
        assert result.status == "FAILED" and result.is_finished and result.errors == []
        """
    run(project, text)


def test_a_call_may_have_a_queue_a_priority_and_a_time(project):
    """They are those of the job, and of the task in its result."""
    write_site(project, tasks_setting(QUEUES=["default", "mails"]))
    text = """
        import autocron
        from datetime import timedelta
        from django.utils import timezone

        later = timezone.now() + timedelta(hours=1)
        task = tasks.add.using(queue_name="mails", priority=-7, run_after=later)
        result = task.enqueue(1)
        [job] = autocron.jobs()
        assert (job.queue, job.priority, job.run_at) == ("mails", -7, later.timestamp())
        assert tasks.add.get_result(result.id) == result
        assert result.task == task
        other = tasks.add.using(backend="other", queue_name="slow")
        result = other.enqueue(1)
        found = task_backends["other"].get_result(result.id)
        assert found == result and found.backend == "other"
        assert "not valid for backend" in raised(InvalidTask, tasks.add.using, queue_name="none")
        assert "between" in raised(InvalidTask, tasks.add.using, priority=101)
        """
    run(project, text)


def test_a_call_whose_time_has_not_come_waits(project):
    """Until then."""
    text = """
        from datetime import timedelta
        from django.utils import timezone

        later = timezone.now() + timedelta(seconds=0.5)
        result = ended(tasks.add.using(run_after=later).enqueue(1))
        assert result.started_at >= later
        """
    run(project, text)


def test_arguments_must_be_those_of_the_framework(project):
    """JSON, and such as fit the function: what does not is refused where it is handed over."""
    text = """
        import autocron
        from datetime import date
        assert "Unsupported type" in raised(TypeError, tasks.add.enqueue, date.today())
        assert "missing" in raised(TypeError, tasks.add.enqueue)
        assert "missing" in raised(TypeError, tasks.look.enqueue)
        assert autocron.jobs() == []
        assert tasks.add.enqueue((1,), b=(2,)).args == [[1]]
        from django.db.models import TextChoices
        size = TextChoices("Size", [("S", "s")]).S
        assert tasks.add.enqueue(size).args == ["s"]
        assert autocron.jobs()[0].arguments == '[["s"],{}]'
        """
    write_site(project, tasks_setting())
    run(project, text)


def test_what_is_no_result_of_the_framework_does_not_exist(project):
    """An id that nobody has, and the job of another task."""
    text = """
        backend = task_backends["default"]
        for job_id in ["nothing", 5, tasks.echo("hi").id]:
            raised(TaskResultDoesNotExist, backend.get_result, job_id)
        """
    write_site(project, tasks_setting())
    run(project, text)


def test_a_task_of_a_module_that_is_not_imported_yet_is_found(project):
    """Its result can be asked for by a process that has not called it, and workers run it."""
    project.write(
        "more.py", "from tasks import task\n\n@task\ndef double(value):\n    return 2 * value\n"
    )
    job_id = run(project, "import more\ntell(ended(more.double.enqueue(4)).id)")
    text = f"assert task_backends['default'].get_result({job_id!r}).return_value == 8"
    run(project, text)


def test_a_task_of_another_backend_can_be_called_for_ours(project):
    """Declared for one that only keeps what it gets, say: workers find it all the same."""
    framework = run(project, "tell(task.__module__.partition('.base')[0])")
    dummy = {"BACKEND": f"{framework}.backends.dummy.DummyBackend"}
    ours = {"BACKEND": "django_autocron.AutocronBackend"}
    setting = f"TASKS = {{'default': {dummy!r}, 'background': {ours!r}}}\n{BACKPORT}"
    write_site(project, setting, WITH_WORKERS)
    text = """
        result = ended(tasks.look.using(backend="background").enqueue("hi"))
        assert result.return_value[1:4] == [result.id, "RUNNING", ["hi"]], result.errors
        assert tasks.look.enqueue("kept").status == "READY"
        tell(result.id)
        """
    job_id = run(project, text)
    assert "SUCCESSFUL 1 AutocronBackend" in (project.folder / "signals.txt").read_text()
    text = f"""
        found = task_backends["background"].get_result({job_id!r})
        assert found.task.backend == found.backend == "background"
        assert found.return_value[1] == {job_id!r}
        """
    run(project, text)


def test_options_are_defaults_for_all_tasks(project):
    """A task says otherwise with `using`."""
    options = {"retries": 3, "timeout": 5, "give_up_on": ["builtins.KeyError"]}
    write_site(project, tasks_setting(OPTIONS=options))
    text = """
        import autocron
        tasks.add.using(timeout=9).enqueue(1)
        tasks.add.enqueue(1)
        newest, oldest = autocron.jobs()
        assert (newest.retries, newest.policy.timeout) == (3, 5)
        assert newest.policy.give_up_on == ("builtins.KeyError",)
        assert (oldest.retries, oldest.policy.timeout) == (3, 9)
        assert "timeout" in raised(InvalidTask, tasks.add.using, timeout=-1)
        """
    run(project, text)


def test_wrong_options_have_checks(project):
    """Each is named; until they are right, nothing is enqueued."""
    options = {"retires": 3, "timeout": "soon", "retry_on": "no.such.Class"}
    write_site(project, tasks_setting(OPTIONS=options))
    output = project.run("manage.py", "check").stdout
    assert output.count("(autocron.E003)") >= 3
    assert 'TASKS["default"]["OPTIONS"]["retires"]' in output
    assert "did you mean retries?" in output
    assert '"OPTIONS"]["timeout"]' in output
    assert '"OPTIONS"]["retry_on"]' in output
    text = """
        from django.core.exceptions import ImproperlyConfigured
        assert "did you mean retries?" in raised(ImproperlyConfigured, tasks.add.enqueue, 1)
        """
    run(project, text)


def test_a_backend_without_its_app_has_a_check(project):
    """Nobody would start workers."""
    write_site(project, tasks_setting(), "INSTALLED_APPS.remove('django_autocron')")
    text = """
        [problem] = task_backends["default"].check()
        assert problem.id == "autocron.E004" and "INSTALLED_APPS" in problem.hint
        """
    run(project, text)


def test_a_call_is_enqueued_when_its_transaction_commits(project):
    """By an option of the backend or of the call: then the signal is sent; and after a rollback it is not."""
    write_site(project, tasks_setting(OPTIONS={"enqueue_on_commit": True}))
    text = """
        import autocron
        from django.db import transaction

        with transaction.atomic():
            result = tasks.add.enqueue(1)
            assert result.status == "READY" and result.enqueued_at is None
            raised(TaskResultDoesNotExist, result.refresh)
            assert autocron.jobs() == []
            assert not Path("signals.txt").exists()
            tasks.add.using(enqueue_on_commit=False).enqueue(2)
            assert len(autocron.jobs()) == 1
        assert result.enqueued_at is not None
        assert tasks.add.get_result(result.id) == result
        try:
            with transaction.atomic():
                tasks.add.enqueue(3)
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        assert len(autocron.jobs()) == 2
        assert Path("signals.txt").read_text().count("enqueued") == 2
        """
    run(project, text)


def test_a_disabled_autocron_runs_tasks_in_their_callers(project):
    """As the framework's immediate backend does: with the signals in their order, and a result that is ready."""
    write_site(project, tasks_setting(), "AUTOCRON = {'ENABLED': False}")
    text = """
        result = tasks.add.enqueue(1, 2)
        assert result.status == "SUCCESSFUL" and result.return_value == 3
        assert tasks.look.enqueue("hi").return_value[0] == 1
        failed = tasks.fail_before.enqueue(9)
        assert failed.status == "FAILED" and failed.errors[0].exception_class is LookupError, failed
        """
    run(project, text)
    words = [line.split()[:2] for line in (project.folder / "signals.txt").read_text().splitlines()]
    assert words[:3] == [["enqueued", "READY"], ["started", "RUNNING"], ["finished", "SUCCESSFUL"]]
    assert words[-1] == ["finished", "FAILED"]


def test_a_job_outlives_a_change_of_the_settings(project):
    """What was put into a queue that the settings do not have any more runs all the same."""
    write_site(project, tasks_setting(QUEUES=["default", "old"]))
    job_id = run(project, "tell(tasks.add.using(queue_name='old').enqueue(4).id)")
    write_site(project, tasks_setting(), WITH_WORKERS)
    text = f"""
        result = ended(task_backends["default"].get_result({job_id!r}))
        assert result.return_value == 4 and result.task.queue_name == "old"
        """
    run(project, text)
