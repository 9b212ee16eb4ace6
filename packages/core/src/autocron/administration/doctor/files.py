"""Is the database in a good place, and is all of it its owner's alone?"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from autocron.administration.doctor.patient import Finding, Patient, in_two, listed
from autocron.errors import DatabaseUnusable
from autocron.private import check_folder, located, name_of
from autocron.processes.mounts import file_system_of

NETWORK_FILE_SYSTEMS = frozenset(
    {
        *("9p", "afs", "afpfs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncp", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "vmhgfs", "webdav"),
        *("blobfuse", "blobfuse2", "ceph-fuse", "gcsfuse", "google-drive-ocamlfuse", "goofys", "juicefs"),
        *("osxfs", "grpcfuse", "rclone", "s3fs", "smbnetfs", "sshfs", "vmhgfs-fuse", "gvfsd-fuse"),
    }
)  # fmt: skip
"""As they are called in /proc/self/mountinfo; those of user space without the `fuse.` before their name."""

_LITTLE_ROOM = 64 * 1024 * 1024
_FEW_FILES = 100
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def is_network_file_system(kind: str) -> bool:
    """Whether other machines can change what lies on a file system of that type.

    Example:
        >>> [is_network_file_system(kind) for kind in ("nfs4", "fuse.sshfs", "ext4", "fuse.ntfs-3g")]
        [True, True, False, False]
    """
    return kind.removeprefix("fuse.") in NETWORK_FILE_SYSTEMS


def network_file_system(patient: Patient) -> Iterator[Finding]:
    """Locks and shared memory do not reach from one machine to another.

    https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."
    """
    folder = located(patient.database).parent
    kind = file_system_of(folder)
    if kind is not None and is_network_file_system(kind):
        yield Finding(
            "network-file-system",
            f"{folder} lies on a network file system ({kind}), where SQLite can lose and damage data",
            "stop the application, and move the database to a disk of this machine",
        )


def owner(patient: Patient) -> Iterator[Finding]:
    """Somebody has used the files as another user, root as a rule, who owns some of them now."""
    mine = _owner_of(patient)
    wrong = [path for path, status in _all_files(patient) if status.st_uid != mine]
    if mine is not None and wrong:
        name = name_of(mine)
        yield Finding(
            "owner",
            f"the database belongs to the user {name}, and these do not: {listed(wrong)}",
            f"chown {_arguments(name, patient, wrong)}; and run all that uses the database as {name}",
        )


def mode(patient: Patient) -> Iterator[Finding]:
    """Others can read what is in the jobs, or put in jobs of their own."""
    open_to_others = [
        path
        for path, status in _all_files(patient)
        # What is a socket's mode does not matter, as nobody else can enter the folder.
        if status.st_mode & _OTHERS and not stat.S_ISSOCK(status.st_mode)
    ]
    if open_to_others:
        yield Finding(
            "mode",
            f"other users can get at {listed(open_to_others)}",
            f"chmod {_arguments('go=', patient, open_to_others)}",
        )


def folder(patient: Patient) -> Iterator[Finding]:
    """Everybody could put another file in the place of the database."""
    try:
        check_folder(located(patient.database))
    except DatabaseUnusable as error:
        yield Finding("folder", *in_two(error))


def room(patient: Patient) -> Iterator[Finding]:
    """Without room, no job can be put in and none can end."""
    place = located(patient.database).parent
    disk = os.statvfs(place)
    free = disk.f_bavail * disk.f_frsize
    if free < _LITTLE_ROOM:
        left = f"{free / 1024 / 1024:.0f} MB are left"
    elif disk.f_files and disk.f_favail < _FEW_FILES:  # some file systems do not count them
        left = f"there can be {disk.f_favail} more files"
    else:
        return
    problem = f"the disk of {place} is almost full: {left}"
    yield Finding("disk", problem, "make room, or have fewer outcomes kept (the setting ttl)")


def _owner_of(patient: Patient) -> int | None:
    try:
        return patient.files[0].lstat().st_uid
    except FileNotFoundError:
        return None


def _all_files(patient: Patient) -> Iterator[tuple[Path, os.stat_result]]:
    """Give the files of the database and those at run time, as far as they are there."""
    for path in (*patient.files, *_below(patient.folder.path)):
        with suppress(FileNotFoundError):  # a process that has just ended had made it
            yield path, path.lstat()


def _below(place: Path) -> Iterator[Path]:
    try:
        entries = list(os.scandir(place))
    except FileNotFoundError:
        return  # the application was never started
    yield place
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(path)
        else:
            yield path


def _arguments(change: str, patient: Patient, paths: list[Path]) -> str:
    """Return what to call chown or chmod with: for the whole folder, if that has one of the files."""
    beside = [path for path in paths if path in patient.files]
    if len(beside) == len(paths):
        return shlex.join([change, *map(str, beside)])
    return shlex.join(["-R", change, *map(str, beside), str(patient.folder.path)])
