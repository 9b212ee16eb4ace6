import asyncio
from collections import UserDict
from datetime import datetime, timezone

import pytest

import autocron
from autocron.codec import decode_arguments
from autocron.errors import ArgumentsMismatch, InvalidOption, UnsupportedValue
from autocron.model import Options
from autocron.tasks import Task

TEXT = """
import autocron

@autocron.delay(retries=2)
def send(to, *more, copies=1, **rest):
    return [to, *more, copies, rest]

@autocron.delay
async def fetch(url):
    return url.upper()

@autocron.delay
def one(value):
    return value
"""


@pytest.fixture
def tasks(make_module):
    """Return a module with tasks."""
    return make_module(TEXT)


def stored(result):
    """Return the arguments that a job was stored with."""
    return decode_arguments(autocron.result(result.id)._job().arguments)


def test_a_call_stores_a_job(tasks, started):
    """The job has the task's name, its options and the arguments, and waits."""
    result = tasks.send("a", "b", copies=3, colour="red")
    (job,) = started.jobs()
    assert (job.id, job.task, job.status) == (result.id, "tasks_of_test.send", "WAITING")
    assert (job.retries, job.attempt, job.run_at) == (2, 0, None)
    assert stored(result) == (["a", "b"], {"copies": 3, "colour": "red"})


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"one\(\) missing 1 required positional argument: 'value'"),
        ((1, 2), {}, "takes 1 positional argument but 2 were given"),
        ((1,), {"value": 2}, "multiple values for argument 'value'"),
        ((1,), {"colour": 2}, "unexpected keyword argument 'colour'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_the_caller(tasks, started, args, kwargs, message):
    """A call that could only fail in the worker is a `TypeError` where it is made."""
    with pytest.raises(TypeError, match=message):
        tasks.one(*args, **kwargs)
    assert started.jobs() == []


def test_an_argument_that_cannot_be_stored_is_named(tasks, started):
    """The error says which argument it is, and nothing is stored."""
    with pytest.raises(UnsupportedValue, match="argument to holds"):
        tasks.send(object())
    with pytest.raises(UnsupportedValue, match="argument copies holds"):
        tasks.send("a", copies=object())
    assert started.jobs() == []


def test_options_make_another_task(tasks, started):
    """Options for one call do not change the task, and what is not given stays as it is."""
    urgent = tasks.send.options(priority=9, seconds=30)
    assert urgent.defaults == Options(delay=30.0, retries=2, priority=9)
    assert tasks.send.defaults == Options(retries=2)
    urgent("a")
    tasks.send("b")
    second, first = started.jobs()
    assert (first.priority, first.retries) == (9, 2)
    assert first.run_at == first.enqueued_at + 30
    assert (second.priority, second.run_at) == (0, None)


def test_options_can_be_chained_and_take_a_moment(tasks):
    """Each call of `options` changes what it is given."""
    moment = datetime(2030, 1, 1, tzinfo=timezone.utc)
    both = tasks.send.options(retries=5).options(schedule=moment, ttl=1, queue="x")
    assert both.defaults == Options(run_at=moment.timestamp(), retries=5, ttl=1.0, queue="x")


def test_impossible_options_are_refused(tasks):
    """They are named, and unknown ones are a `TypeError`."""
    with pytest.raises(InvalidOption, match="retries=True"):
        tasks.send.options(retries=True)
    with pytest.raises(TypeError):
        tasks.send.options(retry=1)


def test_many_are_stored_in_order(tasks, started):
    """Items are tuples of positional or mappings of keyword arguments, from any iterable."""
    items = [("a",), {"to": "b", "copies": 2}, UserDict(to="c"), ("d", "e")]
    results = tasks.send.enqueue_many(iter(items))
    assert [stored(result) for result in results] == [
        (["a"], {}),
        ([], {"to": "b", "copies": 2}),
        ([], {"to": "c"}),
        (["d", "e"], {}),
    ]
    assert [job.id for job in reversed(started.jobs())] == [result.id for result in results]
    assert tasks.send.enqueue_many([]) == []


@pytest.mark.parametrize("item", ["ab", ["a"], 5, None, {"a"}])
def test_other_items_are_refused_with_their_index(tasks, started, item):
    """A string or a list is not taken for a tuple; none of the jobs is stored."""
    with pytest.raises(TypeError, match=r"item 1 of enqueue_many\(\) is of type .*give a tuple"):
        tasks.one.enqueue_many([("fine",), item])
    assert started.jobs() == []


def test_an_item_that_does_not_fit_is_refused_with_its_index(tasks, started):
    """Among a thousand items the error says which one it is."""
    with pytest.raises(TypeError, match=r"item 1 of enqueue_many\(\): one\(\) missing 1 required"):
        tasks.one.enqueue_many([("fine",), ()])
    with pytest.raises(UnsupportedValue, match=r"argument value"):
        tasks.one.enqueue_many([("fine",), (object(),)])
    assert started.jobs() == []


def test_call_is_the_function_itself(tasks):
    """`.call` runs it here and now, without any database; errors are the function's own."""
    assert tasks.send.call("a", copies=2) == ["a", 2, {}]
    with pytest.raises(TypeError):
        tasks.send.call()


def test_call_runs_async_functions_to_their_end(tasks):
    """An `async def` task gives its value and not a coroutine."""
    assert tasks.fetch.call("x") == "X"


def test_call_in_an_event_loop_gives_the_value_too(tasks):
    """A caller that is in a loop waits as any other does."""

    async def handler():
        return tasks.fetch.call("x")

    assert asyncio.run(handler()) == "X"


def with_context(context, a, b=0, *more, c=0):
    """What an adapter calls with something of its own."""
    return context, a, b, more, c


def test_an_adapter_may_fill_in_the_first_parameters():
    """Callers do not give them, and are not asked for them; messages name the others rightly."""
    task = Task(with_context, "shop.with_context", Options(), filled=1)
    assert task.parameters == ["a", "b"]
    assert decode_arguments(task.job((1,), {"c": 2}).arguments) == ([1], {"c": 2})
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        task.job((), {})
    with pytest.raises(UnsupportedValue, match="argument a "):
        task.job((object(),), {})
    task.check_stored((1, 2), {})
    with pytest.raises(ArgumentsMismatch):
        task.check_stored((), {})


def test_a_call_can_be_made_a_job_with_other_options():
    """Those of its task stay as they are."""
    task = Task(with_context, "shop.with_context", Options(retries=3), filled=1)
    assert task.job((1,), {}).options.retries == 3
    assert task.job((1,), {}, Options(priority=5)).options == Options(priority=5)
    assert task.defaults == Options(retries=3)
