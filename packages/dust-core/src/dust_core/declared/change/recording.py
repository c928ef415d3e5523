"""Append to the ledger what dvc.lock and the stored results say was executed."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.agreed.ledger import executed_again, last_lines
from dust_core.declared.change.executed import Execution, executions
from dust_core.declared.change.snapshot import in_working_tree
from dust_core.declared.records.ledger import (
    LedgerFile,
    LedgerLine,
    ledger_path,
    ledger_text,
    read_ledger,
)
from dust_core.errors import DustError
from dust_core.files import atomic_write_bytes
from dust_core.tracked import PULL

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


@dataclass(slots=True)
class Recorded:
    """What was appended, and what was not.

    Attributes:
        lines: the new lines of the ledger.
        left_out: executions that the ledger does not take, each a sentence with its reason.
    """

    lines: list[LedgerLine] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def record_executions(
    project: Path, specs: "SpecSet", profile: str, tasks: Collection[str] | None = None
) -> Recorded:
    """Append the executions of a profile that the ledger does not have yet.

    An execution is left out if its result is not here or is not that of dvc.lock, if it is a draft,
    or if its run was executed before.

    Args:
        project: the folder with dvc.lock and the ledger.
        specs: the specs, which say whether the profile is quotable.
        profile: the profile.
        tasks: the tasks to record; by default all.

    Raises:
        DustError: the profile is not quotable, or its lock or the ledger cannot be read.
    """
    if not specs.profile(profile).quotable:
        raise DustError(
            f"the profile {profile} is not quotable, and the ledger holds what may be quoted",
            where=f"specs/profiles/{profile}.yaml",
            fix="name a quotable profile",
        )
    files = in_working_tree(project, "specs").files
    ledger = read_ledger(files)
    for fault in (fault for file in ledger for fault in file.faults):
        raise DustError(
            f"the ledger cannot be read: {fault.text}",
            where=f"{fault.path}:{fault.line}",
            fix="restore the file with 'git checkout'; 'dust ledger --append' alone writes it",
        )
    recorded = Recorded()
    for execution in _unrecorded(profile, executions(files, profile), ledger):
        if tasks is not None and execution.task not in tasks:
            continue
        line = _line(project, execution)
        if isinstance(line, str):
            recorded.left_out.append(f"{execution.task} run {execution.run} {line}")
            continue
        ledger, again = _with(ledger, line)
        if again:
            recorded.left_out.append(again)
            continue
        recorded.lines.append(line)
    for line in recorded.lines:
        path = ledger_path(profile, line.task)
        atomic_write_bytes(project / path, files.get(path, b"") + ledger_text([line]).encode())
    return recorded


def _unrecorded(
    profile: str, locked: Mapping[str, Execution], ledger: tuple[LedgerFile, ...]
) -> Iterator[Execution]:
    """The executions of a lock that are not the last of their tasks in the ledger."""
    last = last_lines(profile, ledger)
    for task, execution in locked.items():
        line, _ = last.get(task, (None, 0))
        if line is None or (line.run, line.inputs, line.outputs) != (
            execution.run,
            execution.dependencies,
            execution.outputs,
        ):
            yield execution


def _with(ledger: tuple[LedgerFile, ...], line: LedgerLine) -> tuple[tuple[LedgerFile, ...], str]:
    """The ledger with a line appended; or as it was, and why the line may not follow."""
    path = ledger_path(line.profile, line.task)
    present = next((file.lines for file in ledger if file.path == path), ())
    longer = (*(f for f in ledger if f.path != path), LedgerFile(path, (*present, line)))
    for discord in executed_again(longer):
        if discord.path == path and discord.line == len(present) + 1:
            return ledger, f"{discord.sentence}: {discord.advice}"
    return longer, ""


def _line(project: Path, execution: Execution) -> LedgerLine | str:
    """The line of an execution, or why there is none, as the rest of a sentence."""
    from dust_core.declared.records import overall, parse_result_file

    name = _result_of(execution)
    if not name or not (project / name).is_file():
        return f"has no result here: fetch {name or 'it'} with '{PULL}'"
    content = (project / name).read_bytes()
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != execution.outputs[name]:
        restore = f"restore it with 'dvc pull --force {name}'"
        return f"has another {name} here than in dvc.lock: {restore}"
    try:
        result = parse_result_file(content, Path(name))
    except DustError as error:
        return f"has a result that cannot be read: {error.what}"
    provenance = result.candidates[0].provenance
    if (provenance.task, provenance.profile) != (execution.task, execution.profile):
        return f"has the result of {provenance.task} under {provenance.profile}"
    if getattr(provenance, "draft", False):
        return "is a draft: run it without --draft"
    return LedgerLine(
        profile=execution.profile,
        task=execution.task,
        run=execution.run,
        exp_id=execution.exp_id,
        spec_digest=provenance.spec_digest,
        workload_sha256=provenance.workload_sha256,
        result=name,
        result_sha256=hashlib.sha256(content).hexdigest(),
        inputs=dict(execution.dependencies),
        outputs=dict(execution.outputs),
        device=provenance.device.fingerprint,
        measuring_code=getattr(provenance, "measuring_code", None),
        commit=provenance.commit,
        finished=provenance.finished,
        verdict=overall(result.verdicts),
    )


def _result_of(execution: Execution) -> str:
    """The result file among the outputs; an engine's manifest is JSON too. Empty if none is."""
    names = (name for name in execution.outputs if name.endswith(".json"))
    return next((name for name in names if not name.endswith(".trt.json")), "")
