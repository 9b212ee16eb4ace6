"""Does another program keep the database locked?"""

from __future__ import annotations

from collections.abc import Iterator

from autocron.administration.doctor.patient import Finding, Patient, listed
from autocron.errors import StoreBusy
from autocron.processes.filelocks import FileLock, all_locks, locks_on
from autocron.processes.table import command_of
from autocron.stores.protocol import AdminStore

_TOO_LONG = 2.0

_WAL_WRITE_LOCK = 120
"""The byte of the -shm file that who writes has locked (https://www.sqlite.org/walformat.html),"""

_LOCK_BYTES = 0x40000000
"""and the first of those of the database for who has all of it (https://www.sqlite.org/fileformat2.html)."""


def foreign_lock(patient: Patient, store: AdminStore) -> Iterator[Finding]:
    """Somebody else writes, and does not come to an end."""
    if store.is_locked(_TOO_LONG):
        yield _locked(patient)


def locked_against_all(patient: Patient) -> Iterator[Finding]:
    """Somebody else has the database for itself, so that it cannot even be opened."""
    if isinstance(patient.fault, StoreBusy) or (patient.fault and writers(patient, all_locks())):
        yield _locked(patient)


def _locked(patient: Patient) -> Finding:
    holders = listed(_program(pid) for pid in writers(patient, all_locks()))
    remedy = "end that program, or have it end its transaction"
    if not holders:
        holders = "a program that cannot be seen from here, as one in another container or of another machine"
        remedy = "look for a long transaction, a backup or a database browser, and end it"
    return Finding(
        "foreign-lock", f"the database is locked, nobody else can write: by {holders}", remedy
    )


def _program(pid: int) -> str:
    command = command_of(pid)
    return f"process {pid} ({command})" if command else f"process {pid}"


def writers(patient: Patient, locks: list[FileLock]) -> list[int]:
    """Return the ids of the processes that hold a lock which keeps others from writing."""
    database, _, index = patient.files
    held = [lock for lock in locks if lock.kind == "POSIX" and lock.is_exclusive]
    keeping = [lock for lock in held if lock.covers(_WAL_WRITE_LOCK)]
    # The list may have another number for the device than stat(2) has: that of all of a Btrfs, for example.
    found = locks_on([index], keeping) or locks_on([index], keeping, on_any_device=True)
    found += [
        lock for lock in locks_on([database], held) if lock.last is None or lock.last >= _LOCK_BYTES
    ]
    return sorted({lock.pid for lock in found})
