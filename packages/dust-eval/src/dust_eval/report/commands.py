"""The verb `dust report`."""

from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.commands import ArtifactsOption


def report(
    profile: ProfileOption = "small",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder; default: report beside the results."),
    ] = None,
    specs: SpecsOption = SPECS,
    artifacts: ArtifactsOption = ARTIFACTS,
) -> None:
    """Write a page with all results: verdicts, figures, curves, hypotheses."""
    from dust_core.declared.specs import load_specs
    from dust_core.files import atomic_write_text
    from dust_eval.report.content import gather
    from dust_eval.report.page import render

    folder = artifacts / profile
    spec_set = load_specs(specs)
    spec_set.profile(profile)
    content = gather(spec_set, profile, folder)
    target = (out or folder / "report") / "index.html"
    atomic_write_text(target, render(content))
    typer.echo(f"{target}: {content.executed} of {content.tasks} tasks have results")
