"""Success lines that a change loosens or tightens, each with its tasks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from dust_core.declared.agreed.design import AgreedLine, agreed_lines
from dust_core.declared.agreed.lines import (
    LETS_MORE_THROUGH,
    Direction,
    HeldLine,
    LineDifference,
    held_to,
    line_differences,
)
from dust_core.declared.specs.models import Gate, Task, Waiver

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that changed.

    Attributes:
        direction: loosened or tightened, by the line's operator; moved to another baseline; dropped
            from a task or from gates.yaml; added.
        old: the line at the base, or as agreed for a new task; None if there is no line.
        new: the line at the head; None if there is no line.
        tasks: the tasks whose line it is; empty for a line that no task names.
        waiver: the waiver that permits a loosened line today, if any.
        refused: whether the line lets more through and no waiver permits it today.
    """

    direction: Direction
    old: HeldLine | AgreedLine | None
    new: HeldLine | None
    tasks: tuple[str, ...]
    waiver: Waiver | None
    refused: bool

    @property
    def refusal(self) -> str:
        """A sentence that says why the change is refused."""
        line = self.new or self.old
        name = line.name if line else ""
        held = f" ({', '.join(self.tasks)})" if self.tasks else ""
        if self.direction == "loosened":
            return f"the line {name} is loosened{held} and no valid waiver says why"
        return f"the line {name} is {self.direction}{held}, which no waiver permits"


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """A waiver that was added, removed or changed, or that has expired."""

    line: str
    event: Literal["added", "changed", "removed", "expired"]
    waiver: Waiver


def line_changes(
    old: "Snapshot", new: "Snapshot", today: date, *, renamed: Mapping[str, str]
) -> tuple[LineChange, ...]:
    """Every line that differs, each once, in the order of its tasks.

    Args:
        old: the specs at the base.
        new: the specs at the head.
        today: the day on which waivers are judged.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    concerned: dict[LineDifference[HeldLine | AgreedLine], list[str]] = {}
    for task_id, task in new.tasks.items():
        former = old.tasks.get(renamed.get(task_id, task_id))
        after = held_to(new.gates, task.gate)
        for difference in line_differences(_before(old, former, task_id, task), after):
            # For a new task only the agreed lines that it lacks or loosens are reported.
            if former is not None or difference.direction in LETS_MORE_THROUGH:
                concerned.setdefault(difference, []).append(task_id)
    seen = {
        line.name
        for difference in concerned
        for line in (difference.old, difference.new)
        if line is not None
    }
    for name in new.gates:
        if name in old.gates and name not in seen:
            # No task on either side has this line yet, but a later task may name it.
            unused: list[HeldLine | AgreedLine] = [HeldLine(name, old.gates[name])]
            for difference in line_differences(unused, held_to(new.gates, [name])):
                concerned.setdefault(difference, [])
    return tuple(
        LineChange(
            difference.direction,
            difference.old,
            difference.new,
            tuple(tasks),
            difference.waiver_on(today),
            difference.refused_on(today),
        )
        for difference, tasks in concerned.items()
    )


def _before(
    old: "Snapshot", former: Task | None, task_id: str, task: Task
) -> list[HeldLine | AgreedLine]:
    """The lines to compare a task's with: those of the base or, for a new task, of its kind."""
    if former is not None:
        return [*held_to(old.gates, former.gate)]
    return [*(agreed_lines(task_id, task.model_dump()) or ())]


def waiver_changes(old: "Snapshot", new: "Snapshot", today: date) -> tuple[WaiverChange, ...]:
    """The changes of waivers, line by line; expired waivers are reported however old they are."""
    return tuple(
        change
        for name in dict.fromkeys((*new.gates, *old.gates))
        for change in _waiver_events(name, old.gates.get(name), new.gates.get(name), today)
    )


def _waiver_events(
    name: str, old: Gate | None, new: Gate | None, today: date
) -> Iterator[WaiverChange]:
    before = old.waiver if old else None
    after = new.waiver if new else None
    if before and not after:
        yield WaiverChange(name, "removed", before)
    if after and after != before:
        yield WaiverChange(name, "changed" if before else "added", after)
    if after and after.expires < today:
        yield WaiverChange(name, "expired", after)
