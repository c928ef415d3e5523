"""The confidence-weighted regression loss of DUSt3R's training."""

import math

from torch import Tensor

from dust_compress.losses.pointmaps import PairMask, PairPoints, residuals
from dust_compress.train.distributed import mean_over_ranks
from dust_core.network.model import PairPrediction

_LEAST_EXCESS = 1e-6  # in float32, C - 1 has lost x below it


def confidence_loss(
    prediction: PairPrediction, truth: PairPoints, mask: PairMask, alpha: float
) -> Tensor:
    """Mean of C * l - alpha * log C over valid pixels, summed over the two views.

    l is the distance between predicted and true point, each divided by its pair's average distance
    (arXiv:2312.14132, eq. 2-4). Divided by alpha, it is the negative log-likelihood of a Laplace
    law on l with scale alpha / C.

    Args:
        prediction: points and confidences of B pairs.
        truth: points in view 1's frame, any unit.
        mask: pixels with truth; a view without any adds nothing.
        alpha: weight of the confidence's reward.

    Returns:
        A scalar.
    """
    distances = residuals(PairPoints(prediction.pts3d_1, prediction.pts3d_2), truth, mask)
    confidences = (prediction.conf_1, prediction.conf_2)
    first, second = (
        _mean(c * d - alpha * c.log(), m)
        for c, d, m in zip(confidences, distances, mask, strict=True)
    )
    return first + second


def confidence_floor(prediction: PairPrediction, mask: PairMask, lowest: float) -> Tensor:
    """Mean squared depth of log(C - 1) below log(`lowest`), summed over the two views.

    Where the residual exceeds alpha, the confidence loss drives C = 1 + exp(x) to 1, and there its
    gradient exp(x) vanishes: a network whose first residuals all exceed alpha never learns which
    points to trust. Added with a small weight, this term keeps x where it has a gradient. A
    confidence above 1 + `lowest` costs nothing.

    Args:
        prediction: B pairs; only the confidences are used.
        mask: pixels with truth; a view without any adds nothing.
        lowest: the least C - 1 that costs nothing.

    Returns:
        A scalar, 0 where every confidence is at least 1 + `lowest`.
    """
    first, second = (
        _mean((math.log(lowest) - (c - 1).clamp(min=_LEAST_EXCESS).log()).relu().square(), m)
        for c, m in zip((prediction.conf_1, prediction.conf_2), mask, strict=True)
    )
    return first + second


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    # `where`, not a product: a masked pixel may hold an infinity, and infinity times 0 is NaN.
    return mean_over_ranks(values.where(mask, 0.0).sum(), mask.sum())
