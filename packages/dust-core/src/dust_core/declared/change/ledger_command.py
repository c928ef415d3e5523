"""The verb `dust ledger`."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.change.text import counted
from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import SPECS

if TYPE_CHECKING:
    from dust_core.declared.change.recording import Recorded
    from dust_core.declared.records.ledger import LedgerLine


def ledger(
    profile: ProfileOption = "small",
    append: Annotated[
        bool, typer.Option("--append", help="Append what dvc.lock says was executed since.")
    ] = False,
    specs: SpecsOption = SPECS,
) -> None:
    """Show what was executed; exit 1 if an execution is left out, or a line cannot be read."""
    from dust_core.declared.change.recording import record_executions
    from dust_core.declared.change.snapshot import in_working_tree
    from dust_core.declared.records.ledger import read_ledger
    from dust_core.declared.specs import load_specs

    folder = specs.resolve()
    if append:
        recorded = record_executions(folder.parent, load_specs(specs), profile)
        show_recorded(recorded)
        if recorded.left_out:
            raise typer.Exit(1)
        return
    files = read_ledger(in_working_tree(folder.parent, folder.name).files)
    rows = [
        (line.finished, f"{_row(line)}{_again(line, file.lines[:index])}")
        for file in files
        for index, line in enumerate(file.lines)
        if line.profile == profile
    ]
    for _, row in sorted(rows, key=lambda row: row[0]):
        typer.echo(row)
    typer.echo(f"{counted(len(rows), 'execution')} under {profile}")
    faults = [fault for file in files for fault in file.faults]
    for fault in faults:
        typer.echo(f"not shown: {fault.path}:{fault.line}: {fault.text}", err=True)
    if faults:
        raise typer.Exit(1)


def show_recorded(recorded: "Recorded") -> None:
    """Print what was appended to the ledger, and on standard error what was not and why."""
    for line in recorded.lines:
        typer.echo(f"ledger: {line.task} run {line.run} is appended")
    if recorded.lines:
        typer.echo("commit dvc.lock and executions together, and 'dvc push' what they name")
    for reason in recorded.left_out:
        typer.echo(f"not in the ledger: {reason}", err=True)


def _row(line: "LedgerLine") -> str:
    verdict = line.verdict or "not judged"
    when = f"{line.finished:%Y-%m-%d %H:%M}"
    place = f"device {line.device[:8]}  commit {line.commit[:10]}"
    return f"{when}  {line.task:<10}  {line.name:<24}  {verdict:<12}  {place}"


def _again(line: "LedgerLine", earlier: Sequence["LedgerLine"]) -> str:
    """What the last execution of the same run read that was another file; empty for a first one."""
    from dust_core.declared.agreed.ledger import differing_paths
    from dust_core.declared.records.environment import named_few

    before = next((past for past in reversed(earlier) if past.run == line.run), None)
    if before is None:
        return ""
    names = [PurePosixPath(path).name for path in differing_paths(before.inputs, line.inputs)]
    which = f"other inputs: {named_few(names)}" if names else "the same inputs"
    return f"  again, on {which}"
