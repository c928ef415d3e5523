"""When a ledger of executions holds together, and agrees with dvc.lock.

The validator asks it of the files beside the specs, `dust diff` of what a change appends.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from dust_core.declared.project import ARTIFACTS, DEVICE_FILE
from dust_core.declared.records.ledger import LedgerFile, LedgerLine, ledger_path

if TYPE_CHECKING:
    from dust_core.declared.change.executed import Execution

Kind = Literal["again", "contradicted", "unrecorded", "unwritten"]
Written = Mapping[tuple[str, str], frozenset[str]]
"""MD5s of a file that executed tasks wrote, by profile and path."""


@dataclass(frozen=True, slots=True)
class Discord:
    """A fault of the ledger itself, or between it and a lock.

    Attributes:
        kind: `again`, a run was executed a second time; `contradicted`, lock and ledger differ;
            `unrecorded`, the ledger lacks an execution of the lock; `unwritten`, a file that was
            read is of no execution of the ledger.
        profile: the profile.
        task: the task.
        run: the run that the fault is about.
        path: the file of the ledger.
        line: the line in it, from 1; 0 where the ledger has no such line.
        text: what is wrong, as the rest of a sentence about the task's run.
    """

    kind: Kind
    profile: str
    task: str
    run: int
    path: str
    line: int
    text: str

    @property
    def sentence(self) -> str:
        """The fault in a sentence."""
        return f"{self.task} run {self.run} ({self.profile}) {self.text}"

    @property
    def advice(self) -> str:
        """What to do about it."""
        match self.kind:
            case "again":
                return f"take the next run: {self.run + 1}"
            case "contradicted":
                return "restore the one that was edited"
            case "unrecorded":
                return "write it with 'dust ledger --append'"
            case "unwritten":
                return "restore the line of the execution that wrote it"


def executed_again(files: Sequence[LedgerFile]) -> Iterator[Discord]:
    """Each line that repeats a run of its task, or goes back behind it.

    A run is executed once. There is one exception: it may be executed again where a file that it
    reads was written anew by another execution of the ledger. Each run of that file's own task
    obeys the same rule.
    """
    written = written_by(files)
    for file in files:
        for index, line in enumerate(file.lines):
            why = _why_not_next(line, file.lines[:index], written) if index else ""
            if why:
                place = (line.profile, line.task, line.run, file.path, index + 1)
                yield Discord("again", *place, why)


def unwritten_inputs(files: Sequence[LedgerFile]) -> Iterator[Discord]:
    """Each last line that read an artifact of its profile that no line of the ledger wrote."""
    written = written_by(files)
    for file in (file for file in files if file.lines):
        line = file.lines[-1]
        folder = f"{(ARTIFACTS / line.profile).as_posix()}/"
        for path, md5 in line.inputs.items():
            is_made = path.startswith(folder) and not is_device(path)
            if is_made and md5 not in written.get((line.profile, path), ()):
                place = (line.profile, line.task, line.run, file.path, len(file.lines))
                name = path.removeprefix(folder)
                yield Discord("unwritten", *place, f"read a {name} that no execution wrote")


def disagreements(
    profile: str, executed: Mapping[str, "Execution"], files: Sequence[LedgerFile]
) -> Iterator[Discord]:
    """Each way in which the last executions of the ledger differ from those of a lock.

    Args:
        profile: the profile.
        executed: the executions of its lock, by task.
        files: the whole ledger.
    """
    last = last_lines(profile, files)
    for task, execution in executed.items():
        path = ledger_path(profile, task)
        line, number = last.get(task, (None, 0))
        if line is None or line.run < execution.run:
            text = "is in dvc.lock and not in the ledger"
            yield Discord("unrecorded", profile, task, execution.run, path, number, text)
        elif parts := _differing(execution, line):
            text = f"differs between dvc.lock and the ledger ({parts})"
            yield Discord("contradicted", profile, task, line.run, path, number, text)
    for task, (line, number) in last.items():
        if task not in executed:
            place = (profile, task, line.run, ledger_path(profile, task), number)
            yield Discord("contradicted", *place, "is in the ledger and not in dvc.lock")


def last_lines(profile: str, files: Sequence[LedgerFile]) -> dict[str, tuple[LedgerLine, int]]:
    """The last execution of each task under a profile, with the number of its line."""
    return {
        file.lines[-1].task: (file.lines[-1], len(file.lines))
        for file in files
        if file.lines and file.lines[-1].profile == profile
    }


def written_by(files: Sequence[LedgerFile]) -> Written:
    """What the executions of the ledger wrote."""
    written: dict[tuple[str, str], set[str]] = {}
    for line in (line for file in files for line in file.lines):
        for path, md5 in line.outputs.items():
            written.setdefault((line.profile, path), set()).add(md5)
    return {key: frozenset(values) for key, values in written.items()}


def differing_paths(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The files that are on one side only, or whose MD5 differs."""
    paths = dict.fromkeys((*before, *after))
    return tuple(path for path in paths if before.get(path) != after.get(path))


def is_device(path: str) -> bool:
    """Whether a file identifies the device."""
    return PurePosixPath(path).name == DEVICE_FILE


def _why_not_next(line: LedgerLine, earlier: Sequence[LedgerLine], written: Written) -> str:
    last = earlier[-1]
    if line.run > last.run and line.finished <= last.finished:
        return f"ended no later than run {last.run} before it, so it is that run"
    if line.run != last.run:
        return "" if line.run > last.run else f"comes after run {last.run}"
    if (line.spec_digest, line.workload_sha256) != (last.spec_digest, last.workload_sha256):
        return "was executed again with another spec"
    inputs = _without_device(line.inputs)
    if any(line.run == past.run and inputs == _without_device(past.inputs) for past in earlier):
        paths = differing_paths(last.inputs, line.inputs)
        how = "on another device" if any(map(is_device, paths)) else "on the same inputs"
        return f"was executed again {how}"
    for path in differing_paths(_without_device(last.inputs), inputs):
        before, after = last.inputs.get(path, ""), line.inputs.get(path)
        if (after or before) not in written.get((line.profile, path), ()):
            return f"was executed again with another {path}, which no executed task wrote"
    return ""


def _without_device(inputs: Mapping[str, str]) -> dict[str, str]:
    return {path: md5 for path, md5 in inputs.items() if not is_device(path)}


def _differing(execution: "Execution", line: LedgerLine) -> str:
    """What a lock and a line of the same task say differently, in words; else empty."""
    parts = []
    if execution.run != line.run:
        parts.append(f"run {execution.run} in dvc.lock")
    if execution.exp_id != line.exp_id:
        parts.append("its id")
    if line.result not in execution.outputs:
        parts.append("its result file")
    parts += [f"reads {path}" for path in differing_paths(execution.dependencies, line.inputs)]
    parts += [f"writes {path}" for path in differing_paths(execution.outputs, line.outputs)]
    return ", ".join(parts)
