"""The verbs `dust diff` and `dust plan`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import SPECS
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.agreed.owners import Approvers
    from dust_core.declared.change.git import Repository, Revision


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
    from dust_core.declared.change.deciding import deciding_files
    from dust_core.declared.change.diff import difference
    from dust_core.declared.change.git import Repository
    from dust_core.declared.change.markdown import render
    from dust_core.declared.change.report import as_json
    from dust_core.declared.change.snapshot import at_revision, in_working_tree

    project, folder = _project(specs)
    repository = Repository.around(project)
    target = repository.revision(base)
    tip = repository.revision(head or "HEAD")
    # A pull request holds what changed since it branched off. Later commits of the base are not
    # part of it, but what they executed stays executed.
    fork = repository.merge_base(target, tip)
    current = at_revision(repository, target, folder)
    old = current if fork == target else at_revision(repository, fork, folder)
    new = at_revision(repository, tip, folder) if head else in_working_tree(project, folder)
    if not (old.has_specs or new.has_specs):
        raise DustError(
            "neither side has specs",
            where=str(specs),
            fix="run this in the project's folder, or use --specs",
        )
    approvers = _approvers(repository, target, fork, tip, folder, with_user=head is None)
    deciding = deciding_files(repository, fork, tip if head else None)
    changes = difference(old, new, current, datetime.now(UTC).date(), approvers, deciding)
    typer.echo(render(changes) if form is DiffFormat.MARKDOWN else as_json(changes), nl=False)
    if changes.refusals:
        raise typer.Exit(1)


def plan(
    stage: Annotated[
        str | None,
        typer.Argument(help="P0 to P5, or a task; all by default.", show_default=False),
    ] = None,
    profile: ProfileOption = "small",
    form: Annotated[PlanFormat, typer.Option("--format", help="How to write.")] = PlanFormat.TEXT,
    specs: SpecsOption = SPECS,
) -> None:
    """Show the stages in order: what is done, what would run and why, and its GPU hours."""
    from dust_core.declared.change.plan import make_plan
    from dust_core.declared.change.report import as_json, plan_markdown, plan_text
    from dust_core.declared.change.snapshot import in_working_tree

    project, folder = _project(specs)
    planned = make_plan(in_working_tree(project, folder), profile, stage, project)
    writers = {PlanFormat.TEXT: plan_text, PlanFormat.MARKDOWN: plan_markdown}
    typer.echo(writers.get(form, as_json)(planned), nl=False)


def _project(specs: Path) -> tuple[Path, str]:
    """The folder of the project, and the name of the folder of the specs in it."""
    whole = specs.resolve()
    return whole.parent, whole.name


def _approvers(
    repository: "Repository",
    target: "Revision",
    fork: "Revision",
    tip: "Revision",
    specs: str,
    *,
    with_user: bool,
) -> "Approvers":
    """Who may approve a waiver by the base, and who may not because he changes the specs.

    Args:
        with_user: whether changes that are not committed yet are under review too.
    """
    from dust_core.declared.agreed.owners import CODEOWNERS, Approvers, authors_of, owners_of

    owners = repository.files(target, CODEOWNERS).get(CODEOWNERS, b"").decode("utf-8", "replace")
    persons = repository.authors(fork, tip, specs)
    persons += repository.user() if with_user else []
    return Approvers(owners_of(owners), authors_of(persons))
