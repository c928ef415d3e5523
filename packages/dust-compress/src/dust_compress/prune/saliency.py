"""How much each number of a network matters, by the criterion of the spec."""

import torch
from torch import Tensor

from dust_compress.distill.students import plain_pairs
from dust_compress.losses.confidence import confidence_loss
from dust_compress.train.pairs import predict_both_orders, supervise_both_orders
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.prune import PruneCommon
from dust_core.declared.specs.models.training import PupilRecipe
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import PairBatch


def saliency_by(
    task: ResolvedTask, network: Dust3r, common: PruneCommon, recipe: PupilRecipe
) -> dict[str, Tensor]:
    """A number of at least 0 for each number of each parameter, by the declared criterion.

    Args:
        network: is left as it is, on its device.
        recipe: how large the pairs are whose gradients `taylor` reads.

    Raises:
        DustError: the training set is absent or damaged, where the criterion reads it.
    """
    weights = {name: value.detach() for name, value in network.named_parameters()}
    match common.criterion:
        case "l1":
            return {name: value.abs().cpu() for name, value in weights.items()}
        case "l2":
            return {name: value.square().cpu() for name, value in weights.items()}
        case "taylor":
            return _first_order(task, network, common, recipe)


def _first_order(
    task: ResolvedTask, network: Dust3r, common: PruneCommon, recipe: PupilRecipe
) -> dict[str, Tensor]:
    """|w g|, summed over the batches: the change of the loss without w, to first order."""
    device = next(network.parameters()).device
    total = {name: torch.zeros_like(value) for name, value in network.named_parameters()}
    for batch in plain_pairs(task, recipe, common.importance_pairs, recipe.batch):
        pairs = PairBatch(*(part.to(device) for part in batch))
        network.zero_grad()
        truth = supervise_both_orders(pairs)
        predicted = predict_both_orders(network, pairs.image1, pairs.image2)
        confidence_loss(predicted, truth.points, truth.mask, common.loss.alpha).backward()
        for name, value in network.named_parameters():
            if value.grad is not None:  # the mask token is no part of a prediction
                total[name] += (value.detach() * value.grad).abs()
    network.zero_grad()
    return {name: value.cpu() for name, value in total.items()}
