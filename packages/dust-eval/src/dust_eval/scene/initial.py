"""The start of the alignment: focal lengths, and a spanning tree of confident pairs."""

from collections.abc import Sequence

import cv2
import numpy as np

from dust_eval.arrays import Floats
from dust_eval.scene.graph import CannotAlign, Edge
from dust_eval.scene.similarity import Similarity, fit_similarity

_WEISZFELD_STEPS = 10
_PNP_POINTS = 2000
PNP_PIXELS = 5.0
"""The largest distance, in pixels, of a projected point from its pixel."""


def pixel_grid(height: int, width: int) -> Floats:
    """Pixels (H, W, 2) as (x, y) relative to the principal point, taken to be the centre."""
    columns, rows = np.meshgrid(
        np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
    )
    return np.stack([columns, rows], -1)


def estimate_focal(points: Floats, weights: Floats, pixels: Floats) -> float:
    """The focal length in pixels that explains points in their own camera's frame.

    Weiszfeld's iteration on sum w |pixel - f (x, y) / z|, as in DUSt3R, section 3.3
    (arXiv:2312.14132).

    Args:
        points: (N, 3).
        weights: (N,).
        pixels: (N, 2), relative to the principal point.
    """
    forward = points[:, 2] > 1e-6
    directions = points[forward, :2] / points[forward, 2:]
    seen, trust = pixels[forward], weights[forward]
    if not len(seen):
        return float(np.abs(pixels).max() * 2)
    across = (directions * seen).sum(1)
    along = np.square(directions).sum(1)
    focal = float((trust @ across) / max(trust @ along, 1e-12))
    for _ in range(_WEISZFELD_STEPS):
        error = np.linalg.norm(seen - focal * directions, axis=1)
        robust = trust / np.maximum(error, 1e-3)
        focal = float((robust @ across) / max(robust @ along, 1e-12))
    # Between 12 and 150 degrees of view: photographs are within this range.
    half = float(np.abs(pixels).max())
    return float(np.clip(focal, 0.27 * half, 9.5 * half))


def spanning_tree(images: int, edges: Sequence[Edge]) -> list[int]:
    """Numbers of the most confident edges that join all images.

    In their order each edge but the first joins one new image to those before it.

    Raises:
        CannotAlign: the pairs do not join all images.
    """
    scores = [float(np.prod([np.log(c).mean() for c in edge.confidences])) for edge in edges]
    ranked = sorted(range(len(edges)), key=lambda number: -scores[number])
    joined, tree = {edges[ranked[0]].first}, []
    while len(joined) < images:
        following = next(
            (n for n in ranked if (edges[n].first in joined) != (edges[n].second in joined)), None
        )
        if following is None:
            raise CannotAlign(
                f"the pairs do not join all images: {images - len(joined)} are not connected",
                fix="take more neighbours an image",
            )
        tree.append(following)
        joined |= {edges[following].first, edges[following].second}
    return tree


def initial_points(images: int, edges: Sequence[Edge], weights: Sequence[Floats]) -> list[Floats]:
    """World points (H, W, 3) of every image, by walking the spanning tree.

    The frame and the scale are those of the tree's first pair. Each further pair is fitted by a
    similarity to the points of its known image, and gives the points of the new image.
    """
    tree = spanning_tree(images, edges)
    world: dict[int, Floats] = {}
    first = edges[tree[0]]
    world[first.first], world[first.second] = first.points
    for number in tree[1:]:
        edge = edges[number]
        known, new = (0, 1) if edge.first in world else (1, 0)
        ends = (edge.first, edge.second)
        fit = fit_similarity(
            edge.points[known].reshape(-1, 3),
            world[ends[known]].reshape(-1, 3),
            weights[number][known].ravel(),
        )
        world[ends[new]] = fit(edge.points[new])
    return [world[image] for image in range(images)]


def locate_camera(
    world: Floats, weights: Floats, pixels: Floats, focal: float
) -> Similarity | None:
    """world_from_camera of the camera that sees world points (N, 3) at pixels (N, 2), by PnP.

    None where PnP with RANSAC finds no camera.
    """
    step = max(1, len(world) // _PNP_POINTS)
    chosen = np.argsort(-weights, kind="stable")[: step * _PNP_POINTS : step]
    matrix = np.diag([focal, focal, 1.0])
    cv2.setRNGSeed(42)
    solved, turn, shift, _ = cv2.solvePnPRansac(
        world[chosen].astype(np.float64),
        pixels[chosen].astype(np.float64),
        matrix,
        None,
        iterationsCount=100,
        reprojectionError=PNP_PIXELS,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    if not solved:
        return None
    rotation = cv2.Rodrigues(turn)[0].T
    return Similarity(1.0, rotation, -rotation @ shift.ravel())
