"""Closed-form fits of one set of points to another."""

from typing import NamedTuple

import numpy as np

from dust_eval.arrays import Floats

_SMALLEST = float(np.finfo(np.float64).tiny)


class Similarity(NamedTuple):
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: Floats
    translation: Floats

    def __call__(self, points: Floats) -> Floats:
        """Apply it to points (..., 3)."""
        return np.asarray(self.scale * (points @ self.rotation.T) + self.translation)


def fit_similarity(
    source: Floats, target: Floats, weights: Floats, *, with_scale: bool = True
) -> Similarity:
    """The similarity that minimises sum w |target - S(source)|^2 (Umeyama, 1991).

    Args:
        source, target: points (N, 3).
        weights: (N,), not negative.
        with_scale: False keeps the scale at 1.
    """
    share = weights / max(float(weights.sum()), _SMALLEST)
    centre_s, centre_t = share @ source, share @ target
    moved_s, moved_t = source - centre_s, target - centre_t
    covariance = (moved_t * share[:, None]).T @ moved_s
    u, singular, vt = np.linalg.svd(covariance)
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    rotation = (u * mirror) @ vt
    spread = float(share @ np.square(moved_s).sum(1))
    scale = float(singular @ mirror) / max(spread, _SMALLEST) if with_scale else 1.0
    return Similarity(scale, rotation, centre_t - scale * rotation @ centre_s)
