"""The tree of errors: one class per cause, each with a message that says what to do next."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any, ClassVar

from autocron.clock import HUNDRED_YEARS

_LONGEST_VALUE = 200


def shown(value: Any) -> str:
    """Return a value as an error shows it: its `repr`, unless that is long or fails.

    Example:
        >>> shown("5"), shown([0] * 1000)[-9:]
        ("'5'", ', 0, 0...')
    """
    try:
        text = repr(value)
    except Exception:  # the application's own __repr__, or an integer that is too long for one
        return f"<{type(value).__qualname__}>"
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return which of the known names is most likely meant by a wrong one, or None.

    Example:
        >>> nearest("retry", ["retries", "queue"]), nearest("colour", ["retries", "queue"])
        ('retries', None)
    """
    from difflib import get_close_matches  # slow to import, and seldom needed

    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else None


class _Words(string.Formatter):
    """Formats messages such that no value can spoil them."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return shown(value) if conversion == "r" else super().convert_field(value, conversion)


class AutocronError(Exception):
    """The root of all errors that autocron raises.

    Example:
        >>> try:  # doctest: +ELLIPSIS
        ...     raise NotStarted()
        ... except AutocronError as error:
        ...     print(error)
        autocron is not started in this process: call autocron.start("project.db") first, or set up ...
    """

    message: ClassVar[str] = "{reason}"

    def __init__(self, **details: Any) -> None:
        super().__init__(_Words().format(self.message, **details))
        self.details = details


# Using autocron -----------------------------------------------------------------------------


class NotStarted(AutocronError):
    """Something needs the database, and no `start()` has named one."""

    message = (
        'autocron is not started in this process: call autocron.start("project.db") first, '
        "or set up the extension of your framework."
    )


class AppNotFound(AutocronError, LookupError):
    """A worker has imported what the web process has, and found no app of the framework that uses its database."""

    message = (
        "no app that uses this database was found in {places}{reasons}. Set {setting} to where the "
        'workers find it, as {example}. What is made only under `if __name__ == "__main__":` they do not have.'
    )


class AlreadyStarted(AutocronError):
    """`start()` was called a second time, with another database or other settings."""

    message = (
        "autocron is already started with {running}, so {asked} cannot be used: "
        "call start() once with all its settings, or call autocron.stop() first."
    )


class StartedTwice(AlreadyStarted):
    """`start()` was called by an application that has the extension of a framework."""

    message = (
        "both autocron.start() and the extension of a framework would start autocron: remove "
        "autocron.start(), and put its settings into the framework's configuration."
    )


class SettingsError(AutocronError, ValueError):
    """One or more settings are wrong; all of them are reported at once."""

    message = "{reason}"

    def __init__(self, problems: list[str]) -> None:
        super().__init__(reason="; ".join(problems))
        self.problems = problems


class InvalidOption(AutocronError, ValueError):
    """An option of a decorator or of a call is not possible."""

    message = "{option}={value!r}: {reason}"


class InvalidSchedule(AutocronError, ValueError):
    """A schedule's rule cannot be understood, or can never be due."""

    message = "{field} {value!r}: {reason}"


class UnknownSchedule(AutocronError, LookupError):
    """There is no schedule of that name in the database."""

    message = (
        "there is no schedule {name!r} ({hint}): it has the name of its module and function, and is known as "
        "soon as a worker has imported it; the verb `schedules` of the admin tool lists them."
    )


class UnknownQueue(AutocronError, LookupError):
    """No job has ever been put into a queue of that name."""

    message = "there is no queue {name!r} ({hint}): one is known as soon as a job was put into it."


class RetiredSchedule(AutocronError):
    """The code that the workers have imported does not have the schedule any more."""

    message = "{name} is retired: the code that the workers run does not have it any more."


class InvalidTask(AutocronError, TypeError):
    """A function cannot be made a task."""

    message = "{function} cannot be a task: {reason}"


class UnsupportedValue(AutocronError, TypeError):
    """An argument or a result is of a type that cannot be stored."""

    message = (
        "{where} holds an instance of {type}, which cannot be stored ({reason}): pass plain values "
        "(JSON types, datetime, date, time, timedelta, Decimal, UUID, bytes, tuple, set, Path), "
        "or something to look the object up by, such as its primary key."
    )


class UnreadableValue(AutocronError, ValueError):
    """Stored arguments or a stored result cannot be read back."""

    message = "stored value cannot be read ({reason}): it was written by something else."


# Waiting for jobs ---------------------------------------------------------------------------


class NotCommitted(AutocronError):
    """A job is stored when a transaction commits, and is waited for in that transaction."""

    message = (
        "job {id} is stored when the transaction commits in which {task} was called: wait for it after that, "
        "or call the task with enqueue_on_commit=False"
    )


class RolledBack(AutocronError):
    """A job was to be stored when a transaction commits, and that was rolled back."""

    message = (
        "the transaction was rolled back in which {task} was called, so there is no job {id}; a call that is "
        "to be stored all the same has enqueue_on_commit=False"
    )


class UnknownJob(AutocronError, LookupError):
    """There is no such job; it may have been deleted after its time to live."""

    message = (
        "there is no job {id}: it never existed, or its outcome was deleted after its time to "
        "live (set ttl= to keep outcomes for longer)."
    )


class AmbiguousJob(AutocronError, LookupError):
    """A part of an id was given, and several jobs have it."""

    message = (
        "several jobs have {part} in their ids, among them {first} and {second}: give more of it."
    )


class NotRetryable(AutocronError):
    """A job that waits, runs, or has succeeded cannot begin anew."""

    message = "job {id} is {status}: only one that has ended as ERROR or CANCELLED can begin anew."


class JobFailed(AutocronError):
    """The job that was waited for ended with an error."""

    message = "job {id} ({task}) failed: {error}"


class JobCancelled(AutocronError):
    """The job that was waited for was cancelled."""

    message = "job {id} ({task}) was cancelled."


class WaitTimeout(AutocronError, TimeoutError):
    """The job did not end in the time given to `wait()`."""

    message = "job {id} did not end within {timeout:g} s: wait for longer, or ask again later."


class TaskNotFound(AutocronError, LookupError):
    """A stored job names a task that the worker's code does not have."""

    message = (
        "there is no task {task} in the code that the worker runs: was it renamed or removed, "
        "or is its module not imported by the app? ({reason})"
    )


class ArgumentsMismatch(AutocronError, TypeError):
    """The stored arguments of a job do not fit the function that the worker's code has."""

    message = (
        "the stored arguments do not fit {task} ({reason}): was it changed since the call? "
        "Have it take them, and let the job begin anew with the verb `retry` of the admin tool."
    )


# Raised in tasks ------------------------------------------------------------------------------


class Retry(Exception):
    """Raised by a task to have its job tried again, however many retries it has left.

    Args:
        after: in how many seconds, 0 to 100 years; None for the pause of the option `backoff`.
        reason: kept with the attempt.

    Raises:
        InvalidOption: that is not possible.

    Example:
        ```python
        @autocron.delay
        def fetch(url):
            answer = httpx.get(url)
            if answer.status_code == 429:
                raise autocron.Retry(after=float(answer.headers["retry-after"]))
        ```
    """

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        is_number = isinstance(after, int | float) and not isinstance(after, bool)
        if after is not None and not (is_number and 0 <= after <= HUNDRED_YEARS):
            allowed = (
                f"must be a number of seconds from 0 to {HUNDRED_YEARS:.0f} (100 years), or None"
            )
            raise InvalidOption(option="after", value=after, reason=allowed)
        super().__init__(*([reason] if reason else []))
        self.after = after


class Cancel(Exception):
    """Raised by a task to end its job as `CANCELLED`: it is not tried again.

    Example:
        ```python
        @autocron.delay(retries=5)
        def remind(order_id):
            if not is_open(order_id):
                raise autocron.Cancel("the order was withdrawn")
        ```
    """


class JobInterrupt(BaseException):
    """Raised in a task that is to end at once, in whatever it is doing.

    No `Exception`, so that what handles any error of the task's own work lets it through. The task
    may tidy up for the time that the setting `kill_after` gives; then its worker is killed.
    """


class TimeLimitExceeded(JobInterrupt):
    """The task has run for longer than its `timeout`."""


class JobStopped(JobInterrupt):
    """The job was cancelled by force."""


def kinds_of(error: type[BaseException]) -> tuple[str, ...]:
    """Return the names of an exception's class and of those that it is derived from, as `module.Class`.

    Example:
        >>> kinds_of(ConnectionResetError)[:3]
        ('builtins.ConnectionResetError', 'builtins.ConnectionError', 'builtins.OSError')
    """
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in error.__mro__[:-1]]
    # A program's main module has another name in its workers.
    return tuple(name.replace("__mp_main__.", "__main__.", 1) for name in kinds)


# The database -------------------------------------------------------------------------------


class StoreError(AutocronError):
    """The database cannot be used, or could not do what was asked."""

    message = "{path}: {reason}"


class DatabaseUnusable(StoreError):
    """The path cannot hold a database: a directory, not writable, or not SQLite."""


class NewerSchema(StoreError):
    """The database was written by a newer version of autocron."""

    message = (
        "{path} has schema version {found}, and this autocron knows versions up to {known}: "
        "install the autocron that wrote it (or a newer one), or use another database."
    )


class StoreBusy(StoreError):
    """Another program kept the database locked for longer than `busy_timeout`."""

    message = (
        "{path} was locked by another program for more than {seconds:g} s: find out who holds it "
        "(a long transaction, a backup, an open database browser), or raise busy_timeout."
    )


class NotConfirmed(AutocronError):
    """What cannot be undone was not said to be meant, and nothing was changed."""

    message = "{reason}: nothing was changed."


class CommandError(AutocronError):
    """The command cannot do what was asked; says why."""

    message = "{reason}"


class UsageError(CommandError):
    """The command line is wrong; shows how it is meant to be."""

    message = "{usage}{prog}: error: {reason}"


class UnsupportedPlatform(AutocronError):
    """This system lacks something that autocron is built on."""

    message = "autocron cannot run here: {reason}"
