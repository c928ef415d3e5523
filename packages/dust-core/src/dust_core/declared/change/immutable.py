"""Executed tasks that a change rewrites: their figures would describe another experiment."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.agreed.executions import (
    Attempt,
    Contradiction,
    Executed,
    contradictions,
)
from dust_core.declared.change.executed import Execution
from dust_core.declared.change.recorded import departures
from dust_core.declared.change.stale import what_it_is
from dust_core.declared.change.values import compare, value_at

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot
    from dust_core.declared.specs import ResolvedTask


@dataclass(frozen=True, slots=True)
class Conflict:
    """An executed task whose spec differs from what was executed.

    Attributes:
        attempt: what was executed.
        task: the task at the head in its place; its own id if it was removed.
        event: changed, removed, renamed, or reused where another task takes its experiment's id.
        what: the parts of the specs that differ from what was executed, in words.
    """

    attempt: Attempt
    task: str
    event: Contradiction
    what: tuple[str, ...]

    @property
    def refusal(self) -> str:
        """A sentence that says what is wrong and what would be right."""
        run = self.attempt.run
        done = f"{self.attempt.task} was executed as {self.attempt.name}"
        match self.event:
            case "removed":
                return f"{done} and is removed: its figures would be of no task"
            case "renamed":
                return f"{done} and is renamed to {self.task}: its figures would be of no task"
            case "reused":
                return f"{done}, and {self.task} takes that id for another experiment"
            case "changed":
                parts = ", ".join(self.what)
                fix = f"restore it, or write run: {run + 1} and its exp_id"
                return f"{done} and changes ({parts}): {fix}"


def conflict_refusals(changes: Iterable[Conflict], refused_lines: Collection[str]) -> Iterator[str]:
    """Why conflicts are refused: a sentence for each, or for all that have the same reason.

    Args:
        changes: the conflicts.
        refused_lines: names of lines that are refused by themselves; only restoring them helps.
    """
    alike: dict[tuple[str, ...], list[Conflict]] = {}
    for conflict in changes:
        if conflict.event == "changed":
            alike.setdefault(conflict.what, []).append(conflict)
        else:
            yield conflict.refusal
    for what, members in alike.items():
        tasks = list(dict.fromkeys(conflict.task for conflict in members))
        if all(part in {f"the line {name}" for name in refused_lines} for part in what):
            were = "were" if len(tasks) > 1 else "was"
            yield f"{', '.join(tasks)} {were} executed under {' and '.join(what)}: restore it"
        elif len(tasks) == 1:
            yield members[0].refusal
        else:
            fix = "restore it, or write the next run of each"
            yield f"{', '.join(tasks)} were executed and change ({', '.join(what)}): {fix}"


def conflicts(
    old: "Snapshot",
    new: "Snapshot",
    before: Sequence[Executed],
    fresh: Sequence[Executed],
    renamed: Mapping[str, str],
) -> Iterator[Conflict]:
    """Each execution that the specs of the head contradict.

    A task that the change does not touch is no conflict, even if the base changed since.

    Args:
        old: the base.
        new: the head.
        before: what was executed before the change is merged.
        fresh: what the head executes in addition; it is as the head's specs have it.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    is_same = old.written == new.written  # digests take a third of the time
    for executed in before:
        task = executed.attempt.task
        touched = not is_same and _identity(old, executed) != _identity(new, executed)
        what = _what(executed, old, new) if touched else ()
        for heir, event in contradictions(executed.attempt, new.tasks, not what, renamed):
            if event not in ("removed", "renamed") or task in old.tasks:
                yield Conflict(executed.attempt, heir, event, what if event == "changed" else ())
    for executed in fresh:
        what = _what(executed, new, new)
        for heir, event in contradictions(executed.attempt, new.tasks, not what, renamed):
            yield Conflict(executed.attempt, heir, event, what if event == "changed" else ())


def _resolved(snapshot: "Snapshot", executed: Executed) -> "ResolvedTask | None":
    """The task that was executed, as a side has it; None where it is absent."""
    from dust_core.declared.specs import resolve

    task, profile = executed.attempt.task, executed.profile
    if task not in snapshot.tasks or profile not in snapshot.profiles:
        return None
    return resolve(snapshot.specs, task, profile)


def _identity(snapshot: "Snapshot", executed: Executed) -> tuple[str, str] | None:
    """The digests of a task and of its workload; None where the task is absent."""
    task = _resolved(snapshot, executed)
    return (task.digest, task.workload_digest) if task else None


def _what(executed: Executed, old: "Snapshot", new: "Snapshot") -> tuple[str, ...]:
    """What decides the task and differs between the head and the execution, in words."""
    parts: list[str] = []
    if executed.locked is not None:
        parts += departures(executed.locked, new.models)
        parts += _unrecorded(executed.locked, old, new)
    task = _resolved(new, executed)
    if task is not None and executed.is_on_other_workload(task):
        parts.append("the workload")
    elif task is not None and executed.differs_from(task) and not parts:
        parts.append("its spec")
    return tuple(dict.fromkeys(parts))


def _unrecorded(execution: Execution, old: "Snapshot", new: "Snapshot") -> Iterator[str]:
    """The workload, if the change is in parts that the stage does not read. The digest covers these
    parts too, and the base has them as they were executed.
    """
    for file, values in execution.parameters.items():
        if not file.endswith("/workload.yaml") or "spec" in values:
            continue
        before, after = (value_at(side.models.get(file), "spec") for side in (old, new))
        changes = compare(before, after)
        if any(f"spec.{change.field.split('.')[0]}" not in values for change in changes):
            yield what_it_is(file, "spec", "")
