"""The verb `dust verdicts`."""

import json
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dust_eval.review.verdicts import Comparison


class VerdictsFormat(StrEnum):
    """How verdicts are written."""

    MARKDOWN = "markdown"
    JSON = "json"


def verdicts(
    base: Annotated[str, typer.Argument(help="Revision that this would be merged into: main.")],
    head: Annotated[str, typer.Argument(help="Revision to review.")] = "HEAD",
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            "-p",
            help="Only this; by default each that may be quoted.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[VerdictsFormat, typer.Option("--format", help="How to write.")] = (
        VerdictsFormat.MARKDOWN
    ),
) -> None:
    """Show what became of the verdicts; exit 1 if a result is invalid or cannot be had."""
    from dust_eval.review.verdicts import as_values, render

    comparison = comparison_of(Path.cwd(), base, head, profile)
    if form is VerdictsFormat.MARKDOWN:
        typer.echo(render(comparison), nl=False)
    else:
        typer.echo(json.dumps(as_values(comparison), indent=2))
    if comparison.refused:
        raise typer.Exit(1)


def comparison_of(project: Path, base: str, head: str, profile: str | None) -> "Comparison":
    """Fetch, validate and judge the results of two revisions, and compare the verdicts.

    A profile is judged if its figures may be quoted at the base or at the head.

    Raises:
        DustError: a revision, its specs or its locks cannot be read, or DVC is not installed.
    """
    from dust_core.declared.change.git import Repository
    from dust_eval.review.judged import judged
    from dust_eval.review.revision import Committed, fetch_all, store_of
    from dust_eval.review.verdicts import compare

    repository = Repository.around(project)
    target, tip = repository.revision(base), repository.revision(head)
    # Verdicts are compared with what they would replace, so with the base as it is today.
    sides = [Committed.at(repository, revision) for revision in (target, tip)]
    profiles = list(dict.fromkeys(name for side in sides for name in side.quotable))
    if profile is not None:
        for side in sides[1:]:
            side.specs.profile(profile)
        profiles = [profile]
    with tempfile.TemporaryDirectory(prefix="dust-verdicts-") as temporary:
        folder = Path(temporary)
        store = store_of(repository, project, target)
        contents = fetch_all(store, sides, profiles, folder / "contents")
        before, after = (
            judged(repository, side, profiles, contents, folder / name)
            for name, side in zip(("base", "head"), sides, strict=True)
        )
    return compare(before, after)
