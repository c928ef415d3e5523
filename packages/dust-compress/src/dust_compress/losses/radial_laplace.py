"""Tempered KL divergence between the two networks' laws of a point: the default of P1."""

import torch
from torch import Tensor

from dust_compress.losses.pointmaps import PairMask, PairPoints, residuals
from dust_compress.train.distributed import mean_over_ranks
from dust_core.network.model import PairPrediction


def radial_laplace_kl(
    student: PairPrediction,
    teacher: PairPrediction,
    mask: PairMask,
    *,
    temperature: float,
    alpha: float,
    clamp: float,
) -> Tensor:
    """Mean over pixels of KL_inf + T^2 (KL_T - KL_inf), summed over the two views.

    DUSt3R's confidence loss, divided by alpha, is the negative log-likelihood of a Laplace law on
    the norm of the residual with scale b = alpha / C. Between two such laws on a line whose
    centres are d apart, the divergence from the teacher's (b_t) to the student's (b_s) is

        KL = log(b_s / b_t) + d / b_s + (b_t / b_s) exp(-d / b_t) - 1.

    Tempering, p^(1/T), multiplies both scales by T. Two limits divide the result:

        KL_inf = log(b_s / b_t) + b_t / b_s - 1          (T to infinity: confidence alone)
        KL_T - KL_inf = (b_t / b_s) (u + exp(-u) - 1),   u = d / (T b_t)

    and T^2 times the second tends to d^2 / (2 b_t b_s): as in Hinton et al., 2015
    (arXiv:1503.02531), T^2 compensates for the smaller gradient, and it multiplies the location
    term only. The law is a radial surrogate: the network predicts one scale for a point in space,
    not a covariance.

    Args:
        student, teacher: B pairs; gradients flow to the student alone.
        mask: pixels that count; the networks' points are each divided by their own average
            distance over these.
        temperature: T, at least 1.
        alpha: of the confidence loss that both networks were trained with.
        clamp: larger confidences are replaced by this value.

    Returns:
        A scalar, at least 0; 0 where both predictions are the same.
    """
    distances = residuals(
        PairPoints(student.pts3d_1.float(), student.pts3d_2.float()),
        PairPoints(teacher.pts3d_1.float(), teacher.pts3d_2.float()),
        mask,
    )
    total = torch.zeros((), device=student.conf_1.device)
    confidences = ((student.conf_1, teacher.conf_1), (student.conf_2, teacher.conf_2))
    for (ours, theirs), distance, counts in zip(confidences, distances, mask, strict=True):
        log_ratio = theirs.float().clamp(max=clamp).log() - ours.float().clamp(max=clamp).log()
        values = divergence(
            log_ratio, distance * theirs.float().clamp(max=clamp) / alpha, temperature
        )
        total = total + mean_over_ranks(values.where(counts, 0.0).sum(), counts.sum())
    return total


def divergence(log_ratio: Tensor, distance: Tensor, temperature: float) -> Tensor:
    """KL_inf + T^2 (KL_T - KL_inf), elementwise.

    Args:
        log_ratio: log(b_s / b_t), that is log C_t - log C_s.
        distance: d / b_t.
        temperature: T.
    """
    shrink = (-log_ratio).exp()
    u = distance / temperature
    confidence = log_ratio + torch.expm1(-log_ratio)
    return confidence + temperature**2 * shrink * (u + torch.expm1(-u))
