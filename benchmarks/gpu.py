"""Speed on the device at hand, on random pixels: training steps, and the published architecture.

python benchmarks/gpu.py teacher --batch 128    # pairs a second of the teacher's training
python benchmarks/gpu.py student --batch 32
python benchmarks/gpu.py forward                # a pair through 571,171,208 parameters
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import torch
import typer

from dust_compress.distill.objective import DistillObjective, Weights
from dust_compress.distill.students import start_student
from dust_compress.initial_teacher import config_of, initialise
from dust_compress.teacher import TeacherObjective
from dust_compress.train import Objective
from dust_compress.train.optimiser import Optimisers
from dust_compress.train.plan import TrainingPlan
from dust_compress.train.precision import products_in
from dust_compress.train.task_training import plan_for
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.training import Recipe
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.pairs.decoded import DecodedPairs
from dust_core.pairs.feed.decoded import DecodedFeed
from dust_core.pairs.feed.feed import FeedOptions
from dust_core.pairs.feed.order import Augmentation

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=__doc__)
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
BOUNDS = Augmentation(smallest_crop=0.8, flip=0.5, brightness=1.3, contrast=1.2, saturation=1.3)
PUBLISHED = Dust3rConfig.uniform(
    enc_dim=1024, enc_depth=24, enc_heads=16, dec_dim=768, dec_depth=12, dec_heads=12,
    head="dpt", dpt=DptConfig(layer_dims=(96, 192, 384, 768), feature_dim=256, last_dim=128),
    patch_size=16,
)  # fmt: skip
Batch = Annotated[
    int | None, typer.Option(help="Pairs of a step.  [default: the recipe's]", show_default=False)
]
StageNumber = Annotated[int, typer.Option("--stage", help="Which stage of the recipe.", min=1)]
Seconds = Annotated[float, typer.Option(help="How long to measure.")]
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)
Compiled = Annotated[bool, typer.Option("--compile", help="Compile the steps before.")]


@app.command()
def teacher(
    stage: StageNumber = 1,
    batch: Batch = None,
    seconds: Seconds = 5.0,
    compiled: Compiled = False,
) -> None:
    """Training steps of the teacher of `small`, both orders."""
    task = resolve(load_specs(Path("specs")), "P0-teacher", "small")
    recipe = _stage(task.profile.training.teacher or (), stage)
    objective = TeacherObjective(_small(recipe.patch_size), task.task, recipe.matching)
    measure(task, recipe, objective, batch, seconds, compiled)


@app.command()
def student(
    stage: StageNumber = 1,
    batch: Batch = None,
    seconds: Seconds = 5.0,
    compiled: Compiled = False,
) -> None:
    """Training steps of a student of `small`, both orders."""
    task = resolve(load_specs(Path("specs")), "K-1", "small")
    first, own = task.profile.training.distill, task.task
    recipe = _stage((first, *first.then), stage)
    guide = _small(recipe.patch_size or task.profile.teacher.network.patch_size)
    learner = start_student(task, guide, task.common.student, fit=False)
    weights = Weights(temperature=own.T, beta=own.beta, gamma=own.gamma)
    objective = DistillObjective(learner, guide, task.common.loss, weights)
    measure(task, recipe, objective, batch, seconds, compiled)


@app.command()
def forward(side: int = 512, repeats: int = 20) -> None:
    """Median time of a pair through the published architecture with random weights."""
    network = Dust3r(PUBLISHED).to(DEVICE).eval()
    images = [torch.randn(1, 3, side, side, device=DEVICE) for _ in range(2)]
    for name, dtype, tf32 in (
        ("FP32", None, False),
        ("TF32", None, True),
        ("bf16", torch.bfloat16, False),
        ("FP16", torch.float16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        narrow = torch.autocast(DEVICE.type, dtype or torch.bfloat16, enabled=dtype is not None)
        with torch.inference_mode(), narrow:
            times = sorted(timed(lambda: network(*images)) for _ in range(repeats + 3))
        typer.echo(f"{name}: {1e3 * times[len(times) // 2]:.1f} ms")


def measure(
    task: ResolvedTask,
    recipe: Recipe,
    objective: Objective,
    batch: int | None,
    seconds: float,
    compiled: bool,
) -> None:
    """Print the pairs a second of whole steps: feed, both passes, clipping, optimiser."""
    count = batch or recipe.batch
    recipe = recipe.model_copy(update={"batch": count, "pairs_per_epoch": count})
    plan = plan_for(task, recipe, epochs=1)
    rate = steps(objective, plan, recipe, seconds, compiled)
    how = "compiled steps" if compiled else "steps"
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else str(DEVICE)
    typer.echo(
        f"{how}: {rate:.1f} pairs/s in batches of {recipe.batch} at {recipe.side} pixels, {name}"
    )


def steps(
    objective: Objective,
    plan: TrainingPlan,
    recipe: Recipe,
    seconds: float,
    compiled: bool = False,
) -> float:
    """Pairs a second of whole steps by a recipe."""
    objective.to(DEVICE)
    if compiled:
        objective.compile_steps()
    optimiser = Optimisers(objective.network, plan)
    options = FeedOptions(batch=recipe.batch, side=recipe.side, augmentation=BOUNDS)
    feed = DecodedFeed(random_pairs(recipe.side), options, DEVICE)

    def step() -> None:
        optimiser.zero_grad()
        with products_in("bf16", DEVICE):
            loss = objective(next(feed), 0.1)["total"]
        loss.backward()
        float(torch.nn.utils.clip_grad_norm_(objective.network.parameters(), 1.0))
        optimiser.step(1e-4)

    for _ in range(3):  # compiles, and finds its memory
        timed(step)
    started, done = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        timed(step)
        done += 1
    rate = recipe.batch * done / (time.monotonic() - started)
    feed.close()
    return rate


def timed(work: Callable[[], object]) -> float:
    """Seconds of a piece of work, with all that it put into a GPU's queue."""
    started = time.monotonic()
    work()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - started


def random_pairs(side: int, count: int = 64) -> DecodedPairs:
    """Pairs of noise: a step takes as long as on pictures."""
    rng = np.random.default_rng(0)
    k = np.array([[200, 0, 127.5], [0, 200, 127.5], [0, 0, 1]], np.float32)
    pose = np.eye(4, dtype=np.float32)
    pose[0, 3] = 0.5
    return DecodedPairs(
        rng.integers(0, 255, (count, 2, side, side, 3), np.uint8),
        rng.integers(500, 9000, (count, 2, side, side), np.uint16),
        np.tile(k, (count, 2, 1, 1)),
        np.tile(pose, (count, 1, 1)),
        units=np.full((count, 2), 0.001, np.float32),
    )


def _stage(recipes: Sequence[AnyRecipe], number: int) -> AnyRecipe:
    if number > len(recipes):
        raise typer.BadParameter(f"the recipe has {len(recipes)}", param_hint="--stage")
    return recipes[number - 1]


def _small(patch_size: int) -> Dust3r:
    task = resolve(load_specs(Path("specs")), "P0-teacher", "small")
    return initialise(Dust3r(config_of(task.profile.teacher.network, patch_size)))


if __name__ == "__main__":
    app()
