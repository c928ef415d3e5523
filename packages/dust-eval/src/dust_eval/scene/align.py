"""Global alignment: one frame, one scale, a camera and a depth map for every image.

The objective is that of DUSt3R (arXiv:2312.14132, section 3.4): over pairs e and their views v,

    sum w |X_v - S_e(P_v,e)|,   X_v = R_v (z_v K_v^-1 u) + t_v,   w = log C,   mean log s_e = 0,

with a similarity S_e for each pair, and pose, focal length and depth map for each image. There is
no gradient descent: each group of unknowns is solved in closed form given the others, with weights
w / |residual| (iteratively reweighted least squares, Weiszfeld's method for an L1 norm). Pairs are
solved by Umeyama, poses by Kabsch, and depths by one quotient each. The rounds use a coarse grid of
pixels; depths are then solved once for all pixels. Focal lengths come from each image's own pairs
and stay fixed. Solved along with the poses they drift towards outliers, because a camera that is
farther away and has a longer focal length has almost the same image.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dust_eval.arrays import Floats
from dust_eval.scene.graph import Edge, require_finite
from dust_eval.scene.initial import (
    estimate_focal,
    initial_points,
    locate_camera,
    pixel_grid,
)
from dust_eval.scene.similarity import Similarity, fit_similarity

_COARSE = 48  # pixels along a side while cameras move
_SMALLEST_RESIDUAL = 1e-3  # of the scene's size: below, a residual weighs no more
_SMALLEST_DEPTH = 1e-6


@dataclass(frozen=True)
class Scene:
    """An aligned scene.

    Attributes:
        cam_to_world: (N, 4, 4), x right, y down, z forward.
        focals: (N,), pixels; the principal point is the centre.
        depths: (N, H, W), in the scene's own unit.
        confidences: (N, H, W), the largest of all pairs.
        objective: mean of w |residual| over all pixels of all pairs.
        rounds: the number of rounds in which all unknowns were solved.
        not_located: numbers of the images whose camera PnP did not find; for these the alignment
            began at the origin of the frame.
    """

    cam_to_world: Floats
    focals: Floats
    depths: Floats
    confidences: Floats
    objective: float
    rounds: int
    not_located: tuple[int, ...] = ()

    def trusted(self, min_confidence: float) -> NDArray[np.bool_]:
        """Pixels (N, H, W) of that confidence and more, but never of 1: they have no depth."""
        return (self.confidences >= min_confidence) & (self.confidences > 1)

    def points(self) -> Floats:
        """World points (N, H, W, 3)."""
        rays = _rays(pixel_grid(*self.depths.shape[1:]), self.focals)
        turned = np.einsum("nij,nhwj->nhwi", self.cam_to_world[:, :3, :3], rays)
        moved = turned * self.depths[..., None] + self.cam_to_world[:, None, None, :3, 3]
        return np.asarray(moved)


def align(
    images: int, edges: Sequence[Edge], *, rounds: int = 60, tolerance: float = 1e-4
) -> Scene:
    """Align predicted pairs of `images` images of one size.

    Args:
        rounds: the largest number of rounds.
        tolerance: relative decrease of the objective below which no round follows.

    Raises:
        CannotAlign: the pairs do not join all images, or a prediction is NaN or infinite.
    """
    require_finite(edges)
    height, width = edges[0].confidences.shape[1:]
    # Each network predicts points in its own scale; here they are brought near 1.
    unit = float(np.median([np.median(np.abs(edge.points[0][..., 2])) for edge in edges])) or 1.0
    edges = [replace(edge, points=edge.points / unit) for edge in edges]
    coarse = _Problem(images, edges, max(1, min(height, width) // _COARSE))
    coarse.start()
    done, last = 0, np.inf
    for _ in range(rounds):
        objective = coarse.improve()
        done += 1
        if objective > (1 - tolerance) * last:
            break
        last = objective
    fine = _Problem(images, edges, 1)
    fine.take_over(coarse)
    fine.solve_depths(rounds=3)
    poses = np.tile(np.eye(4), (images, 1, 1))
    for image, camera in enumerate(fine.cameras):
        poses[image, :3, :3], poses[image, :3, 3] = camera.rotation, unit * camera.translation
    return Scene(
        cam_to_world=poses,
        focals=np.array(fine.focals),
        depths=unit * np.stack(fine.depths),
        confidences=_largest(images, edges),
        objective=unit * fine.objective(),
        rounds=done,
        not_located=tuple(coarse.not_located),
    )


class _Problem:
    """The unknowns on a grid of every `step`-th pixel, and the predictions there."""

    def __init__(self, images: int, edges: Sequence[Edge], step: int) -> None:
        self.images, self.edges = images, edges
        cut = slice(step // 2, None, step)
        height, width = edges[0].confidences.shape[1:]
        self.pixels = pixel_grid(height, width)[cut, cut]
        self.points = [edge.points[:, cut, cut].astype(np.float32) for edge in edges]
        self.weights = [np.log(edge.confidences[:, cut, cut]) for edge in edges]
        self.views: list[list[tuple[int, int]]] = [[] for _ in range(images)]
        for number, edge in enumerate(edges):
            self.views[edge.first].append((number, 0))
            self.views[edge.second].append((number, 1))
        self.pairs: list[Similarity] = []
        self.cameras: list[Similarity] = []
        self.focals: list[float] = []
        self.depths: list[Floats] = []
        self.not_located: list[int] = []

    def start(self) -> None:
        """The spanning tree, PnP, and the pairs that follow from them."""
        flat = self.pixels.reshape(-1, 2)
        for views in self.views:
            own = [(n, v) for n, v in views if v == 0] or views
            focals = [
                estimate_focal(self.points[n][v].reshape(-1, 3), self.weights[n][v].ravel(), flat)
                for n, v in own
            ]
            self.focals.append(float(np.median(focals)))
        coarse = [
            Edge(edge.first, edge.second, points, np.exp(weights))
            for edge, points, weights in zip(self.edges, self.points, self.weights, strict=True)
        ]
        world = initial_points(self.images, coarse, self.weights)
        for image, points in enumerate(world):
            trust = self._trust(image)
            camera = locate_camera(points.reshape(-1, 3), trust.ravel(), flat, self.focals[image])
            if camera is None:
                self.not_located.append(image)
                camera = Similarity(1.0, np.eye(3), np.zeros(3))
            self.cameras.append(camera)
            depth = ((points - camera.translation) @ camera.rotation)[..., 2]
            self.depths.append(np.maximum(depth, _SMALLEST_DEPTH))
        self._fit_pairs(robust=False)

    def take_over(self, coarser: "_Problem") -> None:
        """Pairs, cameras and focal lengths of a coarser problem; depths follow from them."""
        self.pairs, self.cameras, self.focals = coarser.pairs, coarser.cameras, coarser.focals
        self.depths = [np.ones(self.pixels.shape[:2]) for _ in range(self.images)]
        self.solve_depths(rounds=1, robust=False)

    def improve(self) -> float:
        """Solve for every group of unknowns once; the objective after it."""
        for image in range(self.images):
            self._solve_image(image)
        self._fit_pairs(robust=True)
        return self.objective()

    def solve_depths(self, *, rounds: int, robust: bool = True) -> None:
        """Solve for the depths alone."""
        for _ in range(rounds):
            for image in range(self.images):
                target, weight = self._target(image, robust=robust)
                self.depths[image] = self._depth(image, target, weight)

    def objective(self) -> float:
        """Mean of w |residual|."""
        total = count = 0.0
        for image in range(self.images):
            world = self._world(image)
            for number, view in self.views[image]:
                residual = np.linalg.norm(world - self._moved(number, view), axis=-1)
                total += float((self.weights[number][view] * residual).sum())
                count += residual.size
        return total / count

    def _solve_image(self, image: int) -> None:
        """Depth and pose of one image, given the points of its pixels in its pairs."""
        target, weight = self._target(image, robust=True)
        self.depths[image] = self._depth(image, target, weight)
        own = self._rays(image) * self.depths[image][..., None]
        self.cameras[image] = fit_similarity(
            own.reshape(-1, 3), target.reshape(-1, 3), weight.ravel(), with_scale=False
        )

    def _fit_pairs(self, *, robust: bool) -> None:
        """Each pair's similarity to both of its images, then the scale of the whole scene."""
        worlds = [self._world(image) for image in range(self.images)]
        before, self.pairs = self.pairs, []
        for number, edge in enumerate(self.edges):
            target = np.stack([worlds[edge.first], worlds[edge.second]])
            weight = self.weights[number]
            if robust and before:
                residual = np.linalg.norm(target - before[number](self.points[number]), axis=-1)
                weight = weight / np.maximum(residual, _SMALLEST_RESIDUAL * self._size())
            self.pairs.append(
                fit_similarity(
                    self.points[number].reshape(-1, 3), target.reshape(-1, 3), weight.ravel()
                )
            )
        # mean log s_e = 0 fixes the free scale. Without it everything would shrink to 0.
        factor = float(np.exp(-np.mean([np.log(max(p.scale, 1e-12)) for p in self.pairs])))
        self.pairs = [
            Similarity(p.scale * factor, p.rotation, p.translation * factor) for p in self.pairs
        ]
        self.cameras = [c._replace(translation=c.translation * factor) for c in self.cameras]
        self.depths = [depth * factor for depth in self.depths]

    def _target(self, image: int, *, robust: bool) -> tuple[Floats, Floats]:
        """The weighted mean of an image's points over its pairs, and the sum of weights."""
        world = self._world(image) if robust else None
        total = np.zeros((*self.pixels.shape[:2], 3))
        weights = np.zeros(self.pixels.shape[:2])
        for number, view in self.views[image]:
            moved, weight = self._moved(number, view), self.weights[number][view]
            if world is not None:
                residual = np.linalg.norm(world - moved, axis=-1)
                weight = weight / np.maximum(residual, _SMALLEST_RESIDUAL * self._size())
            total += weight[..., None] * moved
            weights += weight
        return total / np.maximum(weights, 1e-12)[..., None], weights

    def _depth(self, image: int, target: Floats, weight: Floats) -> Floats:
        """Depths whose points on the rays are nearest to the targets."""
        camera, rays = self.cameras[image], self._rays(image)
        local = (target - camera.translation) @ camera.rotation
        depth = (local * rays).sum(-1) / np.square(rays).sum(-1)
        return np.asarray(np.maximum(depth, _SMALLEST_DEPTH))

    def _world(self, image: int) -> Floats:
        points = self._rays(image) * self.depths[image][..., None]
        return self.cameras[image](points)

    def _moved(self, number: int, view: int) -> Floats:
        return self.pairs[number](self.points[number][view])

    def _rays(self, image: int) -> Floats:
        return np.asarray(_rays(self.pixels, np.array([self.focals[image]]))[0])

    def _trust(self, image: int) -> Floats:
        return np.asarray(np.sum([self.weights[n][v] for n, v in self.views[image]], 0))

    def _size(self) -> float:
        return float(np.median(self.depths[0]))


def _rays(pixels: Floats, focals: Floats) -> Floats:
    """Rays (N, H, W, 3) with z = 1 of pixels (H, W, 2) at N focal lengths."""
    scaled = pixels[None] / focals[:, None, None, None]
    return np.concatenate([scaled, np.ones((*scaled.shape[:-1], 1))], -1)


def _largest(images: int, edges: Sequence[Edge]) -> Floats:
    """The largest confidence (N, H, W) of each image's pixels over all its pairs."""
    largest = np.ones((images, *edges[0].confidences.shape[1:]), np.float32)
    for edge in edges:
        for image, confidence in zip((edge.first, edge.second), edge.confidences, strict=True):
            np.maximum(largest[image], confidence, out=largest[image])
    return largest
