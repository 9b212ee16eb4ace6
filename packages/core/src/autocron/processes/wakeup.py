"""Waking other processes: datagrams on Unix sockets, which the kernel delivers and nobody polls.

A wake-up says only "look", never what there is to see: it is sent after the commit, and whoever
gets it looks into the store. So one that is lost, doubled or late does no harm.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

_LONGEST_ADDRESS = 100  # unix(7): 108 bytes with the final NUL on Linux, 104 elsewhere
_LARGEST_MESSAGE = 1000

SOMETHING_DUE = b"due"
"""The message to the supervisor that something is due, now or later, which was not before."""

_LONGEST_WAIT = 3600.0


def _is_short(path: Path) -> bool:
    return len(os.fsencode(path)) <= _LONGEST_ADDRESS or sys.platform != "linux"


@contextmanager
def _short_address(path: Path) -> Iterator[str]:
    """Give a name for the socket that is short enough for the kernel."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Sender:
    """Sends datagrams to the socket at a path, wherever that leads at the time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._address = str(path) if _is_short(path) else None
        self._sockets: list[socket.socket] = []
        self._opening = threading.Lock()

    def send(self, message: bytes = b"") -> bool:
        """Send a message without ever waiting; return False if there is nobody to receive it."""
        try:
            own = self._open()
            if self._address is not None:
                own.sendto(message, self._address)
            else:
                with _short_address(self._path) as address:
                    own.sendto(message, address)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            # Most likely so many are waiting that one more changes nothing. What is to be seen
            # is committed in any case: a wake-up that cannot be sent must not look like a failure.
            return True
        return True

    def _open(self) -> socket.socket:
        with self._opening:  # threads may come at the same time, and share one
            if not self._sockets:
                fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                fresh.setblocking(False)
                self._sockets.append(fresh)
            return self._sockets[0]

    def close(self) -> None:
        """Close the sender's own socket; the next message opens one again."""
        while self._sockets:
            self._sockets.pop().close()


class Inbox:
    """A socket that others send to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        # Made beside its name and moved there, so that the name always leads to a socket.
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            fresh.unlink(missing_ok=True)
            with nullcontext(str(fresh)) if _is_short(fresh) else _short_address(fresh) as address:
                self.socket.bind(address)
            os.chmod(fresh, 0o600)
            os.replace(fresh, path)
        except BaseException:  # nobody else could close it
            self.socket.close()
            raise

    def fileno(self) -> int:
        """Return the file descriptor, for waiting on it."""
        return self.socket.fileno()

    def messages(self) -> Iterator[bytes]:
        """Give all messages that have come; never waits."""
        with suppress(BlockingIOError):
            while True:
                yield self.socket.recv(_LARGEST_MESSAGE)

    def wait(self, timeout: float) -> bool:
        """Wait for a message for at most `timeout` seconds; return whether there is one."""
        return bool(wait_for([self.fileno()], timeout))

    def close(self) -> None:
        """Close the socket and remove its name."""
        self.socket.close()
        with suppress(OSError):  # the disk has become read-only
            self._path.unlink(missing_ok=True)


def wake_listeners(folder: Path) -> None:
    """Wake every process that waits for the end of some job; forget those that have ended."""
    with suppress(OSError):  # the folder is gone, or the disk is read-only
        for path in folder.iterdir():
            sender = Sender(path)
            is_heard = sender.send()
            sender.close()
            if not is_heard:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def wait_for(descriptors: Iterable[int], timeout: float) -> set[int]:
    """Wait until one of the descriptors can be read, at most `timeout` seconds or an hour."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(min(max(0, timeout), _LONGEST_WAIT) * 1000)}


class WorkersInbox:
    """The socket that all idle workers wait on; each datagram wakes one of them.

    Args:
        descriptor: the socket, which the supervisor has made and all its workers inherit.
        own: a descriptor that becomes readable when this worker is wanted for something else.
    """

    def __init__(self, descriptor: int, own: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._own = own
        self._poll = _exclusive_poll(self._socket.fileno(), own)

    def wait(self, timeout: float) -> None:
        """Wait until this worker is woken, for at most `timeout` seconds."""
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor == self._own:
                os.read(descriptor, 100)
                continue
            try:
                self._socket.recv(1)
            except BlockingIOError:
                pass  # another worker was faster


class _Poll:
    """Where the kernel lacks exclusive wake-ups all workers wake, and one finds the message."""

    def __init__(self, *descriptors: int) -> None:
        self._poll = select.poll()
        for descriptor in descriptors:
            self._poll.register(descriptor, select.POLLIN)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._poll.poll(timeout * 1000)


def _exclusive_poll(shared: int, own: int) -> select.epoll | _Poll:
    if sys.platform != "linux":
        return _Poll(shared, own)
    poll = select.epoll()
    poll.register(shared, select.EPOLLIN | select.EPOLLEXCLUSIVE)
    poll.register(own, select.EPOLLIN)
    return poll
