"""The verbs `dust validate` and `dust rules`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Folders of specs or artifacts, projects that hold them, or single files; by "
            "default the project in the current folder.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(help="Only rules whose id begins so: GATE, REC00.", metavar="ID,..."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="No rules whose id begins so.", metavar="ID,..."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write.")] = Format.TEXT,
) -> None:
    """Check specs, records, tables and artifacts; exit 1 if a rule finds an error."""
    from dust_core.declared.checks import validate as run
    from dust_core.declared.checks.formats import write
    from dust_core.declared.dvc_files import mend_all

    if not paths:
        mend_all(Path())
    report = run(paths or (), select=select or (), ignore=ignore or ())
    write(report, form.value, sys.stdout)
    if report.errors:
        raise typer.Exit(1)


def rules(
    prefixes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Only rules whose id begins so.", show_default=False
        ),
    ] = None,
) -> None:
    """Explain the rules of `dust validate`, as Markdown."""
    from dust_core.declared.checks.catalogue import all_rules, catalogue
    from dust_core.declared.checks.select import choose

    typer.echo(catalogue(choose(all_rules(), prefixes or (), ())), nl=False)
