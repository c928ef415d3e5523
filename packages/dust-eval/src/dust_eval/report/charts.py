"""The report's charts, each as a self-contained SVG element."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from dust_eval.report.comparison import Comparison
from dust_eval.report.drawing import ACCENT, HALF_COLUMN, LINES, MUTED, PANEL, TEXT_COLUMN, svg
from dust_eval.report.series import Curve, Turns

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def latency(timed: Turns) -> str:
    """The middle 50 %, the middle 90 % and the median of the networks that a task timed in turn.

    A chart for each task: its scale is its own, since latencies of two processes do not compare.
    """
    from matplotlib.ticker import MaxNLocator

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(title=timed.task, xlabel="milliseconds a pair")
        for place, (_, role, samples) in enumerate(timed.samples):
            low, quarter, middle, three, high = _quantiles(samples, (5, 25, 50, 75, 95))
            colour = ACCENT if role == "candidate" else MUTED
            axes.plot((low, high), (place, place), color=colour, lw=1)
            axes.plot((quarter, three), (place, place), color=colour, lw=5, alpha=0.45)
            axes.plot(middle, place, "|", color=colour, ms=9, mew=2)
        labels = [
            label + ("" if role == "candidate" else f"\n({role})")
            for label, role, _ in timed.samples
        ]
        axes.set_yticks(range(len(labels)), labels, fontsize=7.5)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)

    height = 0.75 + 0.32 * len(timed.samples)
    title = f"Latency of the networks of {timed.task}, timed in turn"
    return svg(f"latency-{timed.task}", HALF_COLUMN, height, draw, title)


def per_pair(comparisons: Sequence[Comparison]) -> str:
    """delta1 of every pair: the teacher's on the x axis, the candidate's on the y axis."""
    columns = min(5, len(comparisons))
    rows = -(-len(comparisons) // columns)

    def draw(figure: "Figure") -> None:
        values = [value for drawn in comparisons for pair in drawn.pairs for value in pair]
        low, high = min(values), max(values)
        margin = 0.06 * (high - low or 0.1)
        bounds = (low - margin, high + margin)
        for index, drawn in enumerate(comparisons, 1):
            axes = figure.add_subplot(rows, columns, index, title=drawn.task, aspect="equal")
            axes.plot(bounds, bounds, color=MUTED, lw=0.6)
            axes.plot(*zip(*drawn.pairs, strict=True), "o", color=ACCENT, ms=3.2, alpha=0.75, mew=0)
            axes.set(xlim=bounds, ylim=bounds)
            axes.locator_params(nbins=2)
            lowest, leftmost = (
                index > len(comparisons) - columns,
                index % columns == 1 or columns == 1,
            )
            axes.set(xlabel="teacher" if lowest else "", ylabel="candidate" if leftmost else "")
            axes.tick_params(labelbottom=lowest, labelleft=leftmost)

    return svg("pairs", TEXT_COLUMN, 0.3 + 1.75 * rows, draw, "delta1 of every pair")


def curves(trainings: Sequence[Curve], name: str) -> str:
    """Training loss, validation loss and validation delta1 over epochs, a line a training.

    A chart for each, so that a narrow page has them below each other, and a legend for all.
    """
    titles = {
        "train/total": "training loss",
        "val/loss": "validation loss",
        "val/delta1": "validation delta1",
    }
    logged = {key for curve in trainings for entry in curve.entries for key in entry}
    panels = [_panel(trainings, name, key, titles[key]) for key in titles if key in logged]
    names = (
        f'<span style="--of: var(--line-{1 + number % len(LINES)})">{escape(curve.label)}</span>'
        for number, curve in enumerate(trainings)
    )
    return f'<div class="panels">{"".join(panels)}</div><p class="legend">{"".join(names)}</p>'


def _panel(trainings: Sequence[Curve], name: str, key: str, title: str) -> str:
    def draw(figure: "Figure") -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot(title=title, xlabel="epoch")
        for number, curve in enumerate(trainings):
            points = [(e["epoch"] + curve.before, e[key]) for e in curve.entries if key in e]
            if points:
                axes.plot(
                    *zip(*points, strict=True), color=LINES[number % len(LINES)], lw=1.4,
                    marker="o" if len(points) == 1 else "", ms=3.5,
                )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.ticklabel_format(axis="y", useOffset=False)

    return svg(f"curves-{name}-{key}", PANEL, 2.3, draw, f"Trainings of {name}, {title}")


def _quantiles(samples: Sequence[float], percents: Sequence[float]) -> list[float]:
    from dust_core.declared.records import percentile

    return [percentile(samples, percent) for percent in percents]
