"""How far jobs have come: kept a few times a second, however often their tasks say it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from autocron.errors import StoreError
from autocron.model import ClaimedJob, Progress

_INTERVAL = 0.25


class ProgressWriter:
    """Writes, in a thread of its own, the latest progress of the job that a worker is running.

    Args:
        write: keeps it; may raise `StoreError`.
    """

    def __init__(self, write: Callable[[ClaimedJob, Progress], None]) -> None:
        self._write = write
        self._latest: deque[tuple[ClaimedJob, Progress]] = deque(maxlen=1)
        self._writing = threading.Lock()
        self._is_new = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, job: ClaimedJob, progress: Progress) -> None:
        """Have a job's progress written soon; never waits, and costs next to nothing."""
        self._latest.append((job, progress))
        if not self._is_new.is_set():
            self._is_new.set()
        if self._thread is None or not self._thread.is_alive():  # a task may have forked
            self._thread = threading.Thread(target=self._run, name="autocron-progress", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Return when what was put is written: the job is about to end."""
        if self._thread is not None:
            self._write_latest()

    def _run(self) -> None:
        while True:
            self._is_new.wait()
            self._is_new.clear()
            self._write_latest()
            time.sleep(_INTERVAL)  # what comes meanwhile is replaced by what comes later

    def _write_latest(self) -> None:
        # There is nothing new, or the database cannot be written to, of which whoever ends the job will tell.
        with self._writing, suppress(IndexError, StoreError):
            self._write(*self._latest.pop())
