"""What must be its owner's alone: files and folders are looked at before anything is trusted to them.

Who can put a file in the place of ours, or a link, could have us write to a file of another's choice, or
could have tasks called. So nothing is used that others may have put there. What can be opened is opened
first and looked at then, since a name may lead elsewhere a moment later.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

from autocron.errors import DatabaseUnusable, StoreError

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def located(path: Path) -> Path:
    """Return where a file really lies: links to its folder are followed, one that it is itself is not."""
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def kind_of(status: os.stat_result) -> str:
    """Return what a file is that is no regular one, for a message."""
    return _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")


def check_folder(path: Path) -> None:
    """See to it that not everybody can put something in the place of a file.

    Args:
        path: the file, as `located` returns it; it need not exist, nor its folder.

    Raises:
        DatabaseUnusable: says which folder it is, and what to do.
    """
    folder = path.parent
    for each in (folder, *folder.parents):
        try:
            mode = os.stat(each).st_mode
        except OSError:
            continue  # whoever uses it finds out why
        if not mode & stat.S_IWOTH or (mode & stat.S_ISVTX and each != folder):
            continue
        remedy = f"chmod o-w {each}"
        if each == folder:
            remedy = f"make a folder of your own in it (mkdir -m 700 {each}/NAME), or {remedy}"
        reason = f"everybody may write to {each}, and so put another file in its place: {remedy}"
        raise DatabaseUnusable(path=path, reason=reason)


def check_owner(path: Path, status: os.stat_result, *, root_may: bool = False) -> None:
    """See to it that a file belongs to the user of this process.

    Args:
        path: the file.
        status: of the file.
        root_may: whether root may use a file of somebody else.

    Raises:
        DatabaseUnusable: it belongs to somebody else.
    """
    user = os.geteuid()
    if status.st_uid == user or (root_may and user == 0):
        return
    theirs, ours = name_of(status.st_uid), name_of(user)
    reason = f"belongs to the user {theirs}, and this process runs as {ours}: run it as {theirs}, or chown the file"
    raise DatabaseUnusable(path=path, reason=reason)


def name_of(user: int) -> str:
    """Return the name of a user, or the number of one who has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def check_planted(
    path: Path, status: os.stat_result, *, also: int = stat.S_IFREG, root_may: bool = False
) -> None:
    """See to it that a run-time file is one that a process of ours has made.

    Args:
        path: the file.
        status: of the file itself, not of what it leads to.
        also: what it may be besides a regular file.
        root_may: whether root may look at a file of somebody else.

    Raises:
        StoreError: it is something else, belongs to another user, or has a second name.
    """
    kind, user = stat.S_IFMT(status.st_mode), os.geteuid()
    if kind == stat.S_IFLNK:
        reason = "is a symbolic link"
    elif kind not in (stat.S_IFREG, also):
        reason = f"is {kind_of(status)}"
    elif not (status.st_uid == user or (root_may and user == 0)):
        reason = f"belongs to the user {name_of(status.st_uid)}"
    elif kind == stat.S_IFREG and status.st_nlink > 1:
        reason = "has a second name, a hard link"
    else:
        return
    raise StoreError(path=path, reason=f"{reason}, and was not made by autocron: remove it")


def open_private(path: Path, flags: int, *, root_may: bool = False) -> int:
    """Open a run-time file that nobody else can have put there; return its descriptor.

    With `root_may`, root may open what is another user's.

    Raises:
        OSError: it cannot be opened.
        StoreError: it is none of ours.
    """
    # O_NONBLOCK: or who opens a FIFO waits for somebody at its other end.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            check_planted(path, os.lstat(path), root_may=root_may)
        raise
    try:
        check_planted(path, os.fstat(descriptor), root_may=root_may)
    except BaseException:  # nobody else could close it
        os.close(descriptor)
        raise
    return descriptor
