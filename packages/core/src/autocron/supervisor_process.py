"""The supervisor process, and what its forks become."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from autocron.errors import StoreError
from autocron.processes.crew import BecomeWorker
from autocron.processes.folder import RuntimeFolder
from autocron.processes.locks import Lock, WorkersTurn, is_held
from autocron.processes.log import log_in_own_process, start_logging
from autocron.processes.output import direct_output, take_over_output
from autocron.processes.spawn import Orders, read_orders, receive_lock, settings_from
from autocron.processes.succession import Reign, Succession
from autocron.processes.supervisor import Supervisor
from autocron.running.outage import Outage
from autocron.settings import Settings
from autocron.stores.sqlite import SqliteStore
from autocron.worker_process import be_worker

ROLE = "supervisor"
_WORKER_ROLE = "worker"


def main() -> None:
    """Be the supervisor; or, in a fork of it, a worker."""
    folder = RuntimeFolder.of(Path(sys.argv[2]))
    take_over_output(folder)
    start_logging()
    lock = Lock.handed_over(folder.supervisor_lock, receive_lock())
    orders = read_orders(folder.orders)
    reign = Reign(folder, lock)
    settings = settings_from(orders)
    log_in_own_process(settings.log_level)
    direct_output(settings)
    store = SqliteStore(
        settings.database,
        turn=WorkersTurn(folder.callers_lock, folder.writers_lock),
        busy_timeout=settings.busy_timeout,
        ttl=settings.ttl,
        creates=False,
    )
    supervisor = _supervisor(folder, settings, orders, store)
    if supervisor is None:
        return
    store.when_replaced(supervisor.start_over)
    try:
        supervisor.run()
    except BecomeWorker as fork:
        _show_role()
        orders, line, board = fork.orders, fork.line, fork.board
    else:
        reign.end()
        # It may have been asked to end though the app goes on, by a signal of its own.
        Succession(folder, lambda: read_orders(folder.orders)).see_to_successor()
        return
    sys.exit(be_worker(orders, line, board))


def _supervisor(
    folder: RuntimeFolder, settings: Settings, orders: Orders, store: SqliteStore
) -> Supervisor | None:
    """Return the supervisor when the disk takes its sockets, or None when the app has ended before."""
    outage = Outage("supervisor.failed", "supervisor.works", database=settings.database)
    while True:
        try:
            supervisor = Supervisor(settings, orders, store)
        except (OSError, StoreError) as error:
            time.sleep(outage.failed(error))
        else:
            outage.ended()
            return supervisor
        if not is_held(folder.apps_lock):
            return None


def _show_role() -> None:
    """Have `ps` show a worker as one: its command line is the supervisor's, which it was forked from.

    proc_pid_cmdline(5): a process may change the memory that its command line is read from.
    """
    with suppress(OSError, ValueError):
        start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45])
        offset = Path("/proc/self/cmdline").read_bytes().index(f"\0{ROLE}\0".encode())
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start + offset + 1)
            memory.write(_WORKER_ROLE.encode().ljust(len(ROLE), b"\0"))
