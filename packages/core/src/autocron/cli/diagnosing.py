"""The verb `doctor`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from autocron.administration.doctor import Patient, examine
from autocron.cli.database import Opened
from autocron.cli.output import Report, Text
from autocron.clock import system_clock

_FOUND_SOMETHING = 3


def show_diagnosis(database: Opened, _arguments: Namespace) -> Report:
    """Say what is wrong, and what to do about it; the exit status is 3 if there is anything."""
    patient = Patient(
        database.path, database.folder, database.store, database.settings(), system_clock()
    )
    findings = examine(patient)
    data = [asdict(finding) for finding in findings]
    if not findings:
        return Report(data, [Text("Nothing wrong was found.")])
    parts = [Text(f"- {finding.problem}\n  {finding.remedy}") for finding in findings]
    return Report(data, parts, _FOUND_SOMETHING)
