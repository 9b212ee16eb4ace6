"""Waiting for the end of jobs: one thread for all who wait in this process, woken by a socket."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from autocron.errors import StoreError
from autocron.model import new_job_id
from autocron.processes.wakeup import Inbox, Sender
from autocron.running.outage import Outage
from autocron.stores.protocol import Store

_AT_ONCE = 500
_PATIENCE = 5.0


class Listener:
    """Calls back when jobs have ended, or are gone.

    Workers are told in the store that somebody waits for a job, and then wake all listeners. The
    wake-up says only that something has ended; what it was is looked up.

    Args:
        store: where the jobs are.
        folder: where listeners have their sockets.
        check_interval: after how many seconds to look all the same, in case a wake-up got lost.

    Raises:
        StoreError: nobody can be woken, since there is no room for a socket.
    """

    def __init__(self, store: Store, folder: Path, check_interval: float) -> None:
        self._store = store
        self.check_interval = check_interval
        path = folder / f"{os.getpid()}-{new_job_id()[-12:]}.sock"
        try:
            self._inbox = Inbox(path)
        except OSError as error:
            reason = f"no socket can be made ({error.strerror}): see whether the disk is full"
            raise StoreError(path=folder, reason=reason) from error
        self._wake = Sender(path)
        self._new: queue.SimpleQueue[tuple[str, Callable[[], None]]] = queue.SimpleQueue()
        self._callbacks: dict[str, list[Callable[[], None]]] = {}
        self._unwatched: set[str] = set()
        self._outage = Outage("app.listener_failed", "app.listener_works")
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="autocron-listener", daemon=True)
        self._thread.start()

    def add(self, job_id: str, callback: Callable[[], None]) -> None:
        """Have `callback` called by the listener's thread when the job has ended; never waits."""
        self._new.put((job_id, callback))
        self._wake.send()

    def close(self) -> None:
        """End the thread; who still waits is called back to find out what he can."""
        self._closed = True
        self._wake.send()
        if self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)  # so that it does not open the store again behind us

    def _run(self) -> None:
        while not self._closed:
            try:
                self._call_back(self._watch_new())
                if self._outage.lasts:  # nobody has looked meanwhile
                    self._call_back(self._find_ended())
                    self._outage.ended()
                self._inbox.wait(self.check_interval if self._callbacks else 3600.0)
                if self._closed:
                    break
                list(self._inbox.messages())
                # Read after the messages: if one was dropped because there were too many, what it
                # stood for was committed before these were read, and is found now.
                self._call_back(self._find_ended())
            except StoreError as error:
                pause = self._outage.failed(error)
                list(self._inbox.messages())  # or it would not wait
                if not self._closed:
                    self._inbox.wait(pause)
        self._take_new()
        self._call_back(list(self._callbacks))
        self._inbox.close()
        self._wake.close()

    def _take_new(self) -> None:
        while not self._new.empty():
            job_id, callback = self._new.get()
            self._callbacks.setdefault(job_id, []).append(callback)
            self._unwatched.add(job_id)

    def _watch_new(self) -> set[str]:
        self._take_new()
        if not self._unwatched:
            return set()
        ended = self._store.watch(self._unwatched)
        self._unwatched.clear()  # only now: if it fails, it is tried again
        return ended

    def _find_ended(self) -> set[str]:
        waiting = list(self._callbacks)
        ended: set[str] = set()
        for start in range(0, len(waiting), _AT_ONCE):
            ended |= self._store.ended(waiting[start : start + _AT_ONCE])
        return ended

    def _call_back(self, job_ids: Iterable[str]) -> None:
        for job_id in job_ids:
            for callback in self._callbacks.pop(job_id, ()):
                callback()
