import ast
import logging
import re
import string
from pathlib import Path

import pytest

import autocron
from autocron import events
from autocron.processes.log import LINES, is_logged, start_logging, write

SOURCE = Path(autocron.__file__).parent


def emitted():
    """Return all events that the code emits, each with the names of its details."""
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "events.emit":
                details = {keyword.arg for keyword in node.keywords}
                for name in sorted(names_of(node.args[0], tree)):
                    yield name, details
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Outage":
                details = {keyword.arg for keyword in node.keywords}
                failed, ended = (argument.value for argument in node.args)
                yield failed, {"error"} | details | told_by("failed", tree)
                yield ended, {"seconds"} | details | told_by("ended", tree)


def told_by(method, tree):
    """Return the details that an outage is told in a module when it fails, or ends."""
    return {
        keyword.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f"outage.{method}")
        for keyword in node.keywords
    }


def names_of(argument, tree):
    """Return the events that an argument stands for: itself, or what is assigned to the name."""
    if isinstance(argument, ast.Constant):
        return {argument.value}
    return {
        constant.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ast.unparse(argument)
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant)
    }


def test_every_event_has_its_words():
    """The wording knows all events that the code emits, and none that it does not."""
    assert {name for name, _ in emitted()} == set(LINES)


@pytest.mark.parametrize(("name", "details"), list(emitted()), ids=[name for name, _ in emitted()])
def test_the_words_use_what_the_event_tells(name, details):
    """No line asks for a detail that the event does not have."""
    level, words = LINES[name]
    used = {field.split(")")[0] for field in words.split("%(")[1:]}
    assert used <= details
    assert level in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}
    assert not list(filter(None, (field for _, field, _, _ in string.Formatter().parse(words))))


def test_a_line_carries_its_event(caplog):
    """Structured logs find the name and the details in the record."""
    with caplog.at_level(logging.DEBUG, "autocron"):
        write("job.done", {"id": "1", "task": "shop.mail", "seconds": 0.5})
    (record,) = caplog.records
    assert record.getMessage() == "job 1 (shop.mail) done in 0.500 s"
    assert record.autocron_event == "job.done"
    assert record.autocron == {"id": "1", "task": "shop.mail", "seconds": 0.5}
    assert (record.name, record.levelno) == ("autocron", logging.INFO)


def test_a_level_that_is_off_costs_nothing(caplog):
    """Nothing is formatted that nobody wants."""
    with caplog.at_level(logging.WARNING, "autocron"):
        write("job.done", {})
    assert not caplog.records


def test_logging_is_started_once():
    """However often it is asked for, each event makes one line."""
    start_logging()
    count = len(events._subscribers)
    start_logging()
    assert len(events._subscribers) == count


def test_what_is_logged_depends_on_the_level(caplog):
    """Whoever has much to put together for an event can ask before."""
    with caplog.at_level(logging.INFO, "autocron"):
        assert is_logged("job.done")
        assert not is_logged("job.started")


# What happens to jobs in a process of the app -------------------------------------------------


@pytest.fixture
def lines(caplog):
    """A function that returns the lines of events since the last look, each with its name."""
    caplog.set_level(logging.DEBUG, "autocron")

    def look():
        found = [(record.autocron_event, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    return look


@pytest.fixture
def add(own_registry):
    """A task."""
    return autocron.delay(divmod)


def test_each_job_that_is_put_in_has_one_line(started, add, lines):
    """It says in which queue, and when the job is due."""
    job = add(1, 2)
    name = f"job {job.id} \\(builtins.divmod\\)"
    ((event, line),) = lines()
    assert event == "job.enqueued"
    assert re.fullmatch(rf"{name} enqueued in the queue default, due at once", line)
    add.options(seconds=60, queue="slow")(1, 2)
    ((_, line),) = lines()
    assert re.search(r"in the queue slow, due \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d$", line)


def test_a_cancelled_job_has_one_line(started, add, lines):
    """The first call that cancels it makes it, and no later one."""
    job = add(1, 2)
    lines()
    job.cancel()
    job.cancel()
    assert lines() == [("job.cancelled", f"job {job.id} (builtins.divmod) is cancelled")]


def test_a_job_that_is_asked_to_stop_has_a_line(started, add, lines, store):
    """What becomes of that its worker will tell."""
    job = add(1, 2)
    store.claim(1, 0.0)
    lines()
    job.cancel()
    words = f"job {job.id} (builtins.divmod) is running, and asked to stop"
    assert lines() == [("job.cancel_requested", words)]


# In supervisor and workers --------------------------------------------------------------------

OWN = """
import logging
import sys

from autocron import events
from autocron.processes.log import log_in_own_process, start_logging

start_logging()
log_in_own_process(sys.argv[1])
exec(sys.argv[2])
events.emit("job.started", id="1", task="shop.mail", attempt=1)
events.emit("job.done", id="1", task="shop.mail", seconds=0.5)
events.emit("job.lost", id="1", task="shop.mail")
events.emit("job.failed", id="1", task="shop.mail", error="E", traceback="T")
shop = logging.getLogger("shop")
shop.info("of the shop, as information")
shop.warning("of the shop, as a %s", "warning")
"""

OF_SHOP = "WARNING shop: of the shop, as a warning"
LEVELS = {"DEBUG": "started", "INFO": "done in", "WARNING": "was taken", "ERROR": "failed: E"}


def logged(run_program, level, configuration="pass"):
    """Return the lines of such a process without time and number, each of which must be there."""
    text = run_program(OWN, level, configuration).stderr
    assert "Traceback" not in text
    stamp = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+ \w+)\[\d+\]"
    lines = [re.sub(stamp, r"\1", line) for line in text.splitlines()]
    assert all(re.match(r"[A-Z]+ \w+: |T$", line) for line in lines), text
    return lines


@pytest.mark.parametrize("level", LEVELS)
def test_own_processes_log_from_a_level_on(run_program, level):
    """With time, level and process; the application's own lines are seen from warnings on as ever."""
    *lines, traceback, of_shop = logged(run_program, level.lower())
    seen = list(LEVELS)[list(LEVELS).index(level) :]
    assert [line.split()[0] for line in lines] == seen
    assert all(LEVELS[name] in line for name, line in zip(seen, lines, strict=True))
    assert (traceback, of_shop) == ("T", OF_SHOP)


def test_the_level_that_the_application_sets_wins(run_program):
    """It knows best what it wants to see of a library."""
    configuration = "logging.getLogger('autocron').setLevel('ERROR')"
    assert logged(run_program, "debug", configuration)[0].startswith("ERROR autocron: job 1")


def test_by_itself_the_level_is_that_of_the_application(run_program):
    """One that is set for all loggers holds for this one, too, unless the setting says otherwise."""
    configuration = "logging.getLogger().setLevel('INFO')"
    lines = logged(run_program, "warning", configuration)
    assert lines[0].startswith("INFO autocron: job 1 (shop.mail) done")
    assert [line for line in lines if "shop: " in line] == [OF_SHOP]
    assert logged(run_program, "error", configuration)[0].startswith("ERROR autocron")


def test_the_handlers_of_the_application_win(run_program):
    """Where there are any, each line is written by them, and only by them."""
    configuration = "logging.basicConfig(format='theirs %(message)s')"
    done = run_program(OWN, "info", configuration)
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        *["theirs"] * 3,
        "T",
        "theirs",
    ]


def test_a_line_that_cannot_be_written_does_no_harm(run_program):
    """It is the application's mistake, and Python says so as ever."""
    done = run_program(OWN + "shop.warning('%d', 'none')\nprint('goes on')", "info", "pass")
    assert done.stdout == "goes on\n"
    assert "--- Logging error ---" in done.stderr
