"""The verb `dust doctor`."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.protection.outcome import Outcome
from dust_core.errors import DustError


def doctor(
    review: Annotated[
        bool, typer.Option("--review", help="Check what protects the review.")
    ] = False,
) -> None:
    """Check how the repository is set up; exit 1 if something is missing."""
    if not review:
        raise DustError("doctor needs to know what to check", fix="dust doctor --review")
    outcomes = review_outcomes(Path.cwd())
    typer.echo(_table(outcomes))
    if any(outcome.state == "missing" for outcome in outcomes):
        raise typer.Exit(1)


def review_outcomes(folder: Path) -> list[Outcome]:
    """Everything that can be checked of the review's protection.

    Raises:
        DustError: the folder is in no git repository, or a file cannot be read.
    """
    from dust_core.declared.change.git import Repository
    from dust_core.declared.protection.local import local_outcomes
    from dust_core.declared.protection.remote import remote_outcomes
    from dust_core.declared.protection.workflow import protected_branches, read_workflow

    root = Repository.around(folder).root
    branches = protected_branches(read_workflow(root))
    outcomes = list(local_outcomes(root, _tracked(root)))
    known = Outcome("the protected branch is known", "ok", ", ".join(branches))
    if not branches:
        known = Outcome(known.check, "missing", "the workflow of the review names none")
    outcomes.append(known)
    for branch in branches:
        outcomes += remote_outcomes(root, branch)
    return outcomes


def _tracked(root: Path) -> list[str]:
    done = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True
    )
    return [name.decode("utf-8", "replace") for name in done.stdout.split(b"\0") if name]


def _table(outcomes: Iterable[Outcome]) -> str:
    rows = [("check", "state", "detail")]
    rows += [(outcome.check, outcome.state, outcome.detail) for outcome in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{check:{widths[0]}}  {state:{widths[1]}}  {detail}".rstrip()
        for check, state, detail in rows
    )
