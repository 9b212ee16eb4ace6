"""The verb `run`: supervisor and workers without a web process, for systemd and containers."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from argparse import Namespace
from contextlib import closing, nullcontext, suppress
from pathlib import Path

from autocron import events
from autocron.app import current_client
from autocron.cli.output import Report, Text, write
from autocron.client import Client
from autocron.errors import AutocronError, CommandError, NotStarted, StoreError
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import is_held, when_free
from autocron.processes.log import log_in_own_process
from autocron.processes.wakeup import SOMETHING_DUE, Sender
from autocron.stores.sqlite import SqliteAdminStore

_END = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}
_RESTART = signal.SIGHUP
_ENDED = signal.SIGUSR1
_PATIENCE = 2.0
_LOOKS, _PAUSE = 5, 0.05
_SIGNALS = _END | {_RESTART, _ENDED, signal.SIGCHLD}


def run(arguments: Namespace) -> Report:
    """Keep supervisor and workers in the foreground, without a web process, until TERM, INT or QUIT; HUP replaces workers."""
    # Before there is any thread, so that all have it so; the supervisor begins with none of them blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    log_in_own_process("warning")  # unless the application configures logging
    try:
        client = _client(arguments)
        client.keep_workers()
        folder = RuntimeFolder.of(client.settings.database)
        data = {"database": str(client.settings.database), "pid": os.getpid()}
        words = f"autocron runs for {data['database']} (pid {data['pid']}); Ctrl-C ends it."
        if not arguments.quiet:
            write((json.dumps(data) if arguments.json else words) + "\n")
        try:
            _wait_for_end(client, folder)
        finally:
            client.stop()
            _wait_for_supervisor(folder)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Report({"ended": True}, [Text("autocron has ended.")], in_one_line=True)


def _client(arguments: Namespace) -> Client:
    """Return the client of the application, which is imported for that.

    Raises:
        CommandError: it cannot be imported, or does not start autocron.
    """
    if arguments.app is not None:
        sys.path.insert(0, os.getcwd())
        _import(arguments.app)
    try:
        return current_client()
    except NotStarted:
        if arguments.app is None:
            reason = "name the application: --app MODULE, the module that calls autocron.start() or makes the app"
        else:
            reason = f"{arguments.app} does not start autocron: name the module that calls autocron.start(), or makes the app"
        raise CommandError(reason=reason) from None


def _import(target: str) -> None:
    """Import a module; with `module:name()` call what makes the application, too."""
    module, _, name = target.partition(":")
    try:
        found = importlib.import_module(module)
        if name:
            value = getattr(found, name.removesuffix("()"))
            if name.endswith("()"):
                value()
    except AutocronError:
        raise
    except Exception as error:  # the boundary around the application's code
        reason = f"--app {target}: {type(error).__name__}: {error}"
        raise CommandError(reason=reason) from error


def _wait_for_end(client: Client, folder: RuntimeFolder) -> None:
    while (number := signal.sigwait(_SIGNALS)) not in _END:
        if number == _RESTART:
            _restart(client, folder)
        else:
            _reap()


def _restart(client: Client, folder: RuntimeFolder) -> None:
    database = client.settings.database
    store = SqliteAdminStore(database, turn=nullcontext(), busy_timeout=_PATIENCE, creates=False)
    try:
        with closing(store):
            store.ask_for_restart()
    except StoreError as error:  # that is no reason to end
        events.emit("app.restart_failed", error=error)
        return
    with closing(Sender(folder.supervisor_socket)) as sender:
        sender.send(SOMETHING_DUE)


def _reap() -> None:
    """Let processes go that have ended, and that process 1 of a container has got from others.

    Supervisor and workers have sessions of their own. Those of this one are the application's, which
    wants to know how they have ended.
    """
    own = os.getpid()
    if own != 1:
        return
    with suppress(OSError):
        for pid in map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split()):
            if os.getsid(pid) != os.getsid(own):
                os.waitpid(pid, os.WNOHANG)


def _wait_for_supervisor(folder: RuntimeFolder) -> None:
    """Return when the supervisor has ended, or at another signal; at once if it goes on for others."""
    if _goes_on_for_others(folder):
        return
    when_free(folder.alive_lock, lambda: os.kill(os.getpid(), _ENDED), name="autocron-end")
    while (number := signal.sigwait(_SIGNALS)) not in _END | {_ENDED}:
        if number == signal.SIGCHLD:
            _reap()


def _goes_on_for_others(folder: RuntimeFolder) -> bool:
    """Whether there are other processes of the application; the supervisor, when it looks, is none."""
    for _ in range(_LOOKS):
        if not is_held(folder.apps_lock):
            return False
        time.sleep(_PAUSE)
    return True
