"""The report's charts, each as a self-contained SVG element."""

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dust_eval.report.comparison import Comparison
from dust_eval.report.series import Curve, Turns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, ACCENT, SHADE = "#1a1f24", "#7a838c", "#e4e7ea", "#1f5fa8", "#eef4ee"
LINES = ("#1f5fa8", "#c2571a", "#3c7d45", "#7b4fa3", "#8a6d1d", "#4d6a7a", "#a33b53")
TEXT_COLUMN = 7.6  # the text column
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it has the page's font and can be searched
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
}


def with_both(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The candidates whose latency and delta1 are both known."""
    return [
        comparison
        for comparison in comparisons
        if comparison.saved is not None and comparison.drop is not None
    ]


def tradeoff(comparisons: Sequence[Comparison], saving: float | None, drop: float | None) -> str:
    """Latency saved against quality lost, a point a candidate; the shaded area meets both lines.

    Args:
        saving: the least reduction of the teacher's latency that the specs require, in percent.
        drop: the greatest drop of delta1 that they allow, in percent.
    """
    shown = with_both(comparisons)

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(
            xlabel="median latency saved against the teacher, %",
            ylabel="drop of delta1 against the teacher, %",
        )
        points = [(comparison.saved or 0.0, comparison.drop or 0.0) for comparison in shown]
        right = max([100.0 if saving else 0.0, *(x + 4 for x, _ in points)])
        left = min(-4.0, *(x - 4 for x, _ in points))
        if saving is not None and drop is not None:
            axes.axvspan(saving, right, ymin=0, color=SHADE, lw=0, zorder=0)
            axes.axhspan(drop, 1e6, color="white", lw=0, zorder=0.1)
            axes.axvline(saving, color=MUTED, lw=0.8, ls=(0, (4, 3)))
            axes.axhline(drop, color=MUTED, lw=0.8, ls=(0, (4, 3)))
        lows, highs = [], []
        for comparison, (x, y) in zip(shown, points, strict=True):
            drawn = comparison.interval
            bounds = (drawn.low, drawn.high) if drawn else (y, y)
            axes.plot((x, x), bounds, color=ACCENT, lw=1, alpha=0.5)
            axes.plot(x, y, "o", color=ACCENT, ms=5)
            lows.append(min(bounds))
            highs.append(max(bounds))
        for (x, y), text in _apart(points, [comparison.task for comparison in shown]):
            axes.annotate(text, (x, y), (6, 4), textcoords="offset points", color=INK)
        low = min([0.0, *lows])
        high = max([drop or 0.0, *highs])
        margin = 0.12 * (high - low or 1)
        axes.set(xlim=(left, right), ylim=(high + margin, low - margin))  # better is up

    return svg("tradeoff", TEXT_COLUMN, 3.6, draw, "Latency saved against quality lost")


def latency(turns: Sequence[Turns]) -> str:
    """The middle 50 %, the middle 90 % and the median of every network timed in turn."""
    from matplotlib.ticker import MaxNLocator

    rows = [(timed.task, *sample) for timed in turns for sample in timed.samples]

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel="milliseconds a pair")
        place, places, before = 0.0, [], None
        for task, _, role, samples in rows:
            place += 1.0 if task == before else 1.6
            before = task
            low, quarter, middle, three, high = _quantiles(samples, (5, 25, 50, 75, 95))
            colour = ACCENT if role == "candidate" else MUTED
            axes.plot((low, high), (place, place), color=colour, lw=1)
            axes.plot((quarter, three), (place, place), color=colour, lw=5, alpha=0.45)
            axes.plot(middle, place, "|", color=colour, ms=9, mew=2)
            places.append(place)
        labels = [
            f"{task}  {label}" + ("" if role == "candidate" else f" ({role})")
            for task, label, role, _ in rows
        ]
        axes.set_yticks(places, labels)
        axes.xaxis.set_major_locator(MaxNLocator(8))
        axes.set_ylim(places[-1] + 0.8, places[0] - 0.8)
        axes.set_xlim(left=0)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)

    height = 0.7 + 0.2 * len(rows) + 0.12 * len(turns)
    return svg("latency", TEXT_COLUMN, height, draw, "Latency of networks timed in turn")


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
    """Training loss, validation loss and validation delta1 over epochs, a line a training."""
    titles = {
        "train/total": "training loss",
        "val/loss": "validation loss",
        "val/delta1": "validation delta1",
    }
    logged = {key for curve in trainings for entry in curve.entries for key in entry}
    panels = [key for key in titles if key in logged]

    def draw(figure: "Figure") -> None:
        from matplotlib.ticker import MaxNLocator

        for index, key in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), index, title=titles[key], xlabel="epoch")
            for colour, curve in zip(_cycle(len(trainings)), trainings, strict=True):
                points = [(e["epoch"] + curve.before, e[key]) for e in curve.entries if key in e]
                if points:
                    axes.plot(
                        *zip(*points, strict=True), color=colour, lw=1.4, label=curve.label,
                        marker="o" if len(points) == 1 else "", ms=3.5,
                    )  # fmt: skip
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.ticklabel_format(axis="y", useOffset=False)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=4)

    return svg(f"curves-{name}", TEXT_COLUMN, 2.6, draw, f"Trainings of {name}")


def _cycle(count: int) -> list[str]:
    return [LINES[index % len(LINES)] for index in range(count)]


def _apart(
    points: Sequence[tuple[float, float]], names: Sequence[str]
) -> list[tuple[tuple[float, float], str]]:
    """Points with their names; points that would overlap share a label."""
    shared: list[tuple[tuple[float, float], list[str]]] = []
    height = max((y for _, y in points), default=0) - min((y for _, y in points), default=0) or 1
    for (x, y), name in sorted(zip(points, names, strict=True)):
        near = next(
            (
                group
                for (other_x, other_y), group in shared
                if abs(other_x - x) < 6 and abs(other_y - y) < 0.07 * height
            ),
            None,
        )
        if near is None:
            shared.append(((x, y), [name]))
        else:
            near.append(name)
    return [(place, ", ".join(group)) for place, group in shared]


def _quantiles(samples: Sequence[float], percents: Sequence[float]) -> list[float]:
    from dust_core.declared.records import percentile

    return [percentile(samples, percent) for percent in percents]


def svg(
    name: str, width: float, height: float, draw: Callable[["Figure"], None], title: str
) -> str:
    """Draw on a figure of that size in inches and give it as an element of the page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Groups of different figures have the same ids, but an id must be unique on a page.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
