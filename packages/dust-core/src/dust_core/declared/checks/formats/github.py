"""Workflow commands of GitHub Actions: each finding is an annotation on its line."""

from typing import TextIO

from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.formats import summary
from dust_core.declared.checks.formats.text import details


def write(report: Report, stream: TextIO) -> None:
    """Write a command for each finding, and the counts as an ordinary line of the log."""
    for finding in report.findings:
        place = finding.place
        properties = {
            "file": place.path,
            "line": str(place.line),
            "col": str(place.column),
            "title": f"{finding.rule} {finding.title}",
        }
        listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        message = _message("\n".join(line.strip() for line in details(finding)))
        stream.write(f"::{finding.severity} {listed}::{message}\n")
    stream.write(summary(report) + "\n")


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
