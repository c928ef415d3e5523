"""Plain text: place and title on one line, then what was found, what was expected, what to do."""

from collections.abc import Iterator
from itertools import groupby
from typing import TextIO

from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.formats import summary

_MAX_NAMED = 6


def write(report: Report, stream: TextIO) -> None:
    """Write the findings, what was not checked, and the counts."""
    for finding in report.findings:
        stream.write(text(finding) + "\n")
    for line in not_checked(report):
        stream.write(line + "\n")
    stream.write(summary(report) + "\n")


def text(finding: Finding) -> str:
    """One finding."""
    kind = "" if finding.severity == "error" else f" ({finding.severity})"
    return "\n".join(
        [f"{finding.place}: {finding.rule} {finding.title}{kind}", *details(finding), ""]
    )


def details(finding: Finding) -> Iterator[str]:
    """What was found and expected, the nearest spelling and the fix, one in each line."""
    yield f"  found:    {finding.found}"
    yield f"  expected: {finding.expected}"
    if finding.did_you_mean:
        yield f"  did you mean {finding.did_you_mean}?"
    yield f"  fix:      {finding.fix}"


def not_checked(report: Report) -> Iterator[str]:
    """For each path and reason, the rules that could not judge, or the first of many."""
    for (path, reason), skipped in groupby(
        report.skipped, key=lambda entry: (entry.path, entry.reason)
    ):
        rules = [entry.rule for entry in skipped]
        more = f" and {len(rules) - _MAX_NAMED} more" if len(rules) > _MAX_NAMED else ""
        yield f"{path}: not checked by {', '.join(rules[:_MAX_NAMED])}{more}: {reason}"
