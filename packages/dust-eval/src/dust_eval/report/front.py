"""Everything that ran as points: delta1 against latency and size, and the front of the best."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dust_core.declared.records import Record
from dust_eval.report.comparison import Comparison
from dust_eval.report.drawing import ACCENT, HALF_COLUMN, INK, LINES, MUTED, PAPER, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEACHER, VARIANT = "teacher", "variant of an ablation"
_FAMILIES = {
    TEACHER: INK,
    "distilled": ACCENT,
    "quantized": LINES[1],
    "distilled, then quantized": LINES[3],
    "pruned": LINES[2],
    VARIANT: MUTED,
}
_FRONT = "no network is better in both"
_BELOW = "below the axis; the lowest has its delta1"
_STEPS = 40  # points along a piece of the dashed line that names keep clear of
_AXES = 285.0, 195.0  # about the size of the axes, in points
_LETTER = 4.1  # about the width of a letter of a name, in points

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Network:
    """A network as a point.

    Attributes:
        name: its experiment, without the number of the run.
        family: how it was made, a key of the legend.
        delta1: its quality.
        latency: the median of a pair in percent of the teacher's, both from one process; None
            where either was not timed.
        size_MB: of its file; None where it was not recorded.
    """

    name: str
    family: str
    delta1: float
    latency: float | None
    size_MB: float | None


def networks_of(
    comparisons: Sequence[Comparison], variants: Collection[str]
) -> tuple[Network, ...]:
    """The teacher and every candidate; a network that several tasks measured has the last point.

    Args:
        variants: the tasks whose candidates are variants of an ablation.
    """
    found: dict[str, Network] = {}
    for comparison in comparisons:
        for network in _points(comparison, comparison.task in variants):
            is_known = network.family == VARIANT and network.name in found
            if not is_known:
                found[network.name] = network
    return tuple(found.values())


def front(networks: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, quality) that no other point equals or beats in both, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, quality in sorted(networks, key=lambda point: (point[0], -point[1])):
        if not best or quality > best[-1][1]:
            best.append((cost, quality))
    return best


def latency_front(networks: Sequence[Network]) -> str:
    """delta1 against latency, a point a network."""
    points = [(network.latency, network) for network in networks if network.latency is not None]
    return _chart("front-latency", points, "median latency, % of the teacher's")


def size_front(networks: Sequence[Network]) -> str:
    """delta1 against the size of the file, a point a network."""
    points = [(network.size_MB, network) for network in networks if network.size_MB is not None]
    return _chart("front-size", points, "size of the file, MB")


def _points(comparison: Comparison, is_variant: bool) -> Iterator[Network]:
    for record, saved in ((comparison.teacher, 0.0), (comparison.candidate, comparison.saved)):
        if record.delta1 is None:
            continue
        family = TEACHER if record is comparison.teacher else _family(record)
        yield Network(
            name=re.sub(r"_run\d+$", "", record.exp_id),
            family=VARIANT if is_variant and family != TEACHER else family,
            delta1=record.delta1,
            latency=None if saved is None else 100 - saved,
            size_MB=record.size_MB,
        )


def _family(record: Record) -> str:
    if record.rho is not None:
        return "pruned"
    if record.bits_w is not None:
        return "quantized" if record.T is None else "distilled, then quantized"
    return "distilled"


def _chart(name: str, points: Sequence[tuple[float, Network]], label: str) -> str:
    named = [(cost, own) for cost, own in points if own.family != VARIANT]

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel=label, ylabel="delta1")
        best = front([(cost, network.delta1) for cost, network in points])
        axes.plot(
            *zip(*best, strict=True), color=MUTED, lw=1, ls=(0, (4, 3)), zorder=1, label=_FRONT
        )
        for family, colour in _FAMILIES.items():
            members = [(cost, own.delta1) for cost, own in points if own.family == family]
            if members:
                small = family == VARIANT
                axes.plot(
                    *zip(*members, strict=True), "o", color=colour, label=family,
                    ms=4 if small else 7, mec=PAPER, mew=0.8, alpha=0.7 if small else 1,
                )  # fmt: skip
        axes.margins(x=0.12)
        low, high = _range([own.delta1 for _, own in named])
        axes.set_ylim(low, high)
        _mark_below(axes, [(cost, own.delta1) for cost, own in points if own.delta1 < low], low)
        others = [(cost, own.delta1) for cost, own in points if own.family == VARIANT]
        _name(axes, [(cost, own.delta1, own.name) for cost, own in named], [*others, *_along(best)])
        figure.legend(loc="outside lower center", fontsize=7.5, handletextpad=0.2, ncols=2)

    return svg(name, HALF_COLUMN, 4.0, draw, f"delta1 against {label.split(',')[0]}")


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The range of the quality axis: that of the main networks, since a variant may fail."""
    low, high = min(values), max(values)
    margin = 0.3 * (high - low or 0.1)
    return low - margin, high + margin


def _mark_below(axes: "Axes", points: Sequence[tuple[float, float]], low: float) -> None:
    """A triangle on the lower edge for each network below it, and the value of the lowest."""
    if not points:
        return
    costs = [cost for cost, _ in points]
    axes.plot(costs, [low] * len(costs), "v", color=MUTED, clip_on=False, label=_BELOW)
    cost, value = min(points, key=lambda point: point[1])
    axes.annotate(
        f"{value:.2f}", (cost, low), (7, 3), textcoords="offset points", color=MUTED, fontsize=7.5
    )


def _along(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points along a line, close enough together that no name fits between them."""
    return [
        (x + (to_x - x) * step / _STEPS, y + (to_y - y) * step / _STEPS)
        for (x, y), (to_x, to_y) in pairwise(line)
        for step in range(1, _STEPS)
    ]


def _name(
    axes: "Axes",
    points: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]],
) -> None:
    """Name the points, each on the first side where its name covers no point and no other name."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    across, up = _AXES[0] / (right - left), _AXES[1] / (high - low)
    places = [((x - left) * across, (y - low) * up) for x, y, _ in points]
    small = [((x - left) * across, (y - low) * up) for x, y in others]
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in (*places, *small)]
    highest_first = sorted(zip(points, places, strict=True), key=lambda pair: -pair[1][1])
    for (x, y, name), (at, above) in highest_first:
        width = _LETTER * len(name)
        sides = {
            "left": (7.0, -4.0), "right": (-7.0 - width, -4.0),
            "center": (-width / 2, 7.0), "low": (-width / 2, -15.0),
            "high left": (4.0, 5.0), "high right": (-4.0 - width, 5.0),
            "low left": (4.0, -13.0), "low right": (-4.0 - width, -13.0),
        }  # fmt: skip
        boxes = {
            side: (at + right_by, above + up_by, at + right_by + width, above + up_by + 9)
            for side, (right_by, up_by) in sides.items()
        }
        side = min(boxes, key=lambda side: _covered(boxes[side], taken))
        taken.append(boxes[side])
        axes.annotate(
            name, (x, y), sides[side], textcoords="offset points", color=INK, fontsize=7.5,
            ha="left", va="bottom",
        )  # fmt: skip


def _covered(box: Box, taken: Sequence[Box]) -> float:
    """How much of a box others cover, and how much of it is beyond the axes; in square points."""
    width, height = box[2] - box[0], box[3] - box[1]
    inside = _common(box, (0, 0, *_AXES))
    return sum(_common(box, other) for other in taken) + 2 * (width * height - inside)


def _common(one: Box, other: Box) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    up = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, up)
