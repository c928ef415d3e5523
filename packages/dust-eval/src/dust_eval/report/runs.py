"""Two runs or two devices side by side: the verdicts, and every figure of every network."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dust_core.declared.records import HIGHER_IS_BETTER, Verdict
from dust_eval.gates.judge import quantity_text
from dust_eval.report.content import Content
from dust_eval.report.records_table import RecordRow

NOTHING = "not there"
_SAME = 0.05  # percent: a difference below it is none

_UNITS = {
    "delta1": "1",
    "absrel": "1",
    "rmse": "m",
    "chamfer": "m",
    "size_MB": "MB",
    "params_M": "M",
    "t_pair_p50_ms": "ms",
    "t_scene_s": "s",
    "vram_GB": "GB",
}
_TIMES = {"t_pair_p50_ms", "t_scene_s"}


@dataclass(frozen=True)
class VerdictRow:
    """A line on both sides.

    Attributes:
        task, line: as in the specs; of several networks under one line also which.
        before, after: status and value of the other run and of this one.
        statuses: their statuses alone.
    """

    task: str
    line: str
    before: str
    after: str
    statuses: tuple[str, str]

    @property
    def changed(self) -> bool:
        """Whether the status differs."""
        return self.statuses[0] != self.statuses[1]


@dataclass(frozen=True)
class FigureRow:
    """A figure of a network on both sides.

    Attributes:
        network: its experiment without the number of the run, and its precision.
        figure, unit: which figure.
        before, after: of the other run and of this one.
        change: in percent of the other run's; None where that is 0.
        sense: `better`, `worse`, `same`, or empty for times of two devices.
        meaning: what the change means, in words.
    """

    network: str
    figure: str
    unit: str
    before: float
    after: float
    change: float | None
    sense: str
    meaning: str


@dataclass(frozen=True)
class RunComparison:
    """This run and another one.

    Attributes:
        name: what the user calls the other run.
        devices: the devices of the other run and of this one.
        verdicts: those that changed first.
        figures: those that differ, by network.
        same: how many figures do not differ.
        alone: networks that only one side has, each with the side.
    """

    name: str
    devices: tuple[str, str]
    verdicts: tuple[VerdictRow, ...]
    figures: tuple[FigureRow, ...]
    same: int
    alone: tuple[str, ...]

    @property
    def changed(self) -> int:
        """How many verdicts changed."""
        return sum(row.changed for row in self.verdicts)


def compare_runs(other: Content, this: Content, name: str) -> RunComparison:
    """Compare two runs line by line and figure by figure.

    Networks are the same if their experiments are, whatever the number of the run.
    """
    rows = sorted(_verdicts(_lines(other), _lines(this)), key=lambda row: not row.changed)
    before, after = _networks(other), _networks(this)
    pairs = _pairs(before, after)
    figures = [row for key in pairs for row in _of_network(before, after, key)]
    figures = [*_ratios(other, this), *figures]
    alone = [
        f"{key} ({side})"
        for place, (mine, side) in enumerate(((before, f"only {name}"), (after, "only here")))
        for key in mine
        if key not in {pair[place] for pair in pairs}
    ]
    return RunComparison(
        name=name,
        devices=(_devices(other), _devices(this)),
        verdicts=tuple(rows),
        figures=tuple(row for row in figures if row.sense != "same"),
        same=sum(row.sense == "same" for row in figures),
        alone=tuple(alone),
    )


def _lines(content: Content) -> dict[tuple[str, str], Verdict]:
    return {
        (task.id, _line(verdict, len(task.judged.verdicts))): verdict
        for task in content.views
        if not task.absent
        for verdict in task.judged.verdicts
    }


def _line(verdict: Verdict, of: int) -> str:
    network = _experiment(verdict.exp_id or "")
    return f"{verdict.metric} of {network}" if network and of > 1 else verdict.metric


def _verdicts(
    before: Mapping[tuple[str, str], Verdict], after: Mapping[tuple[str, str], Verdict]
) -> Iterator[VerdictRow]:
    for key in dict.fromkeys((*after, *before)):
        was, now = before.get(key), after.get(key)
        statuses = (was.status if was else NOTHING, now.status if now else NOTHING)
        yield VerdictRow(*key, _said(was), _said(now), statuses)


def _said(verdict: Verdict | None) -> str:
    if verdict is None:
        return NOTHING
    value = "no value" if verdict.value is None else quantity_text(verdict.value, verdict.unit)
    return f"{verdict.status}, {value} ({verdict.op} {quantity_text(verdict.line, verdict.unit)})"


def _networks(content: Content) -> dict[str, RecordRow]:
    return {
        f"{_experiment(row.record.exp_id)}, {row.precision}": row for row in content.measurements
    }


def _pairs(
    before: Mapping[str, RecordRow], after: Mapping[str, RecordRow]
) -> list[tuple[str, str]]:
    """The networks of both sides, by their keys there.

    Where a network was computed in one precision on each side, and another one, it is still it:
    devices differ in what they compute.
    """
    pairs = [(key, key) for key in after if key in before]
    rest = [[key for key in side if (key, key) not in pairs] for side in (before, after)]
    for new in rest[1]:
        ours, theirs = ([key for key in keys if _of_one(key, new)] for keys in (rest[1], rest[0]))
        if len(ours) == len(theirs) == 1:
            pairs.append((theirs[0], new))
    return pairs


def _of_one(one: str, other: str) -> bool:
    """Whether two keys are of one network."""
    return one.partition(", ")[0] == other.partition(", ")[0]


def _of_network(
    before: Mapping[str, RecordRow], after: Mapping[str, RecordRow], pair: tuple[str, str]
) -> Iterator[FigureRow]:
    one, two = before[pair[0]], after[pair[1]]
    key = pair[1] if pair[0] == pair[1] else f"{pair[1]}, there {one.precision}"
    for figure, unit in _UNITS.items():
        was, is_ = getattr(one.record, figure), getattr(two.record, figure)
        if was is None or is_ is None:
            continue
        change = 100 * (is_ - was) / was if was else None
        sense = _sense(change, lower_is_better=not HIGHER_IS_BETTER.get(figure, False))
        if figure not in _TIMES:
            meaning = {"better": "better", "worse": "worse", "same": "no difference"}[sense]
        elif one.device.fingerprint != two.device.fingerprint:
            sense, meaning = "", "another device: compare the devices, not the networks"
        else:
            words = {"better": "faster", "worse": "slower", "same": "no difference"}[sense]
            meaning = f"{words}, in another process: the machine's load counts, too"
        yield FigureRow(key, figure, unit, was, is_, change, sense, meaning)


def _ratios(other: Content, this: Content) -> Iterator[FigureRow]:
    """What was measured in turn with the teacher: it does not depend on the machine's load."""
    before, after = (
        {(drawn.task, _experiment(drawn.candidate.exp_id)): drawn for drawn in side.comparisons}
        for side in (other, this)
    )
    for key, now in after.items():
        was = before.get(key)
        if was is None or was.saved is None or now.saved is None:
            continue
        old, new = 100 - was.saved, 100 - now.saved
        change = 100 * (new - old) / old if old else None
        sense = _sense(change, lower_is_better=True)
        words = {"better": "gains on", "worse": "loses to", "same": "is as before against"}[sense]
        name = f"{key[1]}, by {key[0]}"
        figure = "median latency, of the teacher's in turn"
        yield FigureRow(name, figure, "%", old, new, change, sense, f"it {words} the teacher")


def _sense(change: float | None, *, lower_is_better: bool) -> str:
    if change is None or abs(change) < _SAME:
        return "same"
    return "better" if (change < 0) == lower_is_better else "worse"


def _experiment(exp_id: str) -> str:
    return re.sub(r"_run\d+$", "", exp_id)


def _devices(content: Content) -> str:
    names = dict.fromkeys(
        f"{row.device.name} ({row.device.fingerprint[:8]})" for row in content.measurements
    )
    return ", ".join(names) or "none"
