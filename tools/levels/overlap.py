"""How much of one view another sees, by their true depth."""

import numpy as np
from numpy.typing import NDArray

from levels.camera import first_from_second
from levels.render import View

_TOLERANCE = 0.02
_TOLERANCE_M = 0.02


def correspondences(
    first: View, second: View, step: int = 1
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pixels of `first` that `second` sees, and where it sees them.

    A pixel counts as seen where it falls into the picture of `second` and the depth there, at the
    nearest pixel, agrees within 2 % and 2 cm.

    Args:
        step: look at every `step`-th row and column of `first` only.

    Returns:
        (N, 2) rows and columns in `first`, (N, 2) nearest rows and columns in `second`.
    """
    rows, columns = np.mgrid[step // 2 : first.size : step, step // 2 : first.size : step]
    depth = first.depth[rows, columns]
    known = depth > 0
    pixels = np.stack([rows[known], columns[known]], axis=1)
    z = depth[known].astype(np.float64)
    rays = np.stack([pixels[:, 1], pixels[:, 0], np.ones(len(z))], axis=1)
    rays = rays @ np.linalg.inv(first.camera.intrinsics(first.size)).T

    motion = first_from_second(second.camera, first.camera)
    points = (rays * z[:, None]) @ motion[:3, :3].T + motion[:3, 3]
    ahead = points[:, 2] > 1e-3
    pixels, points = pixels[ahead], points[ahead]
    projected = points @ second.camera.intrinsics(second.size).T
    seen_at = np.rint(projected[:, 1::-1] / projected[:, 2:]).astype(np.intp)
    inside = np.all((seen_at >= 0) & (seen_at < second.size), axis=1)
    pixels, points, seen_at = pixels[inside], points[inside], seen_at[inside]
    there = second.depth[seen_at[:, 0], seen_at[:, 1]]
    agrees = np.abs(there - points[:, 2]) < _TOLERANCE * points[:, 2] + _TOLERANCE_M
    return pixels[agrees], seen_at[agrees]


def share_seen(first: View, second: View, step: int = 1) -> float:
    """The share of the pixels of `first` with depth that `second` sees."""
    known = np.count_nonzero(first.depth[step // 2 :: step, step // 2 :: step])
    return len(correspondences(first, second, step)[0]) / known if known else 0.0


def covisibility(first: View, second: View, step: int = 1) -> float:
    """The smaller of the shares that two views see of one another, 0 ... 1."""
    seen = share_seen(first, second, step)
    return min(seen, share_seen(second, first, step)) if seen else 0.0
