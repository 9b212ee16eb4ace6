"""What a view gets from `request.autocron`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autocron.app import current_client, is_stood_in
from autocron.client import Client
from autocron.integration import find_task
from autocron.model import Job, JobStatus
from autocron.registry import name_of
from autocron.results import Result
from autocron.tasks import Task


class Background:
    """The jobs of the app that a request is for.

    Example:
        ```python
        job = request.autocron.enqueue(send_mail, "ann@example.org")
        request.autocron.result(job.id).status
        ```
    """

    def __init__(self, client: Client) -> None:
        self._connected = client

    @property
    def _client(self) -> Client:
        """That of the app, or what a test has put in its place."""
        return current_client() if is_stood_in() else self._connected

    def enqueue(self, task: Callable[..., Any] | str, *args: Any, **kwargs: Any) -> Result[Any]:
        """Hand a call over, and return its handle.

        Args:
            task: what is decorated, or was given to `config.add_autocron_task`; or its name.
            args: the arguments of the call.
            kwargs: the arguments of the call, by name.

        Raises:
            TaskNotFound: there is no such task.
        """
        if not isinstance(task, Task):
            found = find_task(task if isinstance(task, str) else name_of(task))
            assert isinstance(found, Task)
            task = found
        return self._client.dispatch([task.job(args, kwargs)])[0]

    def result(self, job_id: str) -> Result[Any]:
        """Return the handle on a job from its id."""
        return Result(job_id, self._client)

    def jobs(self, limit: int = 50, status: JobStatus | None = None) -> list[Job]:
        """Return the latest jobs of the app, newest first; at most `limit`, and of one status if it is given."""
        return self._client.jobs(limit, status)
