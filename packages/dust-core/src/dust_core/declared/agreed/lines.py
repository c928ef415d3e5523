"""When a success line is looser than another; the validator and `dust diff` both ask here.

The validator compares with what the design agreed on (agreed/design.py), `dust diff` with the base.
A line can be loosened in gates.yaml, which holds its value, or in a task, which can name a looser
gate or none. So lines are compared task by task, whatever their names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, Literal, Protocol, TypeVar

from dust_core.declared.specs.models import METRICS, Gate, Waiver

Direction = Literal["loosened", "tightened", "moved", "dropped", "added"]

LETS_MORE_THROUGH: frozenset[Direction] = frozenset({"loosened", "moved", "dropped"})
"""The directions that are refused. A waiver can permit only a looser value, because the two values
can be compared. A line against another baseline is a different line, however strict its number. A
dropped line has no value."""

LONGEST = timedelta(days=180)
"""How far ahead a waiver may expire."""


class Bound(Protocol):
    """What a line requires: a value of a metric, against one of some baselines.

    `departures` are the values that a waiver may name as `from`; None for a line as it was agreed.
    """

    @property
    def metric(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def baselines(self) -> tuple[str, ...]: ...
    @property
    def departures(self) -> frozenset[float] | None: ...


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A line that a task must meet: a gate with its name."""

    name: str
    gate: Gate

    @property
    def metric(self) -> str:
        """The quantity that the line binds."""
        return self.gate.metric

    @property
    def value(self) -> float:
        """The line, in the metric's unit."""
        return self.gate.value

    @property
    def baselines(self) -> tuple[str, ...]:
        """The baseline task of the line; none for an absolute quantity."""
        return (self.gate.baseline,) if self.gate.baseline else ()

    @property
    def text(self) -> str:
        """`delta1_drop <= 1 % against P0-2`."""
        gate = self.gate
        against = f" against {gate.baseline}" if gate.baseline else ""
        return f"{gate.metric} {gate.op} {gate.value:g} {gate.unit}{against}"

    @property
    def departures(self) -> frozenset[float]:
        """The values that a waiver of a looser line may name as `from`.

        They are the line's value and, while a waiver permits it, the value from before that.
        """
        waiver = self.gate.waiver
        return frozenset({self.value} if waiver is None else {self.value, waiver.from_})


B = TypeVar("B", bound=Bound)


@dataclass(frozen=True, slots=True)
class LineDifference(Generic[B]):
    """The old and the new line of a task where they differ; None on a side without a line."""

    direction: Direction
    old: B | None
    new: HeldLine | None

    def waiver_on(self, day: date) -> Waiver | None:
        """The waiver that permits the difference on that day: it is neither expired nor of another
        scope.
        """
        if self.direction != "loosened" or self.new is None or self.old is None:
            return None
        waiver = self.new.gate.waiver
        valid = waiver is not None and day <= waiver.expires <= day + LONGEST
        return waiver if waiver and valid and in_scope(self.old, self.new) else None

    def refused_on(self, day: date) -> bool:
        """Whether the new line lets more through and no waiver permits it."""
        return self.direction in LETS_MORE_THROUGH and self.waiver_on(day) is None


def held_to(gates: Mapping[str, Gate], names: Iterable[str]) -> list[HeldLine]:
    """The lines of a task by the names that it lists; names without a gate are left out."""
    return [HeldLine(name, gates[name]) for name in names if name in gates]


def line_differences(old: Sequence[B], new: Sequence[HeldLine]) -> Iterator[LineDifference[B]]:
    """The differences among the lines of one task, by metric; the strictest line counts.

    Args:
        old: the lines to compare with, at the base or as agreed.
        new: the lines that the task must meet.
    """
    metrics = [*(line.metric for line in old), *(held.metric for held in new)]
    for metric in dict.fromkeys(metrics):
        before = _strictest([line for line in old if line.metric == metric])
        after = _strictest([line for line in new if line.metric == metric])
        lost: list[B] = []
        kept: set[tuple[str, ...]] = set()
        for line in before:
            same = [held for held in after if _on_one_baseline(line, held)]
            kept.update(held.baselines for held in same)
            if not same:
                lost.append(line)
            elif direction := _direction(line, strictest := _strictest_of(same)):
                yield LineDifference(direction, line, strictest)
        gained = [held for held in after if held.baselines not in kept]
        for line, held in zip(lost, gained, strict=False):
            yield LineDifference("moved", line, held)
        for line in lost[len(gained) :]:
            yield LineDifference("dropped", line, None)
        for held in gained[len(lost) :]:
            yield LineDifference("added", None, held)


def in_scope(old: Bound, new: HeldLine) -> bool:
    """Whether the waiver of a loosened line permits this loosening: from this value to that.

    A waiver departs from the value at the base. Without a base it departs from the agreed value, or
    from a stricter value that the project has had since.
    """
    waiver = new.gate.waiver
    if waiver is None or is_looser(new.metric, waiver.to, new.value):
        return False
    if old.departures is None:
        return not is_looser(new.metric, old.value, waiver.from_)
    return waiver.from_ in old.departures


def is_looser(metric: str, old: float, new: float) -> bool:
    """Whether a value of a metric lets more through than another; for `==` any other value does."""
    match METRICS[metric].op:
        case "<=":
            return new > old
        case ">=":
            return new < old
        case "==":
            return new != old


def _on_one_baseline(line: Bound, held: HeldLine) -> bool:
    if not line.baselines or not held.baselines:
        return line.baselines == held.baselines
    return bool(set(line.baselines) & set(held.baselines))


def _strictest(lines: Sequence[B]) -> list[B]:
    """The strictest of the lines on one metric, for each choice of baselines."""
    choices = dict.fromkeys(line.baselines for line in lines)
    return [
        _strictest_of([line for line in lines if line.baselines == choice]) for choice in choices
    ]


def _strictest_of(lines: Sequence[B]) -> B:
    strictest = lines[0]
    for line in lines[1:]:
        if _direction(strictest, line) == "tightened":
            strictest = line
    return strictest


def _direction(old: Bound, new: Bound) -> Direction | None:
    """Whether `new` lets more or less through than `old`, on the same metric and baseline."""
    if new.value == old.value:
        return None
    return "loosened" if is_looser(old.metric, old.value, new.value) else "tightened"
