"""The scene of two photographs: a cloud, both cameras, and their reliability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dust_core.pairs.pictures.photographs import Photograph
from dust_eval.arrays import Floats
from dust_eval.scene.cloud import Cloud, usual_confidence
from dust_eval.scene.graph import Edge
from dust_eval.scene.initial import PNP_PIXELS, estimate_focal, locate_camera, pixel_grid


@dataclass(frozen=True, kw_only=True)
class PairScene:
    """Two photographs in the frame of the first one's camera.

    Attributes:
        photographs: A and B.
        points: (2, H, W, 3), in the frame of A's camera.
        confidences: (2, H, W).
        depths: (2, H, W), each in its own camera.
        cloud: the confident points.
        min_confidence: the least confidence in the cloud.
        focals: focal lengths of both squares, in pixels.
        pose: B's camera in A's frame, (4, 4); None if PnP found no camera.
        explained: share of B's points that B's camera sees where they were predicted.
    """

    photographs: tuple[Photograph, ...]
    points: Floats
    confidences: Floats
    depths: Floats
    cloud: Cloud
    min_confidence: float
    focals: tuple[float, float]
    pose: Floats | None
    explained: float | None


def pair_scene(
    photographs: Sequence[Photograph], edges: Sequence[Edge], min_confidence: float | None
) -> PairScene:
    """The scene of two photographs.

    Args:
        edges: the pair in both orders, (A, B) and (B, A).
        min_confidence: of a point in the cloud; None: DUSt3R's 3, or the median if few reach it.
    """
    points, confidences = edges[0].points, edges[0].confidences
    least = usual_confidence(confidences) if min_confidence is None else min_confidence
    chosen = (confidences >= least) & (confidences > 1)
    colours = np.stack([photograph.square for photograph in photographs])
    focals, pose = cameras(edges)
    return PairScene(
        photographs=tuple(photographs),
        points=points,
        confidences=confidences,
        depths=np.stack([edge.points[0][..., 2] for edge in edges]),
        cloud=Cloud(points[chosen].astype(np.float32), colours[chosen]),
        min_confidence=least,
        focals=focals,
        pose=pose,
        explained=None if pose is None else explained_share(edges[0], pose, focals[1]),
    )


def cameras(edges: Sequence[Edge]) -> tuple[tuple[float, float], Floats | None]:
    """Focal lengths of both squares, in pixels, and the pose of B's camera in A's frame, (4, 4).

    A focal length is the best fit to an image's points in its own camera's frame. The pose comes
    from PnP: B's points, predicted in A's frame, project to their pixels in B. It is None if PnP
    finds no camera.

    Args:
        edges: the pair in both orders.
    """
    pixels = pixel_grid(*edges[0].confidences.shape[1:]).reshape(-1, 2)
    weights = [np.log(edge.confidences).reshape(2, -1) for edge in edges]
    first, second = (
        estimate_focal(edge.points[0].reshape(-1, 3), weight[0], pixels)
        for edge, weight in zip(edges, weights, strict=True)
    )
    camera = locate_camera(edges[0].points[1].reshape(-1, 3), weights[0][1], pixels, second)
    if camera is None:
        return (first, second), None
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = camera.rotation, camera.translation
    return (first, second), pose


def explained_share(edge: Edge, pose: Floats, focal: float) -> float:
    """Share of B's points that project to within `PNP_PIXELS` of their pixel in B.

    It is low where PnP found a camera that only a few points agree with.

    Args:
        edge: the pair in the order (A, B).
        pose: of B's camera in A's frame, (4, 4).
        focal: of B, in pixels.
    """
    trusted = edge.confidences[1] > 1
    pixels = pixel_grid(*trusted.shape)[trusted]
    own = (edge.points[1][trusted] - pose[:3, 3]) @ pose[:3, :3]
    depth = np.maximum(own[:, 2:], 1e-9)  # points behind the camera project far outside
    away = np.linalg.norm(focal * own[:, :2] / depth - pixels, axis=1)
    return float((away < PNP_PIXELS).sum() / max(len(away), 1))
