"""Depth seen from one camera, brought to another."""

import numpy as np

from dust_core.pairs.geometry import Floats, project, transform, unproject


def reproject(
    depth: Floats,
    intrinsics: Floats,
    to_intrinsics: Floats,
    to_from_this: Floats,
    size: tuple[int, int],
) -> Floats:
    """The depth map (H, W) that another camera would have, float32, metres.

    Every known pixel falls on the nearest pixel of the other image; where several do, the one in
    front counts. What no pixel falls on stays unknown: nothing is filled in.

    Args:
        depth: (h, w), metres; 0 is unknown.
        intrinsics: (3, 3) of the depth.
        to_intrinsics: (3, 3) of the other camera.
        to_from_this: (4, 4), takes points of this camera to the other, metres.
        size: height and width of the other image.
    """
    height, width = size
    points = unproject(depth, intrinsics)[depth > 0]
    pixels, z = project(transform(to_from_this, points), to_intrinsics)
    nearest = np.rint(pixels)
    with np.errstate(invalid="ignore"):
        falls = (z > 0) & (nearest >= 0).all(1) & (nearest < [width, height]).all(1)
    columns, rows = nearest[falls].astype(np.int64).T
    seen = np.full(size, np.inf)
    np.minimum.at(seen, (rows, columns), z[falls])
    return np.where(np.isfinite(seen), seen, 0).astype(np.float32)
