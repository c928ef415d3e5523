"""Training by a task's specs and profile: plan, feed, judge and device in one call."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from dust_compress.train.distributed import device_of, world_of
from dust_compress.train.finished import load_finished, save_finished
from dust_compress.train.loop import Objective, Outcome, train
from dust_compress.train.plan import TrainingPlan
from dust_compress.train.validation import validate_pairs
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.decides import digest
from dust_core.declared.specs.models.training import Recipe
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import weights_digest
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import FeedOptions
from dust_core.pairs.feed.open import Feed, open_pairs, scenes_of
from dust_core.pairs.feed.order import Augmentation


def train_by(
    task: ResolvedTask,
    recipe: Recipe,
    objective: Objective,
    *,
    epochs: int,
    patience: int | None = None,
    folder: Path,
) -> Outcome:
    """Train an objective by a recipe of the task's profile, or resume where that stopped.

    A training that is finished in `folder`, here or on another machine, is taken as it is.

    Args:
        recipe: the part of the profile's `training` for this task.
        epochs, patience: settings of the experiment, not of the profile.
        folder: of the state, such as `work_folder` gives.

    Raises:
        DustError: see `plan_for`, `open_feed`, `validate_pairs` and `train`.
    """
    world = world_of(task)
    plan = plan_for(task, recipe, epochs=epochs, patience=patience)
    finished = load_finished(folder, plan)
    if finished is not None:
        return finished
    with closing(open_feed(task, recipe)) as feed:
        outcome = train(
            objective,
            feed,
            plan,
            folder,
            validate_pairs(task, recipe),
            device_of(task),
        )
        # Ranks share the set: a sample that two ranks skipped counts once.
        skipped = set().union(*world.gather(set(feed.damaged)))
    outcome = replace(outcome, skipped=len(skipped))
    if world.rank == 0:
        save_finished(folder, plan, outcome)
    return outcome


def work_folder(task: ResolvedTask, recipe: Recipe | Sequence[Recipe], *given: Dust3r) -> Path:
    """The folder of a training's state. It depends on everything that decides the training, so
    that the state of another one is never resumed.

    Args:
        recipe: the recipe of the training, or of its stages.
        given: the networks that the training starts from or learns from.
    """
    decided = digest(
        {
            "task": task.digest,
            "teacher": task.profile.teacher,
            "by": recipe,
            "given": [weights_digest(network) for network in given],
        }
    )
    return ARTIFACTS / task.profile_name / ".work" / f"{task.id}-{decided[:12]}"


def plan_for(
    task: ResolvedTask, recipe: Recipe, *, epochs: int, patience: int | None = None
) -> TrainingPlan:
    """The trainer's plan from the profile's recipe.

    Raises:
        DustError: an epoch holds less than one batch, or a batch cannot be shared.
    """
    world = world_of(task)
    steps, where = recipe.pairs_per_epoch // recipe.batch, f"profile {task.profile_name}"
    if steps < 1:
        raise DustError(
            f"an epoch of {recipe.pairs_per_epoch} pairs holds no batch of {recipe.batch}",
            where=where,
            fix="raise pairs_per_epoch, or lower batch",
        )
    if recipe.batch % (world.size * recipe.accumulate):
        raise DustError(
            f"a batch of {recipe.batch} pairs cannot be shared by {world.size} processes in "
            f"{recipe.accumulate} parts each",
            where=where,
            fix="choose a batch that the product of both numbers divides",
        )
    return TrainingPlan(
        epochs=epochs,
        steps_per_epoch=steps,
        accumulate=recipe.accumulate,
        optimiser=recipe.optimiser,
        learning_rate=recipe.lr,
        final_learning_rate=recipe.final_lr,
        warmup_steps=round(recipe.warmup * epochs * steps),
        weight_decay=recipe.weight_decay,
        betas=recipe.betas,
        clip_norm=recipe.clip_norm,
        ema_decay=recipe.averaging,
        precision="float32" if recipe.autocast == "fp32" else "bf16",
        patience=patience,
        seed=task.workload.seed,
    )


def open_feed(
    task: ResolvedTask, recipe: Recipe, *, augment: bool = True, shared: bool = False
) -> Feed:
    """An endless feed of this rank's share of the pairs that the profile trains on.

    Args:
        augment: whether views vary as the recipe says.
        shared: every rank reads the same whole batches.

    Raises:
        DustError: the set is absent, is not the one that the profile names, or has a scene outside
            the training set.
    """
    world = world_of(task)
    rank, ranks = (0, 1) if shared else (world.rank, world.size)
    return open_pairs(
        _training_folder(task, recipe),
        FeedOptions(
            batch=recipe.batch // (ranks * recipe.accumulate),
            side=recipe.side,
            augmentation=_bounds(recipe) if augment else None,
            tolerate_damage=True,
            seed=task.workload.seed,
            rank=rank,
            world=ranks,
            device_id=world.device.index,
        ),
        world.device,
    )


def _bounds(recipe: Recipe) -> Augmentation | None:
    declared = recipe.augmentation
    if declared is None:
        return None
    return Augmentation(
        smallest_crop=declared.smallest_crop,
        flip=declared.flip,
        brightness=declared.brightness,
        contrast=declared.contrast,
        saturation=declared.saturation,
    )


def _training_folder(task: ResolvedTask, recipe: Recipe) -> Path:
    if recipe.shards is None:
        return Path(task.data.training.manifest).parent
    path = Path(recipe.shards.manifest)
    folder = path.parent
    fix = f"render it: dvc repro tools/levels/dvc.yaml:{folder.name}"
    if not path.is_file():
        raise DustError("this training set is absent", where=str(folder), fix=fix)
    if sha256_file(path) != recipe.shards.sha256:
        raise DustError(
            f"this is not the set that the profile {task.profile_name} names",
            where=str(path),
            fix=f"{fix}, or write the SHA-256 of another set's manifest into the profile",
        )
    strangers = scenes_of(folder) - set(task.data.training.scenes or ())
    if strangers:
        raise DustError(
            f"{', '.join(sorted(strangers)[:3])} is no scene of the training set",
            where=str(path),
            fix="train on scenes that no other set holds, and list them in the training set",
        )
    return folder
