"""Success lines that a change loosens or tightens, each with its tasks.

Lines belong to stage and kind, not to ids: the task in another's place has at least its lines, and
a new task those of its kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dust_core.declared.agreed.design import AgreedLine, agreed_lines
from dust_core.declared.agreed.lines import (
    LETS_MORE_THROUGH,
    Direction,
    HeldLine,
    LineDifference,
    held_to,
    line_differences,
)
from dust_core.declared.change.heirs import formers, kind_of
from dust_core.declared.specs.models import Task, Waiver

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot

_Difference = LineDifference[HeldLine | AgreedLine]


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


def line_changes(
    old: "Snapshot", new: "Snapshot", today: date, *, renamed: Mapping[str, str]
) -> tuple[LineChange, ...]:
    """Every line that differs, each once, in the order of its tasks.

    Args:
        old: the specs at the base.
        new: the specs at the head.
        today: the day on which waivers are judged.
        renamed: tasks that are in the place of another: the new one -> the old one.
    """
    concerned: dict[_Difference, list[str]] = {}
    for difference, task in (*_of_tasks(old, new, renamed), *_of_unused_lines(old, new)):
        tasks = concerned.setdefault(difference, [])
        if task:
            tasks.append(task)
    changes = [
        LineChange(
            difference.direction,
            difference.old,
            difference.new,
            tuple(tasks),
            difference.waiver_on(today),
            difference.refused_on(today),
        )
        for difference, tasks in concerned.items()
    ]
    return (*changes, *_of_removed_tasks(old, new, renamed))


def _of_tasks(
    old: "Snapshot", new: "Snapshot", renamed: Mapping[str, str]
) -> Iterator[tuple[_Difference, str]]:
    """How the lines of each task differ from those of the task in whose place it is.

    For a new task only the lines of its kind that it lacks or loosens are reported.
    """
    places = dict(formers(old.tasks, new.tasks, renamed))
    for task_id, task in new.tasks.items():
        former = places.get(task_id)
        before: list[HeldLine | AgreedLine]
        if former is not None:
            before = [*held_to(old.gates, old.tasks[former].gate)]
        else:
            before = _of_kind(old, task_id, task)
        for difference in line_differences(before, held_to(new.gates, task.gate)):
            if former is not None or difference.direction in LETS_MORE_THROUGH:
                yield difference, task_id


def _of_kind(old: "Snapshot", task_id: str, task: Task) -> list[HeldLine | AgreedLine]:
    """The lines of a new task: those agreed for its kind, or as the base has tightened them."""
    lines: list[HeldLine | AgreedLine] = [*(agreed_lines(task_id, task.model_dump()) or ())]
    siblings = [
        held
        for name, sibling in old.tasks.items()
        if kind_of(name, sibling) == kind_of(task_id, task)
        for held in held_to(old.gates, sibling.gate)
    ]
    for place in range(len(lines)):
        for held in siblings:
            if any(d.direction == "tightened" for d in line_differences([lines[place]], [held])):
                lines[place] = held
    return lines


def _of_unused_lines(old: "Snapshot", new: "Snapshot") -> Iterator[tuple[_Difference, str]]:
    """How lines differ that no task has on either side; a later task may name them."""
    used = {name for side in (old, new) for task in side.tasks.values() for name in task.gate}
    for name in new.gates:
        if name in old.gates and name not in used:
            unused: list[HeldLine | AgreedLine] = [HeldLine(name, old.gates[name])]
            for difference in line_differences(unused, held_to(new.gates, [name])):
                yield difference, ""


def _of_removed_tasks(
    old: "Snapshot", new: "Snapshot", renamed: Mapping[str, str]
) -> Iterator[LineChange]:
    """The lines of tasks in whose place no task is.

    Another task of the same stage and kind may hold them still: then fewer tasks hold the line,
    which is reported. Without such a task nothing holds it any more, which is refused.
    """
    kept = {former for _, former in formers(old.tasks, new.tasks, renamed)}
    dropped: dict[tuple[HeldLine, bool], list[str]] = {}
    for former, task in old.tasks.items():
        if former in kept:
            continue
        heirs = [
            held_to(new.gates, heir.gate)
            for name, heir in new.tasks.items()
            if kind_of(name, heir) == kind_of(former, task)
        ]
        for line in held_to(old.gates, task.gate):
            is_held = any(_holds(held, line) for held in heirs)
            dropped.setdefault((line, not is_held), []).append(former)
    for (line, refused), tasks in dropped.items():
        yield LineChange("dropped", line, None, tuple(tasks), None, refused)


def _holds(held: list[HeldLine], line: HeldLine) -> bool:
    """Whether lines require at least what a line does."""
    return not any(d.direction in LETS_MORE_THROUGH for d in line_differences([line], held))
