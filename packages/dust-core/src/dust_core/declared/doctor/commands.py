"""The verb `dust doctor`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.options import SpecsOption
from dust_core.declared.project import SPECS
from dust_core.declared.protection.outcome import Outcome
from dust_core.errors import DustError


def doctor(
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", "-p", help="Only this profile; all of them by default.", show_default=False
        ),
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Check what protects the review instead.")
    ] = False,
    specs: SpecsOption = SPECS,
) -> None:
    """Say what this machine can run, and what it lacks; exit 1 if no profile runs."""
    from dust_core.declared.doctor.machine import gpus, machine_outcomes
    from dust_core.declared.doctor.profiles import profile_outcomes
    from dust_core.declared.protection.whole import review_outcomes

    if review:
        if profile is not None:
            raise DustError("--review checks no profile", fix="give one of --review and --profile")
        outcomes = review_outcomes(Path.cwd())
        typer.echo(_table(outcomes))
        if _lacks(outcomes):
            raise typer.Exit(1)
        return
    found = gpus()
    by_profile = profile_outcomes(specs, profile, len(found))
    rows = [*machine_outcomes(found), *(row for rows in by_profile.values() for row in rows)]
    typer.echo(_table(rows))
    able = [name for name, rows in by_profile.items() if not _lacks(rows)]
    typer.echo(f"\nruns here: {', '.join(able) or 'none'}")
    if not able:
        raise typer.Exit(1)


def _lacks(outcomes: Iterable[Outcome]) -> bool:
    return any(outcome.state == "missing" for outcome in outcomes)


def _table(outcomes: Iterable[Outcome]) -> str:
    rows = [("check", "state", "detail")]
    rows += [(outcome.check, outcome.state, outcome.detail) for outcome in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(
        f"{check:{widths[0]}}  {state:{widths[1]}}  {detail}".rstrip()
        for check, state, detail in rows
    )
