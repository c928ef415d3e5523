"""JUnit XML: a test case for each rule, for CI systems that show test reports."""

from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.formats.text import text


def write(report: Report, stream: TextIO) -> None:
    """Write a suite: a rule with errors is failed, a rule that could not judge is skipped."""
    unable = {skipped.rule for skipped in report.skipped}
    failed = {finding.rule for finding in report.findings if finding.severity == "error"}
    counts = f'tests="{len(report.rules)}" failures="{len(failed)}"'
    skips = f'skipped="{len(unable - failed)}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites {counts}><testsuite name="dust validate" {counts} errors="0" {skips}>',
    ]
    for rule in report.rules:
        name = quoteattr(f"{rule.id} {rule.title}")
        lines.append(f'<testcase classname="dust.{rule.family}" name={name}>')
        findings = [finding for finding in report.findings if finding.rule == rule.id]
        body = escape("\n".join(text(finding) for finding in findings))
        if rule.id in failed:
            lines.append(f'<failure message="{len(findings)} found">{body}</failure>')
        elif rule.id in unable:
            lines.append("<skipped/>")
        if findings and rule.id not in failed:
            lines.append(f"<system-out>{body}</system-out>")
        lines.append("</testcase>")
    stream.write("\n".join([*lines, "</testsuite></testsuites>", ""]))
