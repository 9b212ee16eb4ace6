import sys
from contextlib import nullcontext

import pytest

from autocron import registry
from autocron.current import CurrentJob, enter, leave
from autocron.errors import Cancel, Retry, TaskNotFound
from autocron.integration import (
    Integration,
    ModuleIntegration,
    find_function,
    find_task,
    is_last_attempt,
)
from autocron.model import ClaimedJob
from autocron.policy import Policy


def test_a_subclass_fills_in_what_it_needs():
    """Only `settings` and `load` have no default."""
    integration = Integration()
    with pytest.raises(NotImplementedError):
        integration.settings()
    with pytest.raises(NotImplementedError):
        integration.load()
    assert isinstance(integration.job_context(None), nullcontext)
    assert integration.should_start()
    assert not integration.on_commit(print)
    assert type(Integration.from_description(integration.describe())) is Integration


def test_a_module_integration_is_made_anew_in_the_worker(make_module, tmp_path):
    """From its description it imports the same modules."""
    tmp_path.joinpath("more_tasks.py").write_text(
        "import autocron\n@autocron.delay\ndef f(): ...\n"
    )
    make_module("")
    described = ModuleIntegration({"more_tasks": None}).describe()
    ModuleIntegration.from_description(described).load()
    assert sys.modules.pop("more_tasks").f.name == "more_tasks.f"


def test_a_function_is_found_by_its_name(make_module, tmp_path):
    """Among registered tasks; the module of one that is known is imported if that has not been done."""
    make_module("")
    tmp_path.joinpath("late_tasks.py").write_text(
        "import autocron\n@autocron.delay\ndef f(): return 5\n"
        "class A:\n    @staticmethod\n    @autocron.delay\n    def g(): return 6\n"
        "def plain(): ...\n"
    )
    with pytest.raises(TaskNotFound, match="no module that was imported defines it"):
        find_function("late_tasks.A.g")
    assert "late_tasks" not in sys.modules
    assert find_function("late_tasks.A.g", lambda _: True)() == 6
    assert find_function("late_tasks.f")() == 5
    sys.modules.pop("late_tasks")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere.f", "there is no such module"),
        ("", "there is no such module"),
        ("f", "there is no such module"),
        ("os.system", "os has no such task"),
        ("builtins.eval", "builtins has no such task"),
        ("broken_tasks.f", "importing broken_tasks: ZeroDivisionError"),
        ("needy_tasks.f", "importing needy_tasks: No module named 'not_installed'"),
        ("exiting_tasks.f", "importing exiting_tasks: SystemExit"),
        ("plain_tasks.plain", "plain_tasks has no such task"),
        (".f", "there is no such module"),
        ("..", "there is no task"),
        ("a\0b.f", "there is no such module"),
    ],
)
def test_what_is_no_task_is_not_run(make_module, tmp_path, name, reason):
    """Though the application is said to have it, only registered tasks are found; the error says why not."""
    make_module("")
    for module, text in {
        "broken_tasks": "1 / 0",
        "needy_tasks": "import not_installed",
        "exiting_tasks": "raise SystemExit(1)",
        "plain_tasks": "def plain(): ...",
    }.items():
        tmp_path.joinpath(f"{module}.py").write_text(text)
    with pytest.raises(TaskNotFound) as caught:
        find_function(name, lambda _: True)
    assert reason in str(caught.value)
    sys.modules.pop("plain_tasks", None)


def test_a_task_is_found_as_its_function_is(make_module):
    """With all that it is, for adapters that have tasks of their own kind."""
    module = make_module("import autocron\n@autocron.delay\ndef f(): ...\n")
    assert find_task(module.f.name) is module.f
    with pytest.raises(TaskNotFound):
        find_task("nothing.of.that.name")


@pytest.mark.parametrize(
    ("attempt", "policy", "error", "is_last"),
    [
        (1, Policy(), ValueError(), False),
        (2, Policy(), ValueError(), True),
        (1, Policy(give_up_on=("builtins.ValueError",)), ValueError(), True),
        (1, Policy(retry_on=("builtins.KeyError",)), ValueError(), True),
        (2, Policy(), Retry(), False),
        (1, Policy(), Cancel(), True),
        (1, Policy(), TaskNotFound(task="a", reason="b"), True),
    ],
)
def test_it_is_known_whether_an_error_ends_a_job(attempt, policy, error, is_last):
    """Before it is stored, as a worker will judge it: for signals that come at the end."""
    job = ClaimedJob("a", "shop.mail", "[[],{}]", attempt, retries=1, policy=policy)
    assert is_last_attempt(job, error) is is_last


def test_an_error_ends_a_job_that_was_asked_to_stop():
    """It is not tried again."""
    job = ClaimedJob("a", "shop.mail", "[[],{}]", 1, retries=9)
    token = enter(lambda: CurrentJob("a", "shop.mail", 1, None, lambda: True))
    assert is_last_attempt(job, ValueError())
    leave(token)
    assert not is_last_attempt(job, ValueError())


@pytest.mark.parametrize(
    ("program", "served"),
    [
        ("bin/uvicorn", True),
        ("uvicorn/__main__.py", True),
        ("bin/granian", True),
        ("manage.py", False),
        ("site/__main__.py", False),
        ("uvicorn.py", False),
        ("", False),
    ],
)
def test_a_server_program_is_known_by_its_name(run_program, program, served):
    """An application may import the modules of some of them, and is no server by that."""
    text = f"""
        import sys
        sys.argv[0] = {program!r}
        from autocron.integration import is_served
        print(is_served())
        """
    assert run_program(text).stdout == f"{served}\n"


def test_a_server_program_is_known_by_its_modules(run_program):
    """Those that nobody else imports."""
    text = """
        import sys
        from autocron.integration import is_served
        assert not is_served()
        sys.modules["gunicorn.arbiter"] = sys
        assert is_served()
        """
    assert run_program(text).returncode == 0


def test_an_adapter_may_know_tasks_that_no_decorator_has_registered(make_module):
    """It is asked for what the application has handed over, and for nothing else."""
    module = make_module("import autocron\n@autocron.delay\ndef f(): ...\ndef plain(): ...\n")
    asked = []

    def adopt(name):
        asked.append(name)
        return module.f if name.endswith("plain") else None

    registry.add_adopter(adopt)
    registry.add_adopter(adopt)
    try:
        name = f"{module.__name__}.plain"
        assert find_task(name, lambda _: True) is module.f
        assert find_task(module.f.name, lambda _: True) is module.f
        for known in (False, True):
            with pytest.raises(TaskNotFound):
                find_task(f"{module.__name__}.other", lambda _, known=known: known)
    finally:
        registry._adopters.remove(adopt)
    assert asked == [name, f"{module.__name__}.other"]
