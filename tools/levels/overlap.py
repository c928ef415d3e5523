"""The share of a view that another view sees, by their true depth."""

import numpy as np
from numpy.typing import NDArray

from dust_core.pairs import geometry
from levels.camera import first_from_second
from levels.render import Rendering


def correspondences(
    first: Rendering, second: Rendering, step: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pixels of `first` that `second` sees, and the nearest pixels at which it sees them.

    Args:
        step: look at every `step`-th row and column of `first` only.

    Returns:
        (N, 2) rows and columns in `first`, (N, 2) rows and columns in `second`.
    """
    warped = geometry.warp(
        first.depth,
        first.camera.intrinsics(first.size),
        second.camera.intrinsics(second.size),
        first_from_second(first.camera, second.camera),
        (second.size, second.size),
        step,
    )
    seen = geometry.seen(warped, second.depth)
    there = np.rint(warped.pixels_2[seen]).astype(np.int64)
    return warped.pixels_1[seen][:, ::-1], there[:, ::-1]


def covisibility(first: Rendering, second: Rendering, step: int = 1) -> float:
    """The smaller of the shares that two views see of one another, 0 ... 1."""
    share = _share(first, second, step)
    return min(share, _share(second, first, step)) if share else 0.0


def _share(first: Rendering, second: Rendering, step: int) -> float:
    return geometry.covisibility(
        first.depth,
        second.depth,
        first.camera.intrinsics(first.size),
        second.camera.intrinsics(second.size),
        first_from_second(first.camera, second.camera),
        step,
    )
