"""Pinhole geometry of pairs: points, warps, covisibility.

Pixel (row i, column j) has its centre at the integer coordinates (x = j, y = i). Cameras look along
+z, x points right, y down. Depth is z, in metres; 0 is unknown.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# The other view sees a point if the point is on that view's surface within these bounds.
_RELATIVE_DEPTH = 0.03
_ABSOLUTE_DEPTH_M = 0.02
# Lenses and sensors are aligned to a few hundredths of the picture, and crops are seldom far off.
_OFF_CENTRE = 0.2


@dataclass(frozen=True)
class Warp:
    """Where pixels of view 1 are in view 2.

    Attributes:
        pixels_1: (N, 2) whole x, y in view 1.
        pixels_2: (N, 2) x, y in view 2, inside its image.
        depth_2: (N,) the depth there in view 2 by the warp, metres.
    """

    pixels_1: NDArray[np.int64]
    pixels_2: Floats
    depth_2: Floats


def unproject(depth: Floats, intrinsics: Floats) -> Floats:
    """Points (H, W, 3), in the camera's frame, of depths (H, W)."""
    height, width = depth.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    rays = np.stack([columns, rows, np.ones_like(rows)], -1) @ np.linalg.inv(intrinsics).T
    return np.asarray(rays * depth[..., None])


def transform(pose: Floats, points: Floats) -> Floats:
    """Apply a (4, 4) rigid transform to points (..., 3)."""
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])


def project(points: Floats, intrinsics: Floats) -> tuple[Floats, Floats]:
    """Pixels (..., 2) and depths (...) of points (..., 3) in the camera's frame."""
    image = points @ intrinsics.T
    depth = image[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = image[..., :2] / depth[..., None]
    return pixels, depth


def warp(
    depth_1: Floats,
    intrinsics_1: Floats,
    intrinsics_2: Floats,
    view1_from_view2: Floats,
    size_2: tuple[int, int],
    step: int = 1,
) -> Warp:
    """Project view 1's pixels of known depth, every `step`-th, into view 2.

    Args:
        depth_1: (H, W), metres.
        intrinsics_1, intrinsics_2: (3, 3).
        view1_from_view2: (4, 4), takes points of camera 2 to camera 1.
        size_2: height and width of view 2.
    """
    rows, columns = np.mgrid[0 : depth_1.shape[0] : step, 0 : depth_1.shape[1] : step]
    pixels_1 = np.stack([columns.ravel(), rows.ravel()], -1)
    known = depth_1[pixels_1[:, 1], pixels_1[:, 0]] > 0
    pixels_1 = pixels_1[known]
    z = depth_1[pixels_1[:, 1], pixels_1[:, 0]].astype(np.float64)
    homogeneous = np.concatenate([pixels_1, np.ones((len(pixels_1), 1))], 1)
    points = homogeneous @ np.linalg.inv(intrinsics_1).T * z[:, None]
    pixels_2, depth_2 = project(transform(np.linalg.inv(view1_from_view2), points), intrinsics_2)
    height, width = size_2
    with np.errstate(invalid="ignore"):
        inside = (
            (depth_2 > 0)
            & (pixels_2[:, 0] >= 0)
            & (pixels_2[:, 0] <= width - 1)
            & (pixels_2[:, 1] >= 0)
            & (pixels_2[:, 1] <= height - 1)
        )
    return Warp(pixels_1[inside], pixels_2[inside], depth_2[inside])


def seen(warped: Warp, depth_2: Floats) -> NDArray[np.bool_]:
    """Which of the warped pixels view 2 sees: its own depth there agrees."""
    nearest = np.rint(warped.pixels_2).astype(np.int64)
    own = depth_2[nearest[:, 1], nearest[:, 0]]
    bound = _RELATIVE_DEPTH * warped.depth_2 + _ABSOLUTE_DEPTH_M
    return np.asarray((own > 0) & (np.abs(own - warped.depth_2) < bound))


def covisibility(
    depth_1: Floats,
    depth_2: Floats,
    intrinsics_1: Floats,
    intrinsics_2: Floats,
    view1_from_view2: Floats,
    step: int = 4,
) -> float:
    """The share of view 1's pixels of known depth that view 2 sees, 0 where none is known."""
    known = int((depth_1[::step, ::step] > 0).sum())
    if not known:
        return 0.0
    warped = warp(depth_1, intrinsics_1, intrinsics_2, view1_from_view2, depth_2.shape[:2], step)
    return float(seen(warped, depth_2).sum()) / known


def is_rigid(pose: Floats, tolerance: float = 1e-3) -> bool:
    """Whether a (4, 4) matrix is a rotation and a translation."""
    rotation = pose[:3, :3]
    return bool(
        np.isfinite(pose).all()
        and np.allclose(pose[3], [0, 0, 0, 1], atol=1e-6)
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=tolerance)
        and np.linalg.det(rotation) > 0
    )


def off_centre(intrinsics: Floats, size: tuple[int, int]) -> str:
    """Where the principal point is, in words, if it is far from the centre; empty if it is not.

    Args:
        intrinsics: (3, 3), pixels.
        size: width and height of the picture.
    """
    shares = [(intrinsics[axis, 2] + 0.5) / size[axis] for axis in (0, 1)]
    if max(abs(share - 0.5) for share in shares) <= _OFF_CENTRE:
        return ""
    return (
        f"at {100 * shares[0]:.0f} % of the width and {100 * shares[1]:.0f} % of the height "
        f"of pictures of {size[0]}x{size[1]}"
    )
