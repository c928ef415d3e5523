"""The picture of an ablation: its networks beside each other, with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dust_eval.report.ablations import AblationView, Effect
from dust_eval.report.drawing import ACCENT, INK, MUTED, TEXT_COLUMN, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ablation(view: AblationView) -> str:
    """Bars of the drop of delta1 against the teacher, and of the latency saved against the base.

    The base is grey, the variants are blue. A thin line is the interval. A network that was not
    measured has no bar.
    """

    def draw(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        _bars(left, view, [bar.drop for bar in view.bars])
        left.set(xlabel="drop of delta1 against the teacher, %")
        left.set_yticks(range(len(view.bars)), [bar.name for bar in view.bars])
        left.invert_yaxis()
        _bars(right, view, [bar.saved for bar in view.bars])
        right.set(xlabel="median latency saved against the base, %")

    height = 0.75 + 0.34 * len(view.bars)
    return svg(f"ablation-{view.task}", TEXT_COLUMN, height, draw, f"Ablation {view.task}")


def _bars(axes: "Axes", view: AblationView, effects: Sequence[Effect | None]) -> None:
    for place, (bar, effect) in enumerate(zip(view.bars, effects, strict=True)):
        if effect is None:
            continue
        colour = MUTED if bar.is_base else ACCENT
        axes.barh(place, effect.value, height=0.5, color=colour, alpha=0.55)
        drawn = effect.interval
        ends = [effect.value] if drawn is None else [drawn.low, drawn.high]
        axes.plot((min(ends), max(ends)), (place, place), color=INK, lw=1.2)
        axes.annotate(
            f"{effect.value:.2f}".replace("-", "−"),
            (max(0.0, effect.value, *ends), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=8,
        )
    axes.axvline(0, color=INK, lw=0.8)
    axes.margins(x=0.16)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
