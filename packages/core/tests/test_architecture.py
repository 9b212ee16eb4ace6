"""The plan of the house, enforced: who may know whom, and how large and how quiet things are.

A row may use itself and the rows above it. What is imported inside a function or for type checkers
only counts like everything else: it is knowledge all the same.
"""

import ast
import inspect
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import autocron

SOURCE = Path(autocron.__file__).parent

ROWS = [
    {"errors", "model", "model_admin", "policy", "clock", "zones", "settings", "events", "codec"},
    {"scheduling"},
    {"tasks", "decorators", "results", "registry", "options", "coroutines", "current"},
    {"stores", "private"},
    {"running"},
    {"processes"},
    {
        *(
            "app",
            "integration",
            "client",
            "outbox",
            "writer",
            "listener",
            "inline",
            "commits",
            "administration",
        ),
        *("supervisor_process", "worker_process"),
    },
    {"asgi", "cli", "testing", "boot", "__main__", "__init__"},
]

EXCEPTIONS = {
    ("processes.spawn", "__init__"): "asks only for the path of the package, to find boot.py in it",
}

NOT_STANDARD = {"testing": {"pytest", "httpx"}}
"""What else may be imported, by room: the core itself needs nothing but Python."""

LONGEST_FUNCTION = 40
LONGEST_MODULE = 450


@cache
def modules():
    """Return the syntax trees of all modules, by name below `autocron`."""
    trees = {}
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        trees[name] = ast.parse(file.read_text(), str(file))
    return trees


def room(module):
    """Return the first part of a module's name."""
    return module.partition(".")[0]


def row(module):
    """Return the number of the row that a module belongs to."""
    return next(number for number, rooms in enumerate(ROWS) if room(module) in rooms)


def imported_names(tree):
    """Return the full names of all that a module imports, wherever in it that is done."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_module(name):
    """Return which of our modules an imported name leads to, or None."""
    if name.partition(".")[0] != "autocron":
        return None
    below = name.partition(".")[2]
    while below and below not in modules():
        below = below.rpartition(".")[0]
    return below or "__init__"


@cache
def knowledge():
    """Return for each module the modules that it imports."""
    return {
        module: {own_module(name) for name in imported_names(tree)} - {None}
        for module, tree in modules().items()
    }


def functions():
    """Return all functions with the module that they are in."""
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


# Who may know whom ----------------------------------------------------------------------------


def test_every_room_is_in_the_plan():
    """Each module belongs to one row, and the plan has no room twice."""
    rooms = [name for row in ROWS for name in row]
    assert len(rooms) == len(set(rooms))
    assert {room(module) for module in modules()} <= set(rooms)


def test_no_module_imports_from_a_row_below():
    """A module uses only its own row and those above."""
    wrong = [
        f"{module} imports {known}"
        for module, known_modules in knowledge().items()
        for known in known_modules
        if row(known) > row(module) and (module, known) not in EXCEPTIONS
    ]
    assert wrong == []


def test_every_exception_is_needed():
    """No exception is left over from earlier times."""
    assert [pair for pair in EXCEPTIONS if pair[1] not in knowledge()[pair[0]]] == []


def test_there_are_no_import_cycles():
    """The modules can be put into an order in which each imports only earlier ones."""
    remaining = {
        module: {known for known in known_modules if (module, known) not in EXCEPTIONS} - {module}
        for module, known_modules in knowledge().items()
    }
    while free := {module for module, known in remaining.items() if not known}:
        remaining = {
            module: known - free for module, known in remaining.items() if module not in free
        }
    assert remaining == {}


@pytest.mark.parametrize("first", ["stores", "tasks", "running.executor"])
@pytest.mark.parametrize("second", ["stores", "tasks", "running.executor"])
def test_stores_tasks_and_executor_do_not_know_each_other(first, second):
    """None of the three imports another, nor anything that does."""
    if first == second:
        return
    reached = {module for module in modules() if f"{module}.".startswith(f"{first}.")}
    while further := set().union(*(knowledge()[module] for module in reached)) - reached:
        reached |= further
    assert not [module for module in reached if f"{module}.".startswith(f"{second}.")]


def test_sqlite3_is_imported_in_one_module():
    """Which database driver it is stays the secret of one module."""
    users = [module for module, tree in modules().items() if "sqlite3" in set(imported_names(tree))]
    assert users == ["stores.sqlite.database"]


def test_nothing_can_load_what_it_would_have_to_execute():
    """No module imports `pickle`, or anything that stores by it or by what the interpreter executes."""
    unwanted = {
        "pickle",
        "cPickle",
        "_pickle",
        "shelve",
        "marshal",
        "multiprocessing",
        "dbm",
        "copyreg",
    }
    assert [
        (module, name)
        for module, tree in modules().items()
        for name in imported_names(tree)
        if name.partition(".")[0] in unwanted
    ] == []


def test_the_core_needs_nothing_but_the_standard_library():
    """No other package is imported, not even where it would be optional."""
    foreign = {
        (module, top)
        for module, tree in modules().items()
        for top in {name.partition(".")[0] for name in imported_names(tree)}
        if top not in sys.stdlib_module_names | {"autocron"}
        and top not in NOT_STANDARD.get(room(module), ())
    }
    assert foreign == set()


# How large things are -------------------------------------------------------------------------


def test_functions_can_be_read_at_a_glance():
    """No function has more than 40 lines after its docstring."""
    long = []
    for module, function in functions():
        has_docstring = ast.get_docstring(function) is not None
        body = function.body[1:] if has_docstring else function.body
        if body and body[-1].end_lineno - body[0].lineno >= LONGEST_FUNCTION:
            long.append(f"{module}.{function.name}")
    assert long == []


def test_modules_have_one_concern():
    """No module has more than 450 lines."""
    files = SOURCE.rglob("*.py")
    assert [file for file in files if len(file.read_text().splitlines()) > LONGEST_MODULE] == []


def test_every_broad_except_says_why():
    """Who catches everything and goes on says in that line which boundary this is."""
    silent = []
    for module, tree in modules().items():
        lines = SOURCE.joinpath(*tree_path(module)).read_text().splitlines()
        silent += [
            f"{module}:{handler.lineno}"
            for handler in ast.walk(tree)
            if isinstance(handler, ast.ExceptHandler)
            and is_broad(handler)
            and not isinstance(handler.body[-1], ast.Raise)
            and "#" not in lines[handler.lineno - 1]
        ]
    assert silent == []


def tree_path(module):
    """Return the parts of the path of a module's file."""
    parts = module.split(".")
    if SOURCE.joinpath(*parts).is_dir():
        return [*parts, "__init__.py"]
    return [*parts[:-1], f"{parts[-1]}.py"]


def is_broad(handler):
    """Whether a handler catches more than one could have named."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or getattr(kind, "id", "") in {"Exception", "BaseException"} for kind in kinds
    )


# What users see -------------------------------------------------------------------------------


def test_every_public_name_is_documented():
    """What `autocron` offers has a docstring, and so has every public method of it."""
    undocumented = []
    for name in autocron.__all__:
        thing = getattr(autocron, name)
        if not inspect.getdoc(thing):
            undocumented.append(name)
        for attribute, value in vars(thing).items() if inspect.isclass(thing) else ():
            is_method = inspect.isfunction(value) or isinstance(value, property | classmethod)
            if is_method and not attribute.startswith("_") and not inspect.getdoc(value):
                undocumented.append(f"{name}.{attribute}")
    assert undocumented == []


IMPORT_AND_LOOK_AROUND = """
import logging, os, signal, sys, threading

def surroundings():
    return (
        threading.enumerate(),
        [signal.getsignal(number) for number in signal.valid_signals()],
        dict(os.environ), os.getcwd(), os.umask(os.umask(0o22)),
        logging.getLogger().handlers[:],
        logging.getLogger().manager.disable, logging.getLogger().level,
        sys.excepthook, threading.excepthook, sys.path[:],
        sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None,
    )

def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        is_code = str(path).endswith((".py", ".pyc"))
        if is_code and not flags & (os.O_WRONLY | os.O_RDWR):
            return
        if isinstance(path, int):
            return
    elif not event.startswith(("socket.", "sqlite3.", "subprocess.", "os.fork", "os.mkdir",
                               "_thread.start", "os.putenv", "os.chdir", "os.remove", "ctypes.")):
        return
    happened.append((event, arguments))

happened = []
before = surroundings()
sys.addaudithook(watch)
import autocron
found = happened[:]
assert not found, found
after = surroundings()
assert before == after, [pair for pair in zip(before, after) if pair[0] != pair[1]]
own = logging.getLogger("autocron")
assert not own.handlers and own.level == logging.NOTSET and own.propagate
"""


def test_importing_it_does_nothing():
    """`import autocron` starts no thread, opens no file or socket, and changes nothing around."""
    program = [sys.executable, "-B", "-c", IMPORT_AND_LOOK_AROUND]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
