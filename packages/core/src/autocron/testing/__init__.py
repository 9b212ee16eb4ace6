"""For tests of adapters, and of whatever else starts processes that have autocron.

`autocron.testing.contract`, which needs pytest and httpx, has the tests that all adapters inherit.
"""

from __future__ import annotations

from autocron.testing.processes import (
    AutocronProcess,
    Program,
    Project,
    free_port,
    wait_until,
)

__all__ = ["AutocronProcess", "Program", "Project", "free_port", "wait_until"]
