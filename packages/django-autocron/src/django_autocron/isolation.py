"""The database of tests, which keeps their jobs apart from those of the site."""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from autocron.processes.locks import Lock, is_held
from django_autocron.configuration import DATABASE

_TESTS = "autocron-tests-"
_NEWEST_DEAD = 60.0  # seconds; a younger one may only not be locked yet


class TestDatabase:
    """A database for the tests of one process, deleted at its end."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix=_TESTS))
        self._lock = Lock(self._folder / "lock")
        self._lock.acquire(wait=True)
        self.path = self._folder / DATABASE
        atexit.register(self.delete)
        self._delete_those_of_the_dead()

    def delete(self) -> None:
        """Delete it, unless it is that of the process that this one was forked from."""
        if self.is_of_this_process:
            rmtree(self._folder, ignore_errors=True)
            self._lock.release()

    def _delete_those_of_the_dead(self) -> None:
        """Delete what processes have left behind that could not: `test --parallel` kills those that it forks."""
        for folder in self._folder.parent.glob(f"{_TESTS}*"):
            with suppress(OSError):  # that of another user, or gone by now
                is_old = time.time() - folder.stat().st_mtime > _NEWEST_DEAD
                if is_old and not is_held(folder / "lock"):
                    rmtree(folder)

    @property
    def is_of_this_process(self) -> bool:
        """Whether it is not that of the process that this one was forked from."""
        return self._pid == os.getpid()
