"""The verbs `dust table` and `dust sheet`."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.awaited import awaited_rows, awaited_sheet, why_absent
from dust_core.declared.records.sheet import sheet_csv, sheet_markdown, sheet_rows
from dust_core.declared.records.storage import read_result_folder
from dust_core.declared.records.table import table_csv, table_records
from dust_core.errors import DustError
from dust_core.files import atomic_write_text

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

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
    specs: SpecsOption = SPECS,
) -> None:
    """Write result_table.csv, one row for each experiment.

    Experiments of the specs that have no record are in it too, and their notes say so.
    """
    folder = artifacts / profile
    files = read_result_folder(folder)
    records = table_records(files.values())
    if not records:
        raise DustError(
            "no result file holds an experiment's record yet",
            where=str(folder),
            fix=f"run a task first: dust run TASK --profile {profile}",
        )
    target = output or folder / "result_table.csv"
    tasks, absent = _declared(specs, profile, folder, files)
    known = {record.exp_id for record in records}
    measured = {file.task: file for file in files.values()}
    awaited = [row for row in awaited_rows(tasks, measured, absent) if row["exp_id"] not in known]
    atomic_write_text(target, table_csv(records, awaited))
    plural = "" if len(records) == 1 else "s"
    rest = f", {len(awaited)} without a record" if awaited else ""
    typer.echo(f"{target}: {len(records)} experiment{plural}{rest}")


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
    specs: SpecsOption = SPECS,
) -> None:
    """Print or write the daily execution sheet.

    Without a day, tasks of the specs that have no result here follow, and their notes say so.
    """
    if output is not None and output.suffix not in (".md", ".csv"):
        raise DustError(
            f"the sheet is written as .md or .csv, not as {output.suffix or 'a bare name'}",
            where=str(output),
            fix="name a file that ends in .md or .csv",
        )
    files = read_result_folder(artifacts / profile)
    rows = sheet_rows(files, day=date.date() if date is not None else None)
    executed = len(rows)
    if date is None:
        rows += awaited_sheet(*_declared(specs, profile, artifacts / profile, files))
    if output is None:
        typer.echo(sheet_markdown(rows), nl=False)
        return
    atomic_write_text(output, sheet_csv(rows) if output.suffix == ".csv" else sheet_markdown(rows))
    plural = "" if executed == 1 else "s"
    rest = f", {len(rows) - executed} tasks without a result" if len(rows) > executed else ""
    typer.echo(f"{output}: {executed} execution{plural}{rest}")


def _declared(
    specs: Path, profile: str, folder: Path, files: Iterable[Path]
) -> tuple[dict[str, "ResolvedTask"], dict[str, str]]:
    """Every task of the specs under a profile, and why some have no result in the folder."""
    from dust_core.declared.records.proof import recorded_outputs
    from dust_core.declared.specs import load_specs, resolve

    spec_set = load_specs(specs)
    tasks = {task: resolve(spec_set, task, profile) for task in spec_set.tasks}
    return tasks, why_absent(tasks, {path.name for path in files}, recorded_outputs(folder))
