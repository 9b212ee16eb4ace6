import ast
import logging
import string
from pathlib import Path

import pytest

import autocron
from autocron import events
from autocron.processes.log import LINES, start_logging, write

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
    assert (record.name, record.levelno) == ("autocron", logging.DEBUG)


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
