"""All adapters are made alike, and are short."""

import ast

import pytest

FRAMEWORKS = ("bottle", "django", "flask", "pyramid")
MODULES = {"__init__.py", "extension.py", "integration.py", "serving.py"}
MORE_THAN_AN_ADAPTER = {
    # Django's own tasks, autotask's interface, and the pages of the admin
    "django": {"backend.py", "tasks.py", "base.py", "jobs.py", "schedules.py"}
}
LINES = 150


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """Each framework that has an adapter, in turn."""
    return request.param


@pytest.fixture
def folder(root, framework):
    """The folder of its adapter."""
    return root / f"packages/{framework}-autocron"


def test_no_adapter_is_left_out(packages):
    """What is tested here is every package but the core."""
    assert [each.name for each in packages[1:]] == [f"{name}-autocron" for name in FRAMEWORKS]


def test_all_have_the_same_files(folder, framework):
    """Whoever knows one of them finds everything in the others."""
    found = {file.name for file in folder.glob(f"src/{framework}_autocron/*.py")}
    assert found >= MODULES
    tests = {file.name for file in folder.glob("tests/test_*.py")}
    assert tests >= {"test_contract.py", f"test_{framework}.py"}


def test_all_inherit_the_contract(folder):
    """And replace none of its tests."""
    module = ast.parse(folder.joinpath("tests/test_contract.py").read_text())
    [contract] = [part for part in module.body if isinstance(part, ast.ClassDef)]
    assert (contract.name, ast.unparse(*contract.bases)) == ("TestContract", "AdapterContract")
    own = {part.name for part in contract.body if isinstance(part, ast.FunctionDef)}
    assert own == {"name_of", "write_app"}


def test_all_are_short(folder, framework):
    """No module of an adapter is longer than what one reads at once."""
    lengths = {
        file.name: len(file.read_text().splitlines())
        for file in folder.glob("src/**/*.py")
        if file.name not in MORE_THAN_AN_ADAPTER.get(framework, ())
    }
    assert {name: lines for name, lines in lengths.items() if lines >= LINES} == {}
