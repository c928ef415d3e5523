"""What a task's profile means for the trainer: its recipe, its feed, its validation."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dust_compress.losses.pointmaps import PairPoints, regression_losses
from dust_compress.train.distributed import World
from dust_compress.train.loop import Validation
from dust_compress.train.pairs import supervise
from dust_compress.train.recipe import Recipe
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.decides import digest
from dust_core.declared.specs.models.profile import Recipe as Profiled
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import FeedOptions, PairBatch, PairFeed
from dust_core.pairs.feed.order import Augmentation
from dust_core.pairs.shards.tars import read_manifest
from dust_eval.quality import PairTruth, depth_quality

_VALIDATED_TOGETHER = 8

_AUGMENTATION = Augmentation(
    smallest_crop=0.8, flip=0.5, brightness=1.3, contrast=1.2, saturation=1.3
)


def work_folder(task: ResolvedTask) -> Path:
    """Where a training keeps its state: of its own for all that decides it, so that a finished or
    interrupted one is never taken for another.
    """
    profile = task.profile
    decided = digest({"task": task.digest, "teacher": profile.teacher, "by": profile.training})
    return ARTIFACTS / task.profile_name / ".work" / f"{task.id}-{decided[:12]}"


def recipe_for(
    task: ResolvedTask,
    profiled: Profiled,
    *,
    epochs: int,
    patience: int | None = None,
    ema_decay: float | None = None,
) -> Recipe:
    """The trainer's recipe from the profile's.

    Args:
        profiled: the part of the profile's `training` that this task trains by.
        epochs, patience, ema_decay: what the experiment, not the profile, decides.

    Raises:
        DustError: an epoch holds less than one batch, or ranks cannot share a batch.
    """
    world = World.current()
    steps, where = profiled.pairs_per_epoch // profiled.batch, f"profile {task.profile_name}"
    if steps < 1:
        raise DustError(
            f"an epoch of {profiled.pairs_per_epoch} pairs holds no batch of {profiled.batch}",
            where=where,
            fix="raise pairs_per_epoch, or lower batch",
        )
    if profiled.batch % world.size:
        raise DustError(
            f"a batch of {profiled.batch} pairs cannot be shared by {world.size} processes",
            where=where,
            fix="choose a batch that the number of processes divides",
        )
    return Recipe(
        epochs=epochs,
        steps_per_epoch=steps,
        optimiser=profiled.optimiser,
        learning_rate=profiled.lr,
        warmup_steps=round(profiled.warmup * epochs * steps),
        weight_decay=profiled.weight_decay,
        ema_decay=ema_decay,
        precision="float32" if profiled.autocast == "fp32" else "bf16",
        patience=patience,
        seed=task.workload.seed,
    )


def open_feed(task: ResolvedTask, profiled: Profiled, *, augment: bool = True) -> PairFeed:
    """An endless feed of this rank's share of the pairs that the profile trains on.

    Raises:
        DustError: the set is absent, is not the one that the profile names, or holds a scene that
            is not one of the training set's.
    """
    world = World.current()
    return PairFeed(
        _training_folder(task, profiled),
        FeedOptions(
            batch=profiled.batch // world.size,
            side=profiled.side,
            augmentation=_AUGMENTATION if augment else None,
            tolerate_damage=True,
            seed=task.workload.seed,
            rank=world.rank,
            world=world.size,
            device_id=_decoding_device(task),
        ),
    )


def validate_pairs(task: ResolvedTask, side: int) -> Callable[[nn.Module], Validation]:
    """A judge of networks by the validation set at one side, each rank taking its share.

    It takes whole batches: the profile's number of pairs is rounded up to them.

    The score is the mean over the pairs of the regression loss; metrics are that and the means of
    `depth_quality`.
    """
    folder = Path(task.data.validation.manifest).parent

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, Dust3r)
        world = World.current()
        batch = min(_VALIDATED_TOGETHER, -(-task.profile.validation_pairs // world.size))
        feed = PairFeed(
            folder,
            FeedOptions(
                batch=batch,
                side=side,
                shuffle=False,
                last_batch="partial",
                rank=world.rank,
                world=world.size,
                device_id=_decoding_device(task),
            ),
        )
        try:
            batches = islice(feed, -(-task.profile.validation_pairs // (batch * world.size)))
            rows = [row for one in batches for row in _judged(network, one)]
        finally:
            feed.close()
        everywhere = [row for share in world.gather(rows) for row in share]
        means = {name: float(np.mean([row[name] for row in everywhere])) for name in everywhere[0]}
        return Validation(score=means["loss"], metrics=means)

    return validate


def _judged(network: Dust3r, batch: PairBatch) -> list[dict[str, float]]:
    device = next(network.parameters()).device
    batch = PairBatch(*(part.to(device) for part in batch))
    with torch.autocast(device.type, torch.bfloat16):
        found = network(batch.image1, batch.image2)
    losses = regression_losses(PairPoints(found.pts3d_1, found.pts3d_2), *supervise(batch)).tolist()
    points = [p.double().cpu().numpy() for p in (found.pts3d_1, found.pts3d_2)]
    truths = zip(*(column.double().cpu().numpy() for column in batch[2:]), strict=True)
    return [
        {"loss": loss, **depth_quality(first, second, PairTruth(*truth))}
        for loss, first, second, truth in zip(losses, *points, truths, strict=True)
    ]


def _training_folder(task: ResolvedTask, profiled: Profiled) -> Path:
    if profiled.shards is None:
        return Path(task.data.training.manifest).parent
    path = Path(profiled.shards.manifest)
    folder = path.parent
    fix = f"render it: dvc repro tools/levels/dvc.yaml:{folder.name}"
    if not path.is_file():
        raise DustError("this training set is not here", where=str(folder), fix=fix)
    if sha256_file(path) != profiled.shards.sha256:
        raise DustError(
            f"this is not the set that the profile {task.profile_name} names",
            where=str(path),
            fix=f"{fix}, or write the SHA-256 of another set's manifest into the profile",
        )
    strangers = set(read_manifest(folder).scenes) - set(task.data.training.scenes or ())
    if strangers:
        raise DustError(
            f"{', '.join(sorted(strangers)[:3])} is no scene of the training set",
            where=str(path),
            fix="train on scenes that no other set holds, and list them in the training set",
        )
    return folder


def _decoding_device(task: ResolvedTask) -> int | None:
    return torch.cuda.current_device() if task.profile.device.kind == "cuda" else None
