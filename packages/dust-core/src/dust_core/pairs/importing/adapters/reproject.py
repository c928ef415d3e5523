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
    in_front = z > 0
    columns, rows = np.rint(pixels[in_front]).astype(np.int64).T
    z = z[in_front]
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    seen = np.full(size, np.inf)
    np.minimum.at(seen, (rows[inside], columns[inside]), z[inside])
    return np.where(np.isfinite(seen), seen, 0).astype(np.float32)
