"""The INT8 network of the main line beside the FP32 network that it was made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import Result, ResultFile
from dust_eval.report.comparison import METRIC, baseline_of
from dust_eval.report.drawing import HALF_COLUMN, INK, LOST, WON, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYERS_SHOWN = 16


@dataclass(frozen=True)
class EightBits:
    """An INT8 network and its FP32 network, measured in one process.

    Attributes:
        task: the task that measured both.
        fp32, int8: their results.
        pairs: delta1 of FP32 and of INT8 by pair, in the workload's order.
        is_teacher: whether the network is the teacher.
    """

    task: str
    fp32: Result
    int8: Result
    pairs: tuple[tuple[float, float], ...]
    is_teacher: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """What each is: whose network, and its precision."""
        whose = "student" if self.fp32.record and self.fp32.record.T is not None else "network"
        if self.is_teacher:
            whose = "teacher"
        runtime = self.fp32.provenance.runtime
        return f"{whose}, {runtime.precision.upper() if runtime else 'FP32'}", f"{whose}, INT8"

    @property
    def differences(self) -> list[float]:
        """delta1 of INT8 less that of FP32, in percentage points, by pair."""
        return [100 * (int8 - fp32) for fp32, int8 in self.pairs]

    @property
    def worse(self) -> int:
        """In how many pairs INT8 has the lower delta1."""
        return sum(change < 0 for change in self.differences)

    def chosen(self) -> dict[int, str]:
        """The pairs to look at: number -> why. The best and worst of INT8, and its greatest loss.

        Of several reasons for a pair, the first counts.
        """
        order = sorted(range(len(self.pairs)), key=lambda pair: -self.pairs[pair][1])
        lost = min(range(len(self.pairs)), key=lambda pair: self.differences[pair])
        reasons = {order[0]: "best pair", order[-1]: "worst pair"}
        reasons.setdefault(lost, "INT8 loses most")
        for pair, why in ((order[1:2], "second best pair"), (order[-2:-1], "second worst pair")):
            for number in pair:
                reasons.setdefault(number, why)
        return reasons


@dataclass(frozen=True)
class LayerShift:
    """A layer, and the shift of the points where it alone is in INT8, a share."""

    name: str
    shift: float


@dataclass(frozen=True)
class LayersView:
    """Which layers of a network lose in INT8.

    Attributes:
        task: the task that measured them.
        layers: the worst, worst first.
        of: how many were measured.
    """

    task: str
    layers: tuple[LayerShift, ...]
    of: int


def eight_bits(
    results: Mapping[str, ResultFile], teacher: str, left_out: Sequence[str]
) -> EightBits | None:
    """The last INT8 candidate, in the specs' order, that was timed in turn with an FP32 network.

    Args:
        teacher: the task that measures the teacher.
        left_out: tasks whose candidates are variants and not of the main line.
    """
    found = None
    for task, file in results.items():
        for result in file.candidates if task not in left_out else ():
            latency = result.provenance.latency
            if result.record is None or not result.record.bits_w or latency is None:
                continue
            reference = result.provenance.baselines.get(latency.baseline or "")
            fp32 = baseline_of(file, reference.exp_id) if reference else None
            if fp32 is None or fp32.record is None:
                continue
            ours, theirs = (side.provenance.per_pair.get(METRIC, ()) for side in (result, fp32))
            if ours and len(ours) == len(theirs):
                pairs = tuple(zip(theirs, ours, strict=True))
                found = EightBits(task, fp32, result, pairs, latency.baseline == teacher)
    return found


def layers_of(task: str, file: ResultFile | None) -> LayersView | None:
    """The sensitivity by layer that quantizing wrote; None where a result has none."""
    shifts = {} if file is None else file.extra.get("sensitivity")
    if not isinstance(shifts, dict) or not shifts:  # pruning writes a list of this name
        return None
    layers = [LayerShift(name, shift) for name, shift in shifts.items() if isinstance(shift, float)]
    worst = sorted(layers, key=lambda layer: -layer.shift)[:LAYERS_SHOWN]
    return LayersView(task, tuple(worst), len(layers)) if layers else None


def by_pair(view: EightBits) -> str:
    """A bar a pair: delta1 of INT8 less that of FP32, the greatest loss first."""
    rows = sorted(enumerate(view.differences), key=lambda row: row[1])

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(ylabel="delta1, percentage points")
        places, values = range(len(rows)), [change for _, change in rows]
        axes.bar(places, values, color=[LOST if v < 0 else WON for v in values], width=0.72)
        axes.axhline(0, color=INK, lw=0.8)
        axes.set_xticks(places, [str(pair) for pair, _ in rows], fontsize=7)
        axes.set_xlabel("pair of the workload")
        axes.grid(axis="x", visible=False)
        axes.tick_params(axis="x", length=0)

    return svg("by-pair", HALF_COLUMN, 3.4, draw, "delta1 that INT8 loses, pair by pair")


def by_layer(view: LayersView) -> str:
    """A bar a layer: the shift of the points where that layer alone is in INT8."""

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel="shift of the points, % of their distance")
        places = range(len(view.layers))
        axes.barh(places, [100 * layer.shift for layer in view.layers], color=LOST, height=0.66)
        axes.set_yticks(places, [layer.name for layer in view.layers], fontsize=7.5)
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)

    height = 0.75 + 0.19 * len(view.layers)
    return svg(f"layers-{view.task}", HALF_COLUMN, height, draw, f"Layers of {view.task} in INT8")
