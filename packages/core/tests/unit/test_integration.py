import sys
from contextlib import nullcontext

import pytest

from autocron.errors import TaskNotFound
from autocron.integration import Integration, ModuleIntegration, find_function


def test_a_subclass_fills_in_what_it_needs():
    """Only `settings` and `load` have no default."""
    integration = Integration()
    with pytest.raises(NotImplementedError):
        integration.settings()
    with pytest.raises(NotImplementedError):
        integration.load()
    assert isinstance(integration.job_context(None), nullcontext)
    assert integration.should_start()
    assert type(Integration.from_description(integration.describe())) is Integration


def test_a_module_integration_is_made_anew_in_the_worker(make_module, tmp_path):
    """From its description it imports the same modules."""
    tmp_path.joinpath("more_tasks.py").write_text(
        "import autocron\n@autocron.delay\ndef f(): ...\n"
    )
    make_module("")
    described = ModuleIntegration(["more_tasks"]).describe()
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
