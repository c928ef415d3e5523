"""Quality of one predicted pair."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dust_eval.arrays import Floats, Mask
from dust_eval.quality.cloud import chamfer
from dust_eval.quality.depth import Unscorable, absrel, delta1, median_scale, rmse


@dataclass(frozen=True)
class PairTruth:
    """The truth of a pair.

    Attributes:
        depth_1, depth_2: (H, W) in metres, each in its own camera; 0 where unknown.
        intrinsics_1, intrinsics_2: (3, 3), in pixels.
        view1_from_view2: (4, 4), takes points of camera 2 to camera 1; x right, y down, z forward.
    """

    depth_1: Floats
    depth_2: Floats
    intrinsics_1: Floats
    intrinsics_2: Floats
    view1_from_view2: Floats

    def __post_init__(self) -> None:
        for name in ("depth_1", "depth_2"):
            depth = getattr(self, name)
            if not np.isfinite(depth).all() or not (depth > 0).any():
                raise ValueError(f"{name} has no valid pixel, or one that is not finite")


ALIGNMENTS: dict[str, Callable[[Floats, Floats], float]] = {"median_scale_view1": median_scale}
"""From view 1's predicted and true depths (N,) to the scale of a pair, by the workload's name."""


def pair_quality(
    points_1: Floats,
    points_2: Floats,
    truth: PairTruth,
    *,
    chamfer_points: int,
    seed: int,
    alignment: str = "median_scale_view1",
) -> dict[str, float]:
    """absrel, rmse (m), delta1 and chamfer (m) of a predicted pair.

    The first three are those of `depth_quality`; chamfer is taken between both views' predicted
    and true points in view 1's frame, at the same scale.

    Args:
        points_1, points_2: (H, W, 3), both in view 1's frame, any unit.
        truth: depths and cameras at the same H and W.
        alignment: how a pair's scale is found, one of `ALIGNMENTS`.

    Raises:
        Unscorable: the prediction is not finite, or is nowhere in front of the camera.
        ValueError: shapes differ.
    """
    cloud_1, cloud_2 = _aligned(points_1, points_2, truth, ALIGNMENTS[alignment])
    mask_1, mask_2 = truth.depth_1 > 0, truth.depth_2 > 0
    true_cloud = np.concatenate(
        [
            unproject(truth.depth_1, truth.intrinsics_1, mask_1),
            transform(truth.view1_from_view2, unproject(truth.depth_2, truth.intrinsics_2, mask_2)),
        ]
    )
    distance = chamfer(np.concatenate([cloud_1, cloud_2]), true_cloud, chamfer_points, seed)
    return _depth_errors(cloud_1, cloud_2, truth) | {"chamfer": distance}


def depth_quality(points_1: Floats, points_2: Floats, truth: PairTruth) -> dict[str, float]:
    """absrel, rmse (m) and delta1 of a predicted pair, over the valid pixels of both views.

    One scale, the median ratio of view 1's depths, is applied to both views. The depth of view 1 is
    z in its own camera. View 2's points are predicted in view 1's frame; its depth is their z after
    the true pose has taken them to its own camera. An error in relative geometry is thus an error
    in depth.
    Arguments and errors are those of `pair_quality`.
    """
    return _depth_errors(*_aligned(points_1, points_2, truth, median_scale), truth)


def _aligned(
    points_1: Floats,
    points_2: Floats,
    truth: PairTruth,
    scale_of: Callable[[Floats, Floats], float],
) -> tuple[Floats, Floats]:
    """The predicted points of valid pixels, (N, 3) and (M, 3), at the truth's scale."""
    for name, points in (("points_1", points_1), ("points_2", points_2)):
        if points.shape != (*truth.depth_1.shape, 3):
            raise ValueError(f"{name} is {points.shape}, the truth {truth.depth_1.shape}")
        if not np.isfinite(points).all():
            raise Unscorable(f"{name} holds NaN or infinity")
    mask_1, mask_2 = truth.depth_1 > 0, truth.depth_2 > 0
    scale = scale_of(points_1[mask_1][:, 2], truth.depth_1[mask_1])
    return scale * points_1[mask_1], scale * points_2[mask_2]


def _depth_errors(cloud_1: Floats, cloud_2: Floats, truth: PairTruth) -> dict[str, float]:
    view2_from_view1 = np.linalg.inv(truth.view1_from_view2)
    predicted = np.concatenate([cloud_1[:, 2], transform(view2_from_view1, cloud_2)[:, 2]])
    true = np.concatenate([depth[depth > 0] for depth in (truth.depth_1, truth.depth_2)])
    return {
        "absrel": absrel(predicted, true),
        "rmse": rmse(predicted, true),
        "delta1": delta1(predicted, true),
    }


def transform(pose: Floats, points: Floats) -> Floats:
    """Apply a (4, 4) rigid transform to points (N, 3)."""
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])


def unproject(depth: Floats, intrinsics: Floats, mask: Mask) -> Floats:
    """Points (N, 3) in the camera's frame of the pixels (H, W) in `mask`, row by row."""
    rows, columns = np.nonzero(mask)
    z = depth[mask]
    homogeneous = np.stack([columns, rows, np.ones_like(rows)], 1).astype(np.float64)
    rays = homogeneous @ np.linalg.inv(intrinsics).T
    return np.asarray(rays * z[:, None])
