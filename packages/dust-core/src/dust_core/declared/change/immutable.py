"""Executed tasks that a change rewrites: their figures would stand under another experiment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from dust_core.declared.change.executed import Execution
from dust_core.declared.change.stale import PROFILES, what_it_is
from dust_core.declared.change.values import FieldChange, compare, value_at

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Conflict:
    """An executed task whose spec is not what was executed.

    Attributes:
        execution: what was executed.
        task: the task at the head that stands in its place; its own id where it is gone.
        event: changed, removed, renamed, or reused where another task takes its experiment's id.
        what: the parts of the specs that differ from what was executed, in words.
    """

    execution: Execution
    task: str
    event: str
    what: tuple[str, ...]

    @property
    def refusal(self) -> str:
        """What is wrong and what would be right, in a sentence."""
        name, run = self.execution.name, self.execution.run
        done = f"{self.execution.task} was executed as {name}"
        match self.event:
            case "removed":
                return f"{done} and is removed: its figures would be of no task"
            case "renamed":
                return f"{done} and is renamed to {self.task}: its figures would be of no task"
            case "reused":
                return f"{done}, and {self.task} takes that id for another experiment"
            case _:
                parts = ", ".join(self.what)
                return f"{done} and changes ({parts}): write run: {run + 1} and its exp_id"


def conflicts(
    old: "Snapshot",
    new: "Snapshot",
    executed: Sequence[Execution],
    renamed: Mapping[str, str],
) -> Iterator[Conflict]:
    """Each execution that the change from `old` to `new` contradicts.

    A task may change while its `run` is above the executed one. One that the change leaves alone
    is no conflict, although the base may have moved on since.

    Args:
        old: the base.
        new: the head.
        executed: what was executed before the change is merged.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    successors = {former: task for task, former in renamed.items()}
    for one in executed:
        if one.task not in new.tasks:
            if one.task in old.tasks:
                successor = successors.get(one.task)
                event = "renamed" if successor else "removed"
                yield Conflict(one, successor or one.task, event, ())
        elif new.tasks[one.task].run <= one.run and _decided(old, one.task) != _decided(
            new, one.task
        ):
            what = tuple(dict.fromkeys(_departures(one, new)))
            if what:
                yield Conflict(one, one.task, "changed", what)
        for task, spec in new.tasks.items():
            is_other = task != one.task and renamed.get(task) != one.task
            if is_other and one.exp_id is not None and spec.exp_id == one.exp_id:
                yield Conflict(one, task, "reused", ())


def _decided(snapshot: "Snapshot", task: str) -> str | None:
    """The digest of a task, which no profile enters; None where the task is not there."""
    from dust_core.declared.specs import resolve

    if task not in snapshot.tasks or not snapshot.profiles:
        return None
    return resolve(snapshot.specs, task, next(iter(snapshot.profiles))).digest


def _departures(execution: Execution, head: "Snapshot") -> Iterator[str]:
    """What differs at the head from the values that were executed, profiles apart."""
    for file, values in execution.parameters.items():
        if file.startswith(PROFILES):
            continue
        for key, value in values.items():
            for change in _compare(value, value_at(head.models.get(file), key)):
                field = f"{key}.{change.field}".rstrip(".")
                own = f"spec.tasks.{execution.task}."
                yield (
                    field.removeprefix(own)
                    if field.startswith(own)
                    else what_it_is(file, key, execution.task)
                )


def _compare(executed: Any, head: Any) -> tuple[FieldChange, ...]:
    """The fields in which a recorded value decides otherwise than the head's."""
    if isinstance(head, BaseModel):
        try:
            executed = type(head).model_validate(executed)
        except ValidationError:  # the format has changed since in more than what it may leave out
            return (FieldChange("", executed, head),)
    return compare(executed, head)
