"""The display of a training: a progress bar, dvclive metrics, curves."""

import math
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from dust_compress.train.plan import TrainingPlan
from dust_compress.train.state import TrainState
from dust_core.console import Terminal
from dust_core.errors import DustError
from dust_core.files import atomic_path, writing_in_place

_SECONDS_BETWEEN_DRAWINGS = 30.0
_SECONDS_BETWEEN_MOVES = 0.5


class Monitor:
    """Shows a training; every rank has a monitor, but only the first is visible.

    The state's history decides. On a resume, dvclive's files are written again from it, so that
    they have no line twice after a killed run.
    """

    def __init__(
        self, folder: Path, plan: TrainingPlan, state: TrainState, *, visible: bool
    ) -> None:
        self.folder, self.visible = folder, visible
        self.begun_at, self.steps = state.step, plan.steps
        self.history = list(state.history)
        self.progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=Terminal(),
            disable=not visible,
        )
        self.task = self.progress.add_task(
            folder.name, total=plan.steps, completed=state.step, note=""
        )
        self.live: Any = None
        self.drawn_at, self.moved_at = time.monotonic(), -math.inf

    def __enter__(self) -> Self:
        if self.visible and find_spec("dvclive") is not None:
            from dvclive.live import Live

            with writing_in_place(self._metrics):
                self.live = Live(str(self._metrics), save_dvc_exp=False, dvcyaml=None)
            for entry in self.history:
                self._log(entry)
        self.progress.start()
        if self.begun_at and self.visible:
            self.progress.console.print(f"resumes after {self.begun_at} of {self.steps} steps")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()
        try:
            self._draw()
            if self.live is not None:
                with writing_in_place(self._metrics):
                    self.live.end()
        except DustError:
            if error is None:  # the first error says more
                raise

    def step(self, step: int, loss: Tensor, rate: float) -> None:
        """Move the bar; the loss is read from its device only where it is shown."""
        now = time.monotonic()
        if now - self.moved_at > _SECONDS_BETWEEN_MOVES:
            note = f"training loss {float(loss):.4f} lr {rate:.1e}"
            self.progress.update(self.task, completed=step, note=note)
            self.moved_at = now

    def epoch(self, entry: dict[str, float]) -> None:
        """Log an epoch, and from time to time draw the curves anew."""
        self.history.append(entry)
        if not self.visible:
            return
        self.progress.update(self.task, completed=entry["step"])
        self._log(entry)
        if time.monotonic() - self.drawn_at > _SECONDS_BETWEEN_DRAWINGS:
            self._draw()
        metrics = "  ".join(f"{k[4:]} {v:.4f}" for k, v in entry.items() if k.startswith("val/"))
        self.progress.console.print(f"epoch {entry['epoch']:.0f}, validation  {metrics}")

    def finish(self, best_epoch: int) -> None:
        """Say which epoch is kept, and whether patience ended the training."""
        if self.visible and self.history:
            done = self.history[-1]
            kept = f"epoch {best_epoch} of {done['epoch']:.0f} is best and is kept"
            early = f", stopped early after {done['step']:.0f} of {self.steps} steps"
            self.progress.console.print(kept + (early if done["step"] < self.steps else ""))

    def _draw(self) -> None:
        if self.visible and self.history:
            draw_curves(self.history, self.folder / "curves.png")
            self.drawn_at = time.monotonic()

    def _log(self, entry: dict[str, float]) -> None:
        if self.live is not None:
            with writing_in_place(self._metrics):
                for name, value in entry.items():
                    self.live.log_metric(name, value)
                self.live.next_step()

    @property
    def _metrics(self) -> Path:
        return self.folder / "dvclive"


def draw_curves(history: list[dict[str, float]], path: Path) -> None:
    """A small chart for each metric over the epochs, training and validation together."""
    from matplotlib.figure import Figure

    names = sorted({key.split("/", 1)[1] for entry in history for key in entry if "/" in key})
    columns = min(3, len(names)) or 1
    rows = -(-len(names) // columns) or 1
    width, height = 4 * columns, 3 * rows
    figure = Figure(figsize=(width, height))
    # Fixed margins in inches: a layout that measures every label takes longer than the drawing.
    figure.subplots_adjust(
        left=0.6 / width, right=1 - 0.2 / width, bottom=0.5 / height, top=1 - 0.4 / height,
        wspace=0.25, hspace=0.45,
    )  # fmt: skip
    for index, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, index, title=name, xlabel="epoch")
        for part in ("train", "val"):
            points = [(e["epoch"], e[f"{part}/{name}"]) for e in history if f"{part}/{name}" in e]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=part)
        axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)
