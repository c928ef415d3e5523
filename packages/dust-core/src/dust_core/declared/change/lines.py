"""Success lines that a change loosens or tightens, seen from the tasks that are held to them.

A line can be loosened at gates.yaml, where its value stands, and at a task, which can name a laxer
gate or none: both let more through, so both are found here, once, with the tasks they concern.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from dust_core.declared.specs.models import Gate, Waiver

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot

Direction = Literal["loosened", "tightened", "moved", "dropped", "added"]

NEEDS_WAIVER: frozenset[Direction] = frozenset({"loosened", "moved", "dropped"})
"""Directions that let something through which the base stops. A line against another baseline is
another line, however strict its number."""


@dataclass(frozen=True, slots=True)
class Line:
    """A gate with its name."""

    name: str
    gate: Gate

    @property
    def text(self) -> str:
        """`delta1_drop <= 1 % of P0-2`."""
        gate = self.gate
        against = f" against {gate.baseline}" if gate.baseline else ""
        return f"{gate.metric} {gate.op} {gate.value:g} {gate.unit}{against}"


_Change = tuple[Direction, Line | None, Line | None]


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line that changed.

    Attributes:
        direction: loosened and tightened by the line's operator; moved to another baseline;
            dropped from a task or from gates.yaml; added.
        old: the line at the base; None where there is none.
        new: the line at the head; None where there is none.
        tasks: the tasks whose line it is; empty for a line that no task names.
        waiver: the waiver that covers a loosened line today; None without one.
    """

    direction: Direction
    old: Line | None
    new: Line | None
    tasks: tuple[str, ...]
    waiver: Waiver | None

    @property
    def refused(self) -> bool:
        """Whether it loosens a line and no waiver that holds today says why."""
        return self.direction in NEEDS_WAIVER and self.waiver is None

    @property
    def refusal(self) -> str:
        """Why it is refused, in a sentence."""
        line = self.new or self.old
        name = line.name if line else ""
        held = f" ({', '.join(self.tasks)})" if self.tasks else ""
        return f"the line {name} is {self.direction}{held} and no valid waiver says why"


@dataclass(frozen=True, slots=True)
class WaiverChange:
    """A waiver that came, went, changed, or has run out."""

    line: str
    event: Literal["added", "changed", "removed", "expired"]
    waiver: Waiver


def line_changes(
    old: "Snapshot", new: "Snapshot", today: date, *, renamed: Mapping[str, str]
) -> tuple[LineChange, ...]:
    """Every line that differs, each once, in the order of the tasks it concerns.

    Args:
        old: the specs at the base.
        new: the specs at the head.
        today: the day on which waivers are judged.
        renamed: tasks that only have another id: the new one -> the old one.
    """
    concerned: dict[_Change, list[str]] = {}
    for task_id, task in new.tasks.items():
        former = old.tasks.get(renamed.get(task_id, task_id))
        if former is not None:
            before = _held_to(old.gates, former.gate)
            for change in _compare(before, _held_to(new.gates, task.gate)):
                concerned.setdefault(change, []).append(task_id)
    seen = {line.name for _, *lines in concerned for line in lines if line is not None}
    for name in new.gates:
        if name in old.gates and name not in seen:
            # No task of both sides is held to it: the next one that names it would be.
            for change in _compare(_held_to(old.gates, [name]), _held_to(new.gates, [name])):
                concerned.setdefault(change, [])
    return tuple(
        LineChange(direction, former_line, line, tuple(tasks), _waiver(direction, line, today))
        for (direction, former_line, line), tasks in concerned.items()
    )


def waiver_changes(old: "Snapshot", new: "Snapshot", today: date) -> tuple[WaiverChange, ...]:
    """What became of waivers, line by line; one that expired is told however old it is."""
    return tuple(
        change
        for name in dict.fromkeys((*new.gates, *old.gates))
        for change in _waiver_events(name, old.gates.get(name), new.gates.get(name), today)
    )


def _held_to(gates: Mapping[str, Gate], names: Iterable[str]) -> list[Line]:
    return [Line(name, gates[name]) for name in names if name in gates]


def _compare(old: list[Line], new: list[Line]) -> Iterator[_Change]:
    """The changes among the lines of one task, metric by metric, the strictest line deciding."""
    metrics = dict.fromkeys(line.gate.metric for line in (*old, *new))
    for metric in metrics:
        before, after = _by_baseline(old, metric), _by_baseline(new, metric)
        lost = [before[one] for one in before if one not in after]
        gained = [after[one] for one in after if one not in before]
        for baseline in (one for one in before if one in after):
            direction = _direction(before[baseline].gate, after[baseline].gate)
            if direction:
                yield direction, before[baseline], after[baseline]
        while lost and gained:
            yield "moved", lost.pop(0), gained.pop(0)
        yield from (("dropped", line, None) for line in lost)
        yield from (("added", None, line) for line in gained)


def _by_baseline(lines: list[Line], metric: str) -> dict[str | None, Line]:
    """The strictest line on a metric, for each baseline that it is taken against."""
    found: dict[str | None, Line] = {}
    for line in lines:
        if line.gate.metric == metric:
            rival = found.setdefault(line.gate.baseline, line)
            if _direction(rival.gate, line.gate) == "tightened":
                found[line.gate.baseline] = line
    return found


def _direction(old: Gate, new: Gate) -> Direction | None:
    """Whether `new`, on the metric and baseline of `old`, lets more or less through."""
    if new.value == old.value:
        return None
    match new.op:
        case "<=":
            return "loosened" if new.value > old.value else "tightened"
        case ">=":
            return "loosened" if new.value < old.value else "tightened"
        case "==":
            # Another exact value is met by what the old one refuses.
            return "loosened"


def _waiver(direction: Direction, line: Line | None, today: date) -> Waiver | None:
    if direction not in NEEDS_WAIVER or line is None or line.gate.waiver is None:
        return None
    return line.gate.waiver if line.gate.waiver.expires >= today else None


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
