"""Files that are their owner's alone."""

import os

import pytest

from autocron.errors import StoreError
from autocron.private import open_private


def test_what_is_refused_does_not_stay_open(tmp_path, open_files):
    """A pipe that somebody has put in the place of a file, for example."""
    planted = tmp_path / "orders.json"
    os.mkfifo(planted)
    with pytest.raises(StoreError, match="is a FIFO"):
        open_private(planted, os.O_RDONLY)
    assert str(planted) not in open_files()
