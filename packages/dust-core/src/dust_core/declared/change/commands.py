"""The verbs `dust diff` and `dust plan`."""

from enum import StrEnum
from typing import Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import SPECS


class DiffFormat(StrEnum):
    """How a difference is written."""

    MARKDOWN = "markdown"
    JSON = "json"


class PlanFormat(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def diff(
    base: Annotated[str, typer.Argument(help="Revision that this would be merged into: main.")],
    head: Annotated[
        str | None,
        typer.Argument(help="Revision to review; by default the working tree.", show_default=False),
    ] = None,
    form: Annotated[DiffFormat, typer.Option("--format", help="How to write.")] = (
        DiffFormat.MARKDOWN
    ),
    specs: SpecsOption = SPECS,
) -> None:
    """Show what a change of the specs means; exit 1 if it must not be merged as it is."""
    from dust_core.declared.change.between import difference_between
    from dust_core.declared.change.markdown import render
    from dust_core.declared.change.report import as_json

    changes = difference_between(base, head, specs)
    typer.echo(render(changes) if form is DiffFormat.MARKDOWN else as_json(changes), nl=False)
    if changes.refusals:
        raise typer.Exit(1)


def plan(
    stages: Annotated[
        list[str] | None,
        typer.Argument(help="P0 to P5, or tasks; all by default.", show_default=False),
    ] = None,
    profile: ProfileOption = "small",
    form: Annotated[PlanFormat, typer.Option("--format", help="How to write.")] = PlanFormat.TEXT,
    specs: SpecsOption = SPECS,
) -> None:
    """Show the stages in order: what is done, what would run and why, and its GPU hours."""
    from dust_core.declared.change.between import project_of
    from dust_core.declared.change.plan import make_plan
    from dust_core.declared.change.report import as_json, plan_markdown, plan_text
    from dust_core.declared.change.snapshot import in_working_tree

    project, folder = project_of(specs)
    planned = make_plan(in_working_tree(project, folder), profile, stages or [], project)
    writers = {PlanFormat.TEXT: plan_text, PlanFormat.MARKDOWN: plan_markdown}
    typer.echo(writers.get(form, as_json)(planned), nl=False)
