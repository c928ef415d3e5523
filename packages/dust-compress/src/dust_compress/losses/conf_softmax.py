"""KL divergence between softmaxes of log-confidence over an image's pixels."""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from dust_compress.losses.pointmaps import PairMask
from dust_core.network.model import PairPrediction


def confidence_softmax_kl(
    student: PairPrediction, teacher: PairPrediction, mask: PairMask, *, temperature: float
) -> Tensor:
    """T^2 KL(p_t || p_s), p = softmax(log(C - 1) / T) over the valid pixels; mean over B, summed
    over the views.

    log(C - 1) is the network's own output before C = 1 + exp(x), so this is Hinton's distillation
    (arXiv:1503.02531) with pixels as classes. It compares confidences only, not points.

    Args:
        student, teacher: B pairs; gradients flow to the student alone.
        mask: pixels that compete; a view without any adds nothing.
        temperature: T.

    Returns:
        A scalar, at least 0.
    """
    total = torch.zeros((), device=student.conf_1.device)
    confidences = ((student.conf_1, teacher.conf_1), (student.conf_2, teacher.conf_2))
    for (ours, theirs), counts in zip(confidences, mask, strict=True):
        chosen = counts.flatten(1)
        p, q = (_log_shares(c, chosen, temperature) for c in (theirs, ours))
        terms = (p.exp() * (p - q)).where(chosen, 0.0).sum(1)
        total = total + temperature**2 * terms.where(chosen.any(1), 0.0).mean()
    return total


def _log_shares(confidence: Tensor, chosen: Tensor, temperature: float) -> Tensor:
    logits = (confidence.float().flatten(1) - 1).clamp(min=1e-6).log() / temperature
    # A finite floor, not -inf: a view without a valid pixel must not give NaN.
    return log_softmax(logits.masked_fill(~chosen, -1e4), 1)
