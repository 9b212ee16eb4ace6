import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autocron import registry
from autocron.errors import InvalidTask

HEADER = "import autocron\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("f = autocron.delay(lambda: None)", "a lambda has no name.*use def"),
        (
            """
            def outer():
                @autocron.delay
                def inner(): ...
            outer()
            """,
            r"outer\.<locals>\.inner cannot be a task: it is nested in a function: move it",
        ),
        (
            """
            @autocron.delay
            def f():
                yield
            """,
            "it is a generator",
        ),
        (
            """
            @autocron.delay
            async def f():
                yield
            """,
            "it is a generator",
        ),
        (
            """
            class Mailer:
                @autocron.delay
                def send(self, to): ...
            """,
            r"Mailer\.send cannot be a task: it is a method",
        ),
        ("@autocron.delay\nclass Mailer: ...", "it is a class"),
        ("autocron.delay(5)", "5 cannot be a task: it is not a function"),
        ("autocron.delay(autocron)", "it is not a function"),
        ("autocron.delay(object())", "it is not a function"),
        (
            """
            @autocron.delay
            @autocron.delay
            def f(): ...
            """,
            "it is one already: use one decorator",
        ),
        (
            """
            @autocron.delay
            def f(): ...

            @autocron.delay
            def f(): ...
            """,
            r"tasks_of_test\.f cannot be a task: .*tasks_of_test\.py:\d+ has a task of that name",
        ),
    ],
)
def test_what_a_worker_could_not_find_is_refused(make_module, text, reason):
    """A function that has no name of its own at the top of a module is an error at decoration."""
    with pytest.raises(InvalidTask, match=reason):
        make_module(HEADER + textwrap.dedent(text))


def test_a_reloaded_module_may_define_its_tasks_again(make_module):
    """`importlib.reload` replaces the tasks and schedules of a module, also when lines have moved."""
    text = HEADER + "@autocron.every(seconds=5)\ndef f(): return 1\n"
    module = make_module(text)
    before = module.f
    Path(module.__file__).write_text("# a line more\n" + text.replace("5", "60"))
    importlib.reload(module)
    assert registry.find_task("tasks_of_test.f") is module.f
    assert module.f is not before
    (schedule,) = [each for each in registry.schedules() if each.name == "tasks_of_test.f"]
    assert schedule.rule == "every 60"


def test_a_name_is_that_of_module_and_function(make_module):
    """A method of a class goes by its qualified name."""
    module = make_module(
        """
        import autocron

        class Mail:
            @staticmethod
            @autocron.delay
            def send(): ...

        @autocron.delay
        def report(): ...
        """
    )
    assert module.Mail.send.name == "tasks_of_test.Mail.send"
    assert module.report.name == "tasks_of_test.report"
    assert {"tasks_of_test"} <= registry.task_modules()
    assert registry.find_task("tasks_of_test.nothing") is None


MAIN = """
import autocron

@autocron.delay
def f(): ...

print(f.name)
if __name__ == "__main__":
    import program
    print(program.f.name, program.f is f)
"""


def test_a_file_may_be_main_and_imported(run_program):
    """A file that is run and imported by its name as well has one task, of the module's name."""
    ended = run_program(MAIN)
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == ["program.f", "program.f", "program.f False"]


def test_a_package_that_is_run_goes_by_its_modules_name(run_program, tmp_path):
    """With `python -m`, the name is the one by which the module can be imported."""
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(
        "import autocron\n@autocron.delay\ndef f(): print(f.name)\n\nf.call()\n"
    )
    ended = run_program(
        "import runpy; runpy.run_module('shop.jobs', run_name='__main__', alter_sys=True)"
    )
    assert ended.stdout == "shop.jobs.f\n"


@pytest.mark.parametrize("how", ["-c", "-i"])
def test_what_was_typed_in_is_refused(how):
    """A function without a file could not be imported by a worker, and the error says so."""
    text = "import autocron\n@autocron.delay\ndef f(): pass\n\n"
    ended = subprocess.run(
        [sys.executable, "-c", text] if how == "-c" else [sys.executable, "-i"],
        input="" if how == "-c" else text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "InvalidTask" in ended.stderr
    assert "an interactive session or python -c cannot be imported by a worker" in ended.stderr


def test_one_function_has_one_schedule(make_module):
    """Two schedules for one function would be two of one name."""
    with pytest.raises(
        InvalidTask, match="has a schedule already: for a second one write a second function"
    ):
        make_module(
            """
            import autocron

            @autocron.cron("@daily")
            @autocron.every(hours=1)
            def f(): ...
            """
        )
