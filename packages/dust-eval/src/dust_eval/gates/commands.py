"""The verb `dust gate`."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.commands import ArtifactsOption
from dust_core.files import atomic_write_text

if TYPE_CHECKING:
    from dust_eval.gates.render import StageReport

_WIDTH_IN_FILES = 160  # where no terminal says how wide it is


def gate(
    stage: Annotated[str, typer.Argument(help="P0 to P5.")],
    profile: ProfileOption = "small",
    json_file: Annotated[
        Path | None,
        typer.Option("--json", help="Write the verdicts there too; '-' prints them alone."),
    ] = None,
    specs: SpecsOption = SPECS,
    artifacts: ArtifactsOption = ARTIFACTS,
) -> None:
    """Judge a stage by its lines; exit 1 unless all pass."""
    from dust_core.declared.records import read_result_folder
    from dust_core.declared.specs import load_specs, resolve
    from dust_eval.gates.render import StageReport, report_json
    from dust_eval.gates.stage import judge_stage

    spec_set = load_specs(specs)
    tasks = [resolve(spec_set, task, profile) for task in spec_set.stage(stage)]
    folder = artifacts / profile
    files = list(read_result_folder(folder).values()) if folder.is_dir() else []
    report = StageReport(
        stage=stage,
        profile=profile,
        quotable=spec_set.profile(profile).quotable,
        tasks=judge_stage(tasks, files),
    )
    text = json.dumps(report_json(report), indent=2) + "\n"
    if json_file == Path("-"):
        typer.echo(text, nl=False)
    else:
        _print(report)
        if json_file is not None:
            atomic_write_text(json_file, text)
    if not report.passed:
        raise typer.Exit(1)


def _print(report: "StageReport") -> None:
    from rich.console import Console

    from dust_eval.gates.render import reason_lines, report_table

    console = Console(width=None if sys.stdout.isatty() else _WIDTH_IN_FILES, highlight=False)
    console.print(report_table(report))
    for line in reason_lines(report.tasks):
        console.print(line, markup=False, soft_wrap=True)
