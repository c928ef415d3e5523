"""The daily execution sheet: one line for each task execution, from the result files."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from dust_core.declared.records.result import ResultFile
from dust_core.declared.records.verdict import overall

NOTHING = "-"
COLUMNS = ("date", "task", "input", "output", "verdict", "GPU hours", "notes")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One execution of a task; the fields are the sheet's columns, `-` for an absent value."""

    date: str
    task: str
    input: str
    output: str
    verdict: str
    gpu_hours: str
    notes: str


def sheet_rows(files: Mapping[Path, ResultFile], *, day: dt.date | None = None) -> list[SheetRow]:
    """The executions that ended on `day` (UTC; None: any day), in the order in which they ended."""
    ended = sorted(
        (max(result.provenance.finished for result in file.results), file.task, path)
        for path, file in files.items()
    )
    return [
        _row(moment.date(), path, files[path])
        for moment, _, path in ended
        if day is None or moment.date() == day
    ]


def sheet_markdown(rows: Iterable[SheetRow]) -> str:
    """The sheet as a Markdown table."""
    lines = [_markdown_line(COLUMNS), "|---|---|---|---|---|---:|---|"]
    lines += [_markdown_line(astuple(row)) for row in rows]
    return "\n".join(lines) + "\n"


def sheet_csv(rows: Iterable[SheetRow]) -> str:
    """The sheet as CSV (RFC 4180, lines end in a newline)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row) for row in rows)
    return text.getvalue()


def _row(day: dt.date, path: Path, file: ResultFile) -> SheetRow:
    records = [result.record for result in file.candidates if result.record is not None]
    hours = [record.gpu_hours for record in records if record.gpu_hours is not None]
    inputs = {name for result in file.candidates for name in result.provenance.inputs}
    outputs = {name for result in file.candidates for name in result.provenance.artifacts} - inputs
    reasons = [verdict.reason for verdict in file.verdicts if verdict.status != "pass"]
    notes = [*(record.notes for record in records), *reasons]
    return SheetRow(
        date=day.isoformat(),
        task=file.task,
        input=_listed(sorted(inputs)),
        output=_listed([*sorted(outputs), path.name]),
        verdict=overall(file.verdicts) or NOTHING,
        gpu_hours=f"{sum(hours):.2f}" if hours else NOTHING,
        notes=_listed([note for note in notes if note], "; "),
    )


def _listed(parts: list[str], separator: str = ", ") -> str:
    return separator.join(dict.fromkeys(parts)) or NOTHING


def _markdown_line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
