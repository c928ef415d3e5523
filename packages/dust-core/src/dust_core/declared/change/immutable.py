"""Executed tasks that a change rewrites: their figures would describe another experiment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from dust_core.declared.agreed.executions import Contradiction, contradictions
from dust_core.declared.change.executed import Execution
from dust_core.declared.change.stale import PROFILES, what_it_is
from dust_core.declared.change.values import FieldChange, compare, value_at
from dust_core.declared.specs.decides import prose_of

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Conflict:
    """An executed task whose spec differs from what was executed.

    Attributes:
        execution: what was executed.
        task: the task at the head in its place; its own id if it was removed.
        event: changed, removed, renamed, or reused where another task takes its experiment's id.
        what: the parts of the specs that differ from what was executed, in words.
    """

    execution: Execution
    task: str
    event: Contradiction
    what: tuple[str, ...]

    @property
    def refusal(self) -> str:
        """A sentence that says what is wrong and what would be right."""
        run = self.execution.run
        done = f"{self.execution.task} was executed as {self.execution.attempt.name}"
        match self.event:
            case "removed":
                return f"{done} and is removed: its figures would be of no task"
            case "renamed":
                return f"{done} and is renamed to {self.task}: its figures would be of no task"
            case "reused":
                return f"{done}, and {self.task} takes that id for another experiment"
            case "changed":
                parts = ", ".join(self.what)
                return f"{done} and changes ({parts}): write run: {run + 1} and its exp_id"


def conflicts(
    old: "Snapshot",
    new: "Snapshot",
    executed: Sequence[Execution],
    renamed: Mapping[str, str],
) -> Iterator[Conflict]:
    """Each execution that the change from `old` to `new` contradicts.

    A task that the change does not touch is no conflict, even if the base changed since.

    Args:
        old: the base.
        new: the head.
        executed: what was executed before the change is merged.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    for execution in executed:
        what: tuple[str, ...] = ()
        if _decided(old, execution) != _decided(new, execution):
            what = tuple(dict.fromkeys(_departures(execution, old, new)))
        for task, event in contradictions(execution.attempt, new.tasks, not what, renamed):
            if event not in ("removed", "renamed") or execution.task in old.tasks:
                yield Conflict(execution, task, event, what if event == "changed" else ())


def _decided(snapshot: "Snapshot", execution: Execution) -> tuple[str, str] | None:
    """The digests of a task and of its workload; None where the task is absent."""
    from dust_core.declared.specs import resolve

    if execution.task not in snapshot.tasks or execution.profile not in snapshot.profiles:
        return None
    task = resolve(snapshot.specs, execution.task, execution.profile)
    return task.digest, task.workload_digest


def _departures(execution: Execution, old: "Snapshot", new: "Snapshot") -> Iterator[str]:
    """What decides the task and differs between the head and the execution, in words.

    Only the workload's data of a profile counts: the rest decides no experiment.
    """
    own = f"spec.tasks.{execution.task}"
    for file, values in execution.parameters.items():
        for key, recorded in _recorded_parts(values).items():
            head = value_at(new.models.get(file), key)
            if file.startswith(PROFILES):
                if key == "spec.data" and compare(_workload_of(recorded), _workload_of(head)):
                    yield what_it_is(file, key, execution.task)
                continue
            for change in _compare(recorded, head):
                is_own_field = key == own and change.field
                yield change.field if is_own_field else what_it_is(file, key, execution.task)
        if file.endswith("/workload.yaml") and "spec" not in values:
            yield from _unrecorded(file, values, old, new)


def _recorded_parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a lock recorded of a file, by dotted key; the fields of a task or line are grouped."""
    parts: dict[str, Any] = {}
    for key, value in values.items():
        match key.split("."):
            case ["spec", "tasks" | "gates" as kind, name, field]:
                parts.setdefault(f"spec.{kind}.{name}", {})[field] = value
            case _:
                parts[key] = value
    return parts


def _compare(recorded: Any, head: Any) -> tuple[FieldChange, ...]:
    """The deciding fields in which the head differs from what a lock recorded."""
    if isinstance(head, BaseModel) and isinstance(recorded, Mapping):
        prose = head.model_dump(include=set(prose_of(type(head))))
        try:  # a field that was not recorded had its default
            recorded = type(head).model_validate({**prose, **recorded})
        except ValidationError:  # the format has changed since, in more than later fields
            return (FieldChange("", recorded, head),)
    return compare(recorded, head)


def _workload_of(data: Any) -> Any:
    """The workload among the sets of a profile, recorded or as a model; `embedded` as it is."""
    return value_at(data, "workload") if isinstance(data, BaseModel | Mapping) else data


def _unrecorded(
    file: str, values: Mapping[str, Any], old: "Snapshot", new: "Snapshot"
) -> Iterator[str]:
    """The workload, if the change is in parts that the stage does not read. The digest covers these
    parts too, and the base has them as they were executed.
    """
    before, after = (value_at(side.models.get(file), "spec") for side in (old, new))
    if any(f"spec.{change.field.split('.')[0]}" not in values for change in compare(before, after)):
        yield what_it_is(file, "spec", "")
