"""Validation of a network during its training."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from torch import nn

from dust_compress.losses.pointmaps import PairPoints, regression_losses
from dust_compress.train.distributed import World, world_of
from dust_compress.train.loop import Validation
from dust_compress.train.pairs import supervise
from dust_compress.train.precision import products_in
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.training import Recipe
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import FeedOptions, PairBatch
from dust_core.pairs.feed.open import open_pairs
from dust_eval.quality import PairTruth, depth_quality

_TOGETHER = 8

Row = dict[str, float]


def validate_pairs(task: ResolvedTask, recipe: Recipe) -> Callable[[nn.Module], Validation]:
    """A judge of networks by the profile's validation pairs; each rank has its share.

    Networks are judged at the side and in the precision of the recipe. The score is the mean
    regression loss over the pairs; metrics are the score and the means of `depth_quality`.

    The judge raises DustError where a prediction is not finite or has no depth at all.
    """
    folder = Path(task.data.validation.manifest).parent

    def validate(network: nn.Module) -> Validation:
        assert isinstance(network, Dust3r)
        world = world_of(task)
        rows, fault = [], None
        try:
            rows = _rows(network, task, recipe, world)
        except ValueError as error:
            fault = str(error)
        shares = world.gather((rows, fault))
        # Every rank raises, not only the rank with the fault; the others would wait for it.
        for _, met in shares:
            if met is not None:
                raise DustError(
                    f"a validation pair cannot be judged: {met}",
                    where=str(folder),
                    fix="the training has diverged or has only begun: lower the learning rate, or "
                    "look for NaN in the data with `dust data check`",
                    exit_code=1,
                )
        everywhere = [row for share, _ in shares for row in share]
        means = {name: float(np.mean([row[name] for row in everywhere])) for name in everywhere[0]}
        return Validation(score=means["loss"], metrics=means)

    return validate


def _rows(network: Dust3r, task: ResolvedTask, recipe: Recipe, world: World) -> list[Row]:
    """The metrics of this rank's share of the pairs, a row for each pair."""
    pairs = task.profile.validation_pairs
    batch = min(_TOGETHER, -(-pairs // world.size))
    feed = open_pairs(
        Path(task.data.validation.manifest).parent,
        FeedOptions(
            batch=batch,
            side=recipe.side,
            shuffle=False,
            last_batch="partial",
            rank=world.rank,
            world=world.size,
            device_id=world.device.index,
        ),
        world.device,
    )
    # Ranks take pairs in turn: this rank has the pairs `rank`, `rank + size` and so on.
    own = len(range(world.rank, pairs, world.size))
    try:
        batches = islice(feed, -(-own // batch))
        precision = recipe.autocast
        return [row for taken in batches for row in _judged(network, taken, precision)][:own]
    finally:
        feed.close()


def _judged(network: Dust3r, batch: PairBatch, precision: str) -> list[Row]:
    device = next(network.parameters()).device
    batch = PairBatch(*(part.to(device) for part in batch))
    with products_in(precision, device):
        predicted = network(batch.image1, batch.image2)
    points = (predicted.pts3d_1, predicted.pts3d_2)
    losses = regression_losses(PairPoints(*points), *supervise(batch)).tolist()
    arrays = [view.double().cpu().numpy() for view in points]
    truths = zip(*(column.double().cpu().numpy() for column in batch[2:]), strict=True)
    return [
        {"loss": loss, **depth_quality(first, second, PairTruth(*truth))}
        for loss, first, second, truth in zip(losses, *arrays, truths, strict=True)
    ]
