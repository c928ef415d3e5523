"""A linear head against a DPT head: equal seconds of training from one encoder and decoder.

    python benchmarks/heads.py train --seconds 60 --to trial   # on the device at hand
    python benchmarks/heads.py latency                         # OpenVINO, FP32, both in turn

`train` takes the encoder and the decoders of the weights that the profile's teacher starts from,
draws new heads of both kinds, measures how many pairs a second each trains on, and trains each for
the same time by the recipe of the first stage. It prints what validation says of both. `latency`
times the teacher's and a student's shape with either head at the network's own patches.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import gpu
import numpy as np
import torch
import typer
from rich.console import Console  # noqa: TID251
from rich.table import Table

from dust_compress.initial_teacher import config_of, initialise, with_new_heads
from dust_compress.teacher import TeacherObjective
from dust_compress.train.distributed import train_on
from dust_compress.train.task_training import plan_for, train_by
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.baseline import TrainTeacher
from dust_core.declared.specs.models.profile import Dpt, Network
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_core.network.surgery.cut import Reduction, cut
from dust_core.network.surgery.patches import shrink_patches

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
QUARTER = Dpt(layer_dims=(24, 48, 96, 192), feature_dim=64, last_dim=32)


def declared() -> ResolvedTask:
    return resolve(load_specs(Path("specs")), "P0-teacher", "small")


def shapes() -> dict[str, Network]:
    """The profile's network with either head."""
    own = declared().profile.teacher.network
    widths = own.dpt or QUARTER
    return {
        "linear": own.model_copy(update={"head": "linear", "dpt": None}),
        "dpt": own.model_copy(update={"head": "dpt", "dpt": widths}),
    }


@app.command()
def train(
    seconds: Annotated[float, typer.Option(help="Of training, for each head.")] = 60,
    epochs: Annotated[int, typer.Option(help="How often it is validated.")] = 4,
    rate_seconds: Annotated[float, typer.Option(help="Spent on each rate.")] = 5,
    to: Annotated[Path | None, typer.Option(help="Folder for the weights.")] = None,
) -> None:
    """Train both heads for equal seconds and print the validation of each."""
    if torch.cuda.is_available():
        train_on("cuda")
    task = declared()
    assert isinstance(task.task, TrainTeacher)
    stage = (task.profile.training.teacher or ())[0]
    assert stage.start is not None
    started = load_checkpoint(Path(stage.start.checkpoint)).network
    factor = started.config.patch_size // stage.patch_size
    rows = []
    for head, shape in shapes().items():
        torch.manual_seed(task.workload.seed)
        fresh = with_new_heads(started, config_of(shape, started.config.patch_size))
        network = shrink_patches(fresh, factor)
        objective = TeacherObjective(network, task.task, stage.matching)
        before = {key: value.clone() for key, value in network.state_dict().items()}
        rate = gpu.steps(objective, plan_for(task, stage, epochs=1), stage, rate_seconds)
        network.load_state_dict(before)
        pairs = max(stage.batch, int(rate * seconds / epochs) // stage.batch * stage.batch)
        recipe = stage.model_copy(update={"pairs_per_epoch": pairs})
        with tempfile.TemporaryDirectory() as folder:
            outcome = train_by(task, recipe, objective, epochs=epochs, folder=Path(folder))
        if to is not None:
            network.load_state_dict(outcome.weights)
            origin = {"exp_id": task.exp_id, "spec_digest": task.digest}
            save_checkpoint(network, to / f"{head}.pth", **origin, half=True)
        for epoch, judged in enumerate(outcome.history, 1):
            judgements = [judged[f"val/{name}"] for name in ("loss", "absrel", "delta1")]
            figures = [f"{value:.4f}" for value in judgements]
            rows.append((head, f"{rate:.1f} pairs/s", f"{epoch * pairs:,} pairs", *figures))
    show(("head", "trains on", "seen", "validation loss", "absrel", "delta1"), rows)


@app.command()
def latency(
    turns: Annotated[int, typer.Option(help="Measurements of each.")] = 30,
    threads: Annotated[int, typer.Option(help="Of OpenVINO.")] = 2,
) -> None:
    """Time the teacher's and a student's shape with either head, one pair at 512x512."""
    # The machine that trains has none of these.
    from engine import SIDE, quantized

    from dust_compress.quantize.export import export_int8
    from dust_compress.quantize.origin import Origin
    from dust_core.network.onnx.export import export_onnx
    from dust_eval.measure.latency import measure_latency
    from dust_eval.runtimes import RuntimeOptions, load_model

    task = declared()
    torch.set_num_threads(threads)
    rows, paths = [], []
    with tempfile.TemporaryDirectory() as folder:
        for head, shape in shapes().items():
            teacher = initialise(Dust3r(config_of(shape, shape.patch_size))).eval()
            student = cut(teacher, Reduction(depth=0.3, heads=0.3, ffn=0.3), ffn_multiple=32)
            for role, network in (("teacher", teacher), ("student", student)):
                size = (
                    f"{flops_giga(network, SIDE, SIDE):.1f} GFLOP",
                    f"{parameters_millions(network):.1f} M",
                )
                rows += [(head, role, "FP32", *size), (head, role, "INT8", *size)]
                paths += [Path(folder) / f"{head}-{role}-{kind}.onnx" for kind in ("fp32", "int8")]
                export_onnx(network, paths[-2])
                export_int8(quantized(network, SIDE), paths[-1], Origin("KQ_INT8_run1"))
        options = RuntimeOptions(precision="fp32", threads=threads)
        models = [load_model("openvino", path, options) for path in paths]
        noise = np.random.default_rng(0).uniform(-1, 1, (2, 1, 3, SIDE, SIDE)).astype(np.float32)
        timing = task.workload.timing.model_copy(update={"repeats": turns})
        taken = measure_latency(models, (noise[0], noise[1]), timing)
    medians = [f"{np.percentile(samples.ms, 50):.1f} ms" for samples in taken]
    columns = ("head", "network", "precision", "operations", "parameters", "a pair")
    show(columns, [(*row, ms) for row, ms in zip(rows, medians, strict=True)])


def show(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    app()
