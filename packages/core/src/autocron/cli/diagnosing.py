"""The verb `doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from autocron.administration.database import opened, settings_for
from autocron.administration.doctor import Finding, Patient, examine
from autocron.cli.output import Report, Text
from autocron.clock import system_clock
from autocron.errors import StoreError
from autocron.processes.folder import RuntimeFolder
from autocron.settings import LoadedSettings

_FOUND_SOMETHING = 3


def show_diagnosis(path: Path, configured: LoadedSettings | None) -> Report:
    """Say what is wrong, and what to do about it; the exit status is 3 if there is anything."""
    try:
        with opened(path, configured) as database:
            patient = Patient(path.absolute(), database.folder, database.settings(), system_clock())
            return _report(examine(patient, database.store))
    except StoreError as error:  # raised by `opened`: `examine` makes findings of its own
        settings = settings_for(path, configured, {})
        folder = RuntimeFolder.of(path)
        patient = Patient(path.absolute(), folder, settings, system_clock(), fault=error)
        return _report(examine(patient, None))


def _report(findings: Sequence[Finding]) -> Report:
    data = [asdict(finding) for finding in findings]
    if not findings:
        return Report(data, [Text("Nothing wrong was found.")])
    parts = [Text(f"- {finding.problem}\n  {finding.remedy}") for finding in findings]
    return Report(data, parts, _FOUND_SOMETHING)
