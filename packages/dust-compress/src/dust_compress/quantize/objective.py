"""Quantization-aware training: the float network teaches its quantized self."""

import copy
from contextlib import nullcontext

import torch
from torch import Tensor

from dust_compress.losses.confidence import confidence_loss
from dust_compress.losses.pointmaps import PairMask
from dust_compress.losses.radial_laplace import radial_laplace_kl
from dust_compress.quantize.network import quantizers_off
from dust_compress.train import Objective
from dust_compress.train.pairs import predict_both_orders, supervise_both_orders
from dust_core.declared.specs.models.quant import QatSchedule
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import PairBatch


class QatObjective(Objective):
    """(1 - beta) task + beta KL_T against the target of the schedule.

    Args:
        network: the network to train, with calibrated quantizers.
        schedule: the terms of the loss, the target, and the start of the quantizers.
    """

    network: Dust3r

    def __init__(self, network: Dust3r, schedule: QatSchedule) -> None:
        super().__init__(network)
        self.loss = schedule.loss
        # The share of the training, in [0, 1), before quantizers are on.
        self.float_share = 1 - schedule.quantized_epochs / schedule.epochs
        match schedule.learn_from:
            case "float_outputs":
                teacher = copy.deepcopy(network).requires_grad_(False).eval()
        # In a list, so that neither the optimiser nor a saved state includes it.
        self._teacher = [teacher]

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        batch = PairBatch(*(part.to(device) for part in batch))
        truth = supervise_both_orders(batch)
        teacher = self._teacher[0]
        with torch.no_grad(), quantizers_off(teacher):
            theirs = predict_both_orders(teacher, batch.image1, batch.image2)
        early = progress < self.float_share
        with quantizers_off(self.network) if early else nullcontext():
            ours = predict_both_orders(self.network, batch.image1, batch.image2)
        everywhere = PairMask(*(torch.ones_like(c, dtype=torch.bool) for c in ours[1::2]))
        parts = {
            "task": confidence_loss(ours, truth.points, truth.mask, self.loss.alpha),
            "kl": radial_laplace_kl(
                ours,
                theirs,
                everywhere,
                temperature=self.loss.T,
                alpha=self.loss.alpha,
                clamp=self.loss.confidence_clamp,
            ),
        }
        beta = self.loss.beta
        return {"total": (1 - beta) * parts["task"] + beta * parts["kl"], **parts}
