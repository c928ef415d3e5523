"""The formats of a report, one in each file."""

from importlib import import_module
from typing import TextIO

from dust_core.declared.checks.engine import Report


def write(report: Report, form: str, stream: TextIO) -> None:
    """Write `report` to `stream` as `text`, `json`, `junit`, `sarif` or `github`.

    Only the module of that format is imported. Only a terminal gets colours.
    """
    if form == "text" and stream.isatty():
        form = "terminal"
    import_module(f"{__name__}.{form}").write(report, stream)


def summary(report: Report) -> str:
    """`3 errors, 1 warning in 12 files`."""
    errors, warnings = _count(report.errors, "error"), _count(report.warnings, "warning")
    return f"{errors}, {warnings} in {_count(report.files, 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
