"""Errors of a depth map whose scale is already aligned (Eigen et al., 2014, arXiv:1406.2283)."""

import numpy as np

from dust_eval.arrays import Floats

DELTA1_BOUND = 1.25
# Depth behind or at the camera has no ratio; it counts as a miss, not as NaN.
_SMALLEST_DEPTH_M = 1e-6


class Unscorable(ValueError):
    """A prediction is so wrong that no metric is defined for it."""


def absrel(predicted: Floats, true: Floats) -> float:
    """Mean of |predicted - true| / true over pixels (N,), a fraction."""
    return float(np.mean(np.abs(predicted - true) / true))


def rmse(predicted: Floats, true: Floats) -> float:
    """Root of the mean squared error over pixels (N,), in metres."""
    return float(np.sqrt(np.mean(np.square(predicted - true))))


def delta1(predicted: Floats, true: Floats) -> float:
    """Share of pixels (N,) whose depth is within a factor of 1.25 of the truth."""
    positive = np.maximum(predicted, _SMALLEST_DEPTH_M)
    ratio = np.maximum(positive / true, true / positive)
    return float(np.mean(ratio < DELTA1_BOUND))


def median_scale(predicted: Floats, true: Floats) -> float:
    """The factor that makes the median ratio of true to predicted depths (N,) equal to 1.

    Raises:
        Unscorable: not one predicted depth is positive.
    """
    positive = predicted > _SMALLEST_DEPTH_M
    if not positive.any():
        raise Unscorable("no predicted depth is positive, so no scale can be fitted")
    return float(np.median(true[positive] / predicted[positive]))
