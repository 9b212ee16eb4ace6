import inspect

import pytest

import autocron
from autocron import registry
from autocron.errors import InvalidOption, InvalidSchedule, InvalidTask
from autocron.model import Options, Schedule


def schedule_of(task):
    """Return the registered schedule of a task."""
    (found,) = [each for each in registry.schedules() if each.task == task.name]
    return found


def test_delay_works_bare_and_with_arguments(make_module):
    """`@delay`, `@delay()` and `@delay(...)` all give a task."""
    module = make_module(
        """
        import autocron

        @autocron.delay
        def bare(): ...

        @autocron.delay()
        def empty(): ...

        @autocron.delay(minutes=1, seconds=30, retries=3, ttl=60, queue="mail", priority=-5)
        def full(): ...
        """
    )
    assert module.bare.defaults == module.empty.defaults == Options()
    assert module.full.defaults == Options(
        delay=90.0, retries=3, ttl=60.0, queue="mail", priority=-5
    )


def test_a_task_looks_like_its_function(make_module):
    """Name, docstring, module, signature and the function itself can be had from the task."""
    module = make_module(
        '''
        import autocron

        @autocron.delay
        def send(to: str, *, copies: int = 1) -> int:
            """Send."""
            return copies
        '''
    )
    task = module.send
    assert (task.__name__, task.__doc__, task.__module__) == ("send", "Send.", "tasks_of_test")
    assert list(inspect.signature(task).parameters) == ["to", "copies"]
    assert task.function("a", copies=2) == 2
    assert repr(task) == "<autocron.Task tasks_of_test.send>"


def test_a_misspelt_option_is_a_type_error():
    """As with any function of Python, and at decoration."""
    with pytest.raises(TypeError, match=r"keyword argument 'retry' \(did you mean retries\?\)"):
        autocron.delay(retry=3)
    with pytest.raises(TypeError):
        autocron.every(second=3)
    with pytest.raises(TypeError, match=r"^cron\(\) got .* 'minute' \(did you mean minutes\?\)"):
        autocron.cron(minute=[3])


def test_an_impossible_option_is_an_error_at_decoration():
    """Nothing has to be called to learn of it."""
    with pytest.raises(InvalidOption, match="retries=-1"):
        autocron.delay(retries=-1)
    with pytest.raises(InvalidSchedule, match="hour '25'"):
        autocron.cron("0 25 * * *")
    with pytest.raises(InvalidSchedule, match="start_now 1: must be True or False"):
        autocron.every(seconds=1, start_now=1)
    with pytest.raises(InvalidSchedule, match="give either an expression or lists"):
        autocron.cron("@daily", minutes=[1])


def test_cron_takes_all_its_forms(make_module):
    """Bare, without arguments, with an expression, and with lists."""
    module = make_module(
        """
        import autocron

        @autocron.cron
        def bare(): ...

        @autocron.cron()
        def empty(): ...

        @autocron.cron("30 7 * * mon-fri")
        def expression(): ...

        @autocron.cron(minutes=[30], hours=[7], days_of_week=[0, "sun"])
        def lists(): ...

        @autocron.every(minutes=5, start_now=True)
        def interval(): ...
        """
    )
    rules = {name: schedule_of(getattr(module, name)).rule for name in ("bare", "empty", "lists")}
    assert rules == {
        "bare": "cron * * * * *",
        "empty": "cron * * * * *",
        "lists": "cron 30 7 * * 1,sun",
    }
    assert schedule_of(module.expression).rule == "cron 30 7 * * mon-fri"
    name = "tasks_of_test.interval"
    assert schedule_of(module.interval) == Schedule(name, name, "every 300", start_now=True)


def test_a_schedule_keeps_the_options_of_its_task(make_module):
    """`cron` or `every` above `delay` schedules that task, with its retries, queue and so on."""
    module = make_module(
        """
        import autocron

        @autocron.cron("@daily")
        @autocron.delay(retries=3, queue="night", ttl=5)
        def report(): ...
        """
    )
    assert schedule_of(module.report).options == Options(retries=3, queue="night", ttl=5.0)
    assert registry.find_task("tasks_of_test.report") is module.report


@pytest.mark.parametrize("parameters", ["to", "to, copies=1", "*, to"])
@pytest.mark.parametrize("decorator", ["cron", "every(seconds=1)", "cron('@daily')"])
def test_a_schedule_needs_no_arguments(make_module, decorator, parameters):
    """Nobody could give them."""
    with pytest.raises(InvalidTask, match=r"f cannot be a task: .*called without arguments"):
        make_module(f"import autocron\n@autocron.{decorator}\ndef f({parameters}): ...\n")


@pytest.mark.parametrize("parameters", ["", "copies=1", "*args, **kwargs"])
def test_a_schedule_may_have_optional_arguments(make_module, parameters):
    """They have their defaults."""
    module = make_module(f"import autocron\n@autocron.cron\ndef f({parameters}): ...\n")
    assert schedule_of(module.f).task == "tasks_of_test.f"
