"""The plain text in colours, for a terminal."""

from typing import TextIO

from rich.text import Text

from dust_core.console import Terminal
from dust_core.declared.checks.engine import Report
from dust_core.declared.checks.formats import summary
from dust_core.declared.checks.formats.text import details, not_checked

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def write(report: Report, stream: TextIO) -> None:
    """Write the findings, what was not checked, and the counts, never wrapped."""
    console = Terminal(file=stream, soft_wrap=True)
    for finding in report.findings:
        console.print(
            Text.assemble(
                (str(finding.place), "bold"),
                ": ",
                (finding.rule, _COLOURS[finding.severity]),
                f" {finding.title}",
            )
        )
        for line in details(finding):
            label, colon, rest = line.partition(":")
            console.print(Text.assemble((label + colon, "dim"), rest))
        console.print()
    for line in not_checked(report):
        console.print(Text(line, style="dim"))
    style = "bold red" if report.errors else "bold green"
    console.print(Text(summary(report), style=style))
