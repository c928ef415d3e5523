"""The verbs `dust table` and `dust sheet`."""

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.options import ProfileOption
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records.sheet import sheet_csv, sheet_markdown, sheet_rows
from dust_core.declared.records.storage import read_result_folder
from dust_core.declared.records.table import table_csv, table_records
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

ArtifactsOption = Annotated[
    Path, typer.Option("--artifacts", help="Folder with a folder of results for each profile.")
]


def table(
    profile: ProfileOption = "small",
    artifacts: ArtifactsOption = ARTIFACTS,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: result_table.csv beside the results."),
    ] = None,
) -> None:
    """Write result_table.csv, one row for each experiment."""
    folder = artifacts / profile
    records = table_records(read_result_folder(folder).values())
    if not records:
        raise DustError(
            "no result file holds an experiment's record yet",
            where=str(folder),
            fix=f"run a task first: dust run TASK --profile {profile}",
        )
    target = output or folder / "result_table.csv"
    atomic_write_text(target, table_csv(records))
    plural = "" if len(records) == 1 else "s"
    typer.echo(f"{target}: {len(records)} experiment{plural}")


def sheet(
    profile: ProfileOption = "small",
    artifacts: ArtifactsOption = ARTIFACTS,
    date: Annotated[
        dt.datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Only what ended on this day (UTC)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .md or .csv file; default: Markdown, printed."),
    ] = None,
) -> None:
    """Print or write the daily execution sheet."""
    if output is not None and output.suffix not in (".md", ".csv"):
        raise DustError(
            f"the sheet is written as .md or .csv, not as {output.suffix or 'a bare name'}",
            where=str(output),
            fix="name a file that ends in .md or .csv",
        )
    rows = sheet_rows(
        read_result_folder(artifacts / profile), day=date.date() if date is not None else None
    )
    if output is None:
        typer.echo(sheet_markdown(rows), nl=False)
        return
    atomic_write_text(output, sheet_csv(rows) if output.suffix == ".csv" else sheet_markdown(rows))
    plural = "" if len(rows) == 1 else "s"
    typer.echo(f"{output}: {len(rows)} execution{plural}")
