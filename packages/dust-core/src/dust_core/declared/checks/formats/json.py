"""JSON: every finding as an object, for programs."""

import json
from dataclasses import asdict
from typing import Any, TextIO

from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.finding import Finding


def write(report: Report, stream: TextIO) -> None:
    """Write one JSON object: findings, what was not checked, and the counts."""
    content = {
        "findings": [_finding(finding) for finding in report.findings],
        "not_checked": [asdict(skipped) for skipped in report.skipped],
        "errors": report.errors,
        "warnings": report.warnings,
        "files": report.files,
        "rules": [rule.id for rule in report.rules],
    }
    json.dump(content, stream, indent=2)
    stream.write("\n")


def _finding(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "rule": finding.rule,
        "severity": finding.severity,
        "title": finding.title,
        "found": finding.found,
        "expected": finding.expected,
        "did_you_mean": finding.did_you_mean or None,
        "fix": finding.fix,
    }
