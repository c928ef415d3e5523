"""SARIF 2.1.0: for code scanning, which shows findings in a pull request's files."""

import json
from typing import Any, TextIO
from urllib.parse import quote

from dust_core import __version__
from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.formats.text import details

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def write(report: Report, stream: TextIO) -> None:
    """Write one run: the rules that ran, and a result for each finding."""
    index = {rule.id: number for number, rule in enumerate(report.rules)}
    run = {
        "tool": {
            "driver": {
                "name": "dust validate",
                "version": __version__,
                "rules": [
                    {
                        "id": rule.id,
                        "name": type(rule).__name__,
                        "shortDescription": {"text": rule.title},
                        "fullDescription": {"text": rule.explanation},
                        "help": {"text": rule.fix},
                        "defaultConfiguration": {"level": rule.severity},
                    }
                    for rule in report.rules
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index[finding.rule]) for finding in report.findings],
    }
    json.dump({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, stream, indent=2)
    stream.write("\n")


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place = finding.place
    message = "\n".join([finding.title, *(line.strip() for line in details(finding))])
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place.path)},
                    "region": {"startLine": place.line, "startColumn": place.column},
                }
            }
        ],
    }
