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
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import PairBatch

_ALPHA, _CLAMP = 0.2, 100.0  # of the confidence loss that the float network was trained with
_BETA = 0.5  # P1's weight of the teacher


class QatObjective(Objective):
    """(1 - beta) task + beta KL to what the network said in float before the training.

    Args:
        network: with calibrated quantizers; it is trained.
        float_share: the first part of the training, in [0, 1), in which quantizers are off.
    """

    network: Dust3r

    def __init__(self, network: Dust3r, float_share: float) -> None:
        super().__init__(network)
        self.float_share = float_share
        teacher = copy.deepcopy(network).requires_grad_(False).eval()
        # In a list, so that neither the optimiser nor a saved state takes it for the network's.
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
            "task": confidence_loss(ours, truth.points, truth.mask, _ALPHA),
            "kl": radial_laplace_kl(
                ours, theirs, everywhere, temperature=1.0, alpha=_ALPHA, clamp=_CLAMP
            ),
        }
        return {"total": (1 - _BETA) * parts["task"] + _BETA * parts["kl"], **parts}
