"""The picture of an ablation: its networks beside each other, with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dust_eval.report.ablations import AblationView, Effect
from dust_eval.report.drawing import ACCENT, HALF_COLUMN, INK, MUTED, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def ablation(view: AblationView) -> str:
    """Bars of the drop of delta1 against the teacher, and of the latency saved against the base.

    A chart for each, so that a narrow page has them below each other. The base is grey, the
    variants are blue. A thin line is the interval. A network that was not measured has no bar.
    """
    drops = _chart(view, "drop of delta1 against the teacher, %", [bar.drop for bar in view.bars])
    saved = _chart(view, "median latency saved against the base, %", [b.saved for b in view.bars])
    return f'<div class="beside">{drops}{saved}</div>'


def _chart(view: AblationView, label: str, effects: Sequence[Effect | None]) -> str:
    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot(xlabel=label)
        _bars(axes, view, effects)
        axes.set_yticks(range(len(view.bars)), [bar.name for bar in view.bars], fontsize=8)
        axes.set_ylim(len(view.bars) - 0.4, -0.6)

    height = 0.75 + 0.34 * len(view.bars)
    title = f"Ablation {view.task}, {label.removesuffix(', %')}"
    return svg(f"ablation-{view.task}-{label}", HALF_COLUMN, height, draw, title)


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
