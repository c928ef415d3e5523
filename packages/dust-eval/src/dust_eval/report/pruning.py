"""A pruning on the page: its steps on validation, and what each layer costs cut alone."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dust_core.declared.records import ResultFile
from dust_eval.report.drawing import ACCENT, HALF_COLUMN, INK, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STEPS = {"cut": "after the cut", "refitted": "refitted", "fine_tuned": "after fine-tuning"}


@dataclass(frozen=True)
class Layer:
    """A layer that was cut alone.

    Attributes:
        name: stack, block and kind of unit.
        drop: of the primary metric on validation against the teacher, percent; None where
            nothing could be judged.
    """

    name: str
    drop: float | None


@dataclass(frozen=True)
class PruningView:
    """An executed pruning.

    Attributes:
        task, title: as in the specs.
        rho: the share that each layer lost alone.
        steps: what was done to the network, and its drop on validation afterwards, percent.
        layers: in the network's order.
    """

    task: str
    title: str
    rho: float
    steps: tuple[tuple[str, float | None], ...]
    layers: tuple[Layer, ...]


def pruning_view(task: str, title: str, file: ResultFile | None) -> PruningView | None:
    """The pruning in a result file; None where it has none."""
    extra: dict[str, Any] = {} if file is None else file.extra
    rows, steps = extra.get("sensitivity"), extra.get("validation", {})
    if not isinstance(rows, list) or not rows:  # quantizing writes another table of this name
        return None
    return PruningView(
        task=task,
        title=title,
        rho=rows[0]["rho"],
        steps=tuple(
            (words, steps[step].get("drop_percent"))
            for step, words in _STEPS.items()
            if step in steps
        ),
        layers=tuple(Layer(_name(row), row.get("drop_percent")) for row in rows),
    )


def pruning(view: PruningView) -> str:
    """A bar a layer; a layer that could not be judged has none."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for place, layer in enumerate(view.layers):
            if layer.drop is None:
                continue
            axes.barh(place, layer.drop, height=0.6, color=ACCENT, alpha=0.55)
            axes.annotate(
                f"{layer.drop:.1f}".replace("-", "−"),
                (max(0.0, layer.drop), place),
                (4, 0),
                textcoords="offset points",
                va="center",
                color=INK,
                fontsize=7,
            )
        axes.set_yticks(range(len(view.layers)), [layer.name for layer in view.layers])
        axes.invert_yaxis()
        axes.axvline(0, color=INK, lw=0.8)
        axes.margins(x=0.1, y=0.01)
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.set(xlabel="drop of delta1 on validation, %")

    height = 0.7 + 0.17 * len(view.layers)
    return svg(f"pruning-{view.task}", HALF_COLUMN, height, draw, f"Sensitivity of {view.task}")


def _name(row: dict[str, Any]) -> str:
    block = row.get("block")
    place = row["stack"] if block is None else f"{row['stack']}, block {block}"
    return f"{place}: {row['kind']}"
