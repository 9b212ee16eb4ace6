"""The seam for framework packages: what autocron needs to know of the application around it.

An adapter subclasses `Integration`, and fills its four slots: `settings`, `load`, `job_context` and
`should_start`. `SourceIntegration` has what is common to frameworks whose jobs need the application, and
`ModuleIntegration` is all that it takes without a framework.
"""

from __future__ import annotations

from autocron.integration.base import Integration, ModuleIntegration
from autocron.integration.configuration import read_settings
from autocron.integration.modules import (
    being_imported,
    caller_outside,
    callers,
    describe_main,
    files_of,
    is_missing,
    load_main,
    load_module,
)
from autocron.integration.serving import FirstRequest, is_served, when_imported
from autocron.integration.sources import Source, SourceIntegration
from autocron.integration.tasks import find_function, find_task, is_last_attempt

__all__ = [
    "FirstRequest",
    "Integration",
    "ModuleIntegration",
    "Source",
    "SourceIntegration",
    "being_imported",
    "caller_outside",
    "callers",
    "describe_main",
    "files_of",
    "find_function",
    "find_task",
    "is_last_attempt",
    "is_missing",
    "is_served",
    "load_main",
    "load_module",
    "read_settings",
    "when_imported",
]
