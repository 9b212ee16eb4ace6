"""Sockets on which processes wait to be woken."""

import os

import pytest

from autocron.processes.wakeup import Inbox


def test_a_socket_that_cannot_have_its_name_is_closed(tmp_path):
    """Its folder was deleted, for example."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError) as failed:
        Inbox(tmp_path / "none" / "supervisor.sock")
    assert len(os.listdir("/proc/self/fd")) == before
    del failed  # which has kept all that was under way
