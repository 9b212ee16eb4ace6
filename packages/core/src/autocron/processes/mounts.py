"""What kind of file system a file lies on."""

from __future__ import annotations

import re
from pathlib import Path

_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path) -> str | None:
    """Return the type of the file system that a path leads to, such as `ext4`; None if nobody can tell.

    Raises:
        OSError: what is mounted cannot be read.
    """
    try:
        text = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except FileNotFoundError:  # this is no Linux
        return None
    return type_of_mount(text, path)


def type_of_mount(mountinfo: str, path: Path) -> str | None:
    r"""Return the type of the mount that a path lies in; see proc_pid_mountinfo(5) for the text.

    Example:
        >>> mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /srv rw shared:1 - nfs4 nas:/ rw"
        >>> type_of_mount(mounts, Path("/srv/shop/project.db")), type_of_mount(mounts, Path("/srv2"))
        ('nfs4', 'ext4')
    """
    found, depth = None, -1
    for line in mountinfo.splitlines():
        fields, _, described = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields.split(" ")[4]))
        # Of several at one place, the latest covers the others.
        if len(point.parts) >= depth and (path == point or point in path.parents):
            found, depth = described.split(" ")[0], len(point.parts)
    return found
