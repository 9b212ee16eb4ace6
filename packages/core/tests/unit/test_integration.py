import importlib.util
import sys
from contextlib import nullcontext
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from autocron import registry
from autocron.current import CurrentJob, enter, leave
from autocron.errors import Cancel, Retry, SettingsError, TaskNotFound
from autocron.integration import (
    FirstRequest,
    Integration,
    ModuleIntegration,
    being_imported,
    caller_outside,
    find_function,
    find_task,
    is_last_attempt,
    load_module,
    read_settings,
    when_imported,
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


# What is being imported -----------------------------------------------------------------------


def test_what_is_being_imported_is_known(make_module, tmp_path):
    """It is the module with which it began, and not one that this imports in turn."""
    tmp_path.joinpath("inner.py").write_text(
        "from autocron.integration import being_imported\nfound = being_imported()\n"
    )
    module = make_module("import inner", "served")
    assert module.inner.found == {"served": str(tmp_path / "served.py")}
    assert being_imported() == {}
    sys.modules.pop("inner")


def test_code_without_a_file_is_not_being_imported():
    """Programs that distribute work execute such code for good, and everything within it."""
    names = {"__name__": "no_module", "being_imported": being_imported}
    exec("found = being_imported()", names)
    assert names["found"] == {}


WAITING = """
from autocron.integration import when_imported
happened = []
when_imported(lambda: happened.append(late))
when_imported(lambda: happened.append("second"))
assert not happened
late = "first"
"""


def test_something_can_be_done_when_an_import_has_ended(make_module):
    """With all that the module has by then; and the module is as any other."""
    module = make_module(WAITING)
    assert module.happened == ["first", "second"]
    assert type(module.__spec__) is ModuleSpec


def test_without_an_import_it_is_done_at_once():
    """As in a main module, or when a factory is called."""
    happened = []
    when_imported(lambda: happened.append(1))
    assert happened == [1]


def test_after_an_import_that_fails_nothing_is_done(make_module):
    """There is no app that could be served."""
    happened = []
    sys.modules["served_calls"] = happened
    text = "import sys\n" + WAITING.replace(
        "happened = []", "happened = sys.modules['served_calls']"
    )
    with pytest.raises(ZeroDivisionError):
        make_module(f"{text}\n1 / 0\n")
    assert sys.modules.pop("served_calls") == []


def test_what_fails_then_fails_the_import(make_module):
    """A server does not begin with wrong settings."""
    with pytest.raises(ZeroDivisionError):
        make_module(
            "from autocron.integration import when_imported\nwhen_imported(lambda: 1 / 0)\n"
        )


def test_nothing_is_done_where_a_file_is_run_by_other_means(tmp_path):
    """Nobody can know when that ends, so that other signs have to tell."""
    file = tmp_path / "served.py"
    file.write_text(WAITING)
    spec = importlib.util.spec_from_file_location("of_a_server", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.happened == []


def test_a_worker_finds_a_file_that_a_server_has_loaded_by_a_name_of_its_own(tmp_path):
    """Under that name, by which its tasks go."""
    file = tmp_path / "served.py"
    file.write_text("import autocron\n@autocron.delay\ndef f(): ...\n")
    load_module("of_a_server", str(file))
    assert sys.modules.pop("of_a_server").f.name == "of_a_server.f"
    with pytest.raises(ModuleNotFoundError, match="of_a_server"):
        load_module("of_a_server", None)


def test_a_module_that_needs_what_is_missing_is_not_looked_for_in_its_file(tmp_path):
    """The error is that of its import."""
    tmp_path.joinpath("needy.py").write_text("import not_installed")
    sys.path.insert(0, str(tmp_path))
    try:
        with pytest.raises(ModuleNotFoundError, match="not_installed"):
            load_module("needy", str(tmp_path / "needy.py"))
    finally:
        sys.path.remove(str(tmp_path))


def test_the_caller_of_a_library_is_known(make_module):
    """However many functions of it are between."""
    library = make_module(
        """
        from autocron.integration import caller_outside
        import sys

        def outer():
            return inner()

        def inner():
            return sys.modules["integrating"].ask(sys.modules[__name__])
        """,
        "library",
    )
    make_module("from autocron.integration import caller_outside as ask\n", "integrating")
    assert library.outer() == __name__
    assert caller_outside(sys.modules["integrating"]) == "__main__"


def test_workers_start_with_the_first_request_of_a_server():
    """Those of test clients do not name one. What fails is tried again with the next request, what succeeds is not."""
    outcomes = iter([ZeroDivisionError, None])
    started = []

    def start():
        started.append(1)
        error = next(outcomes)
        if error is not None:
            raise error

    first_request = FirstRequest(start)
    of_server = {"SERVER_SOFTWARE": "waitress", "REQUEST_METHOD": "GET"}
    first_request.see({"REQUEST_METHOD": "GET"})
    assert not started
    with pytest.raises(ZeroDivisionError):
        first_request.see(of_server)
    for _ in range(2):
        first_request.see(of_server)
    assert len(started) == 2


# Settings -------------------------------------------------------------------------------------


def test_settings_are_read_from_a_frameworks_configuration(tmp_path):
    """Those with the prefix, in the manner of the framework."""
    configuration = {"AUTOCRON_WORKERS": 2, "AUTOCRON_APP": "x:y", "SECRET": 1}
    given = read_settings(configuration, "AUTOCRON_", tmp_path, apart={"AUTOCRON_APP"})
    assert given == {"workers": 2, "database": tmp_path / "autocron.db"}
    assert read_settings({"autocron.database": "/a/b.db"}, "autocron.", tmp_path) == {
        "database": Path("/a/b.db")
    }


def test_a_path_that_is_wrong_is_told_as_it_is_written(tmp_path):
    """And not as what would become of it."""
    with pytest.raises(SettingsError, match=r"autocron\.database=':memory:'"):
        read_settings({"autocron.database": ":memory:"}, "autocron.", tmp_path)
