"""Calls that are made in tests: kept apart to be looked at and run, or run in their callers."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, overload

from autocron import codec
from autocron.app import current_client, stand_in
from autocron.client import Client
from autocron.errors import NotStarted
from autocron.integration import Integration, ModuleIntegration
from autocron.model import Job, NewJob
from autocron.results import Result
from autocron.settings import Source
from autocron.tasks import Task

_MOST = 1_000_000


@dataclass(frozen=True)
class CapturedCall:
    """One call of a task."""

    id: str
    """That of its job, with which `autocron.result(id)` finds it within the block."""
    task: str
    """The task's name: its module and function."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    due: datetime | None
    """When it is to run, in UTC; None for at once."""
    queue: str
    priority: int


class CapturedCalls(Sequence[CapturedCall]):
    """The calls so far, the first one first.

    Example:
        ```python
        with autocron.testing.capture() as calls:
            client.post("/sign-up", data={"address": "a@example.org"})
        [call] = calls.of(send_mail)
        assert call.args == ("a@example.org", "Welcome!")
        ```
    """

    def __init__(self, client: Client) -> None:
        self._client: Client | None = client
        self._calls: list[CapturedCall] = []

    def of(self, task: Task[..., Any] | Callable[..., Any] | str) -> list[CapturedCall]:
        """Return the calls of one task.

        Args:
            task: the task, its function, or its name as in `module.function`, or only the end of that.
        """
        name = task if isinstance(task, str) else _name_of(task)
        return [call for call in self if f".{call.task}".endswith(f".{name}")]

    def __len__(self) -> int:
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> CapturedCall: ...

    @overload
    def __getitem__(self, index: slice) -> list[CapturedCall]: ...

    def __getitem__(self, index: int | slice) -> CapturedCall | list[CapturedCall]:
        return self._all()[index]

    def __repr__(self) -> str:
        return f"<autocron.testing.CapturedCalls {self._all()}>"

    def _all(self) -> list[CapturedCall]:
        if self._client is not None:
            self._client.flush()
            self._calls = [_call(job) for job in reversed(self._client.jobs(_MOST, None))]
        return self._calls

    def close(self) -> None:
        """Keep what there is: the database is going to be deleted."""
        self._all()
        self._client = None


def _name_of(task: Any) -> str:
    function = getattr(task, "function", None) or getattr(task, "func", None) or task
    return f"{function.__module__}.{function.__qualname__}"


def _call(job: Job) -> CapturedCall:
    args, kwargs = codec.decode_arguments(job.arguments)
    due = None if job.run_at is None else datetime.fromtimestamp(job.run_at, timezone.utc)
    return CapturedCall(job.id, job.task, tuple(args), kwargs, due, job.queue, job.priority)


@contextmanager
def capture() -> Iterator[CapturedCalls]:
    """Keep the calls of a block apart, in an empty database of their own that is deleted after it.

    Nothing runs, unless `drain()` is called within. All threads of the process are meant, such as those of
    a server that a test starts. Calls that a transaction holds back are there when it commits: Django's
    `TestCase` never does so, but for `captureOnCommitCallbacks(execute=True)`.

    Returns:
        A sequence of the calls, one `CapturedCall` for each, which stays after the block.

    Example:
        ```python
        with autocron.testing.capture() as calls:
            sign_up("a@example.org")
        assert [call.args for call in calls.of(send_mail)] == [("a@example.org",)]
        ```
    """
    with _temporary(Client, enabled=True) as client:
        calls = CapturedCalls(client)
        try:
            yield calls
        finally:
            calls.close()


@contextmanager
def eager(*, raise_errors: bool = True) -> Iterator[None]:
    """Have the calls of a block run in their callers at once, and return handles that are ready.

    Args:
        raise_errors: whether what a task raises is raised in its caller; or else only its handle tells.

    Example:
        ```python
        with autocron.testing.eager():
            sign_up("a@example.org")
        assert mailbox[0].to == "a@example.org"
        ```
    """
    kind = _RaisingClient if raise_errors else Client
    with _temporary(kind, enabled=False):
        yield


class _RaisingClient(Client):
    """Lets out what jobs raise that it runs itself."""

    _raised = threading.local()

    def _run_here(self, job: NewJob) -> Result[Any]:
        self._raised.error = None
        result = super()._run_here(job)
        error: BaseException | None = self._raised.error
        self._raised.error = None
        if error is not None:
            raise error
        return result

    def _tell_of_failure(self, job: Job) -> None:
        """Do nothing: the caller gets it."""

    @contextmanager
    def _context_here(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # the boundary around the application's code
            self._raised.error = error
            raise


@contextmanager
def _temporary(kind: type[Client], **settings: Any) -> Iterator[Client]:
    """Have all calls go to an empty database, with the settings of the application in all else."""
    integration, given = _application()
    with tempfile.TemporaryDirectory(prefix="autocron-") as folder:
        given |= {"database": Path(folder, "test.db"), "durability": "normal"}
        client = kind(integration, given | settings, autostart=False)
        before = stand_in(client)
        try:
            yield client
        finally:
            stand_in(before)
            client.stop()


def _application() -> tuple[Integration, dict[str, Any]]:
    """Return what is known of the application, which need not have been started."""
    try:
        client = current_client()
    except NotStarted:
        return ModuleIntegration({}), {}
    return client.integration, client.configured.values_of(Source.APP)
