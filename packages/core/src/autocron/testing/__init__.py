"""For tests of applications: `capture`, `drain` and `eager`; and for tests of whatever starts processes.

`autocron.testing.contract`, which needs pytest and httpx, has the tests that all adapters inherit.
"""

from __future__ import annotations

from autocron.testing.capturing import CapturedCall, CapturedCalls, capture, eager
from autocron.testing.draining import drain
from autocron.testing.processes import (
    AutocronProcess,
    Program,
    Project,
    free_port,
    wait_until,
)

__all__ = [
    "AutocronProcess",
    "CapturedCall",
    "CapturedCalls",
    "Program",
    "Project",
    "capture",
    "drain",
    "eager",
    "free_port",
    "wait_until",
]
