"""How the embedded teacher uses its second view, and how optimisers compare in its training.

    python benchmarks/teacher.py partners [--checkpoint artifacts/small/teacher_fp32.pth]
    python benchmarks/teacher.py trial --optimiser muon --lr 3e-3 --matching 0 [--steps 500]

`partners` predicts every validation pair three times: with its second view, with the first view in
its place, and with another pair's second view. A network that matches views is much worse at the
last two. `trial` trains the teacher from scratch for a few steps by the recipe of its first stage
with the options' changes, and prints the metrics of the validation.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console  # noqa: TID251
from rich.table import Table
from torch import Tensor

from dust_compress.initial_teacher import initial_network
from dust_compress.losses.pointmaps import PairPoints, residuals
from dust_compress.teacher import TeacherObjective
from dust_compress.train.pairs import supervise
from dust_compress.train.task_training import train_by
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.baseline import TrainTeacher
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import FeedOptions, PairBatch, PairFeed

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("partners", "trial"))
    parser.add_argument("--checkpoint", type=Path, default="artifacts/small/teacher_fp32.pth")
    parser.add_argument("--optimiser", choices=("adamw", "muon"))
    parser.add_argument("--lr", type=float)
    parser.add_argument("--matching", type=float, help="weight of the matching term")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        task = resolve(load_specs(Path("specs")), "P0-teacher", "small")
        if arguments.what == "partners":
            compare_partners(task, load_checkpoint(arguments.checkpoint).network.eval())
        else:
            options = {key: getattr(arguments, key) for key in ("optimiser", "lr", "matching")}
            given = {key: value for key, value in options.items() if value is not None}
            run_trial(task, given, arguments.steps)
    except DustError as error:
        raise SystemExit(str(error)) from error


def compare_partners(task: ResolvedTask, network: Dust3r) -> None:
    """Print the mean residual of both views for each partner of view 1."""
    options = FeedOptions(batch=BATCH, side=512, shuffle=False, last_batch="partial")
    feed = PairFeed(Path(task.data.validation.manifest).parent, options)
    residual: dict[str, list[Tensor]] = {"its own": [], "itself": [], "a stranger": []}
    for batch in feed:
        partners = (batch.image2, batch.image1, batch.image2.roll(1, 0))
        for rows, partner in zip(residual.values(), partners, strict=True):
            rows.append(by_view(network, batch, partner))
    table = Table(title="mean residual, in average distances, by the partner of view 1")
    for column in ("partner", "view 1", "view 2"):
        table.add_column(column, justify="left" if column == "partner" else "right")
    for name, rows in residual.items():
        table.add_row(name, *(f"{value:.3f}" for value in torch.cat(rows).mean(0).tolist()))
    Console().print(table)


def by_view(network: Dust3r, batch: PairBatch, partner: Tensor) -> Tensor:
    """(B, 2): the mean residual of each pair's two views."""
    truth = supervise(batch)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        predicted = network(batch.image1, partner)
    points = PairPoints(predicted.pts3d_1.float(), predicted.pts3d_2.float())
    distances = residuals(points, truth.points, truth.mask)
    return torch.stack([mean_of(d, m) for d, m in zip(distances, truth.mask, strict=True)], 1)


def mean_of(values: Tensor, mask: Tensor) -> Tensor:
    return (values.where(mask, 0.0).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)).float()


def run_trial(task: ResolvedTask, changes: dict[str, Any], steps: int) -> None:
    """Train for `steps` steps and print the validation metrics of the averaged weights."""
    first = (task.profile.training.teacher or ())[0]
    stage = first.model_copy(update=changes | {"pairs_per_epoch": steps * first.batch})
    assert isinstance(task.task, TrainTeacher)
    objective = TeacherObjective(initial_network(task), task.task, stage.matching)
    with tempfile.TemporaryDirectory() as folder:
        outcome = train_by(task, stage, objective, epochs=1, folder=Path(folder))
    judged = {key: round(value, 4) for key, value in outcome.history[-1].items()}
    trial = ", ".join(f"{key} {value}" for key, value in changes.items()) or "as the profile says"
    Console().print(f"{trial}: {judged} in {outcome.seconds:.0f} s")


if __name__ == "__main__":
    main()
