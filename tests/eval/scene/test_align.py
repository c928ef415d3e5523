"""Alignment of a room whose cameras and depths are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dust_core.errors import DustError
from dust_eval.scene.align import Scene, align
from dust_eval.scene.graph import Edge, swin_pairs
from dust_eval.scene.similarity import fit_similarity

SIDE, FOCAL, IMAGES = 64, 70.0, 5


def camera(number: int) -> np.ndarray:
    angle, tilt = 0.25 * math.sin(1.3 * number), 0.1 * math.cos(2.1 * number)
    turn = np.array(
        [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
    )
    nod = np.array(
        [[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]]
    )
    pose = np.eye(4)
    pose[:3, :3] = turn @ nod
    pose[:3, 3] = [0.6 * math.cos(number), 0.4 * math.sin(2 * number), 0.3 * math.sin(number)]
    return pose


def seen(pose: np.ndarray) -> np.ndarray:
    """World points (SIDE, SIDE, 3) of a box room, 6 x 4 m and 7 m deep, that a camera sees."""
    centre = (SIDE - 1) / 2
    columns, rows = np.meshgrid(np.arange(SIDE) - centre, np.arange(SIDE) - centre)
    rays = np.stack([columns / FOCAL, rows / FOCAL, np.ones_like(rows)], -1) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        hits = [
            (np.where(rays[..., axis] > 0, high, low) - pose[axis, 3]) / rays[..., axis]
            for axis, (low, high) in enumerate([(-3, 3), (-2, 2), (-2, 5)])
        ]
    return pose[:3, 3] + rays * np.min(hits, 0)[..., None]


POSES = [camera(number) for number in range(IMAGES)]
WORLD = [seen(pose) for pose in POSES]


def edges(noise: float = 0.0, outliers: float = 0.0, order: tuple[int, ...] = tuple(range(IMAGES))):
    """Predictions of every ordered pair, each at a scale of its own."""
    rng = np.random.default_rng(0)
    predicted = []
    for i, j in swin_pairs(IMAGES, 4):
        first, second = order[i], order[j]
        pose, points = POSES[first], np.stack([WORLD[first], WORLD[second]])
        local = (points - pose[:3, 3]) @ pose[:3, :3]
        local += noise * rng.standard_normal(local.shape)
        confidence = np.full(local.shape[:3], 10.0)
        wrong = rng.random(confidence.shape) < outliers
        local[wrong] += rng.uniform(-5, 5, (int(wrong.sum()), 3))
        confidence[wrong] = 1.05
        predicted.append(Edge(i, j, (rng.uniform(0.3, 3) * local).astype(np.float32), confidence))
    return predicted


def errors(scene: Scene, order: tuple[int, ...] = tuple(range(IMAGES))) -> tuple[float, float]:
    """Largest distance of a camera and mean distance of a point from the truth, metres."""
    truth = np.stack([WORLD[number] for number in order]).reshape(-1, 3)
    points = scene.points().reshape(-1, 3)
    fit = fit_similarity(points, truth, np.ones(len(points)))
    centres = np.stack([POSES[number][:3, 3] for number in order])
    moved = fit(scene.cam_to_world[:, :3, 3])
    return (
        float(np.linalg.norm(moved - centres, axis=1).max()),
        float(np.linalg.norm(fit(points) - truth, axis=1).mean()),
    )


def test_perfect_predictions_give_the_room_back() -> None:
    scene = align(IMAGES, edges())
    cameras, points = errors(scene)
    assert cameras < 0.01 and points < 0.01
    assert scene.focals == pytest.approx(FOCAL, rel=0.01)


@pytest.mark.parametrize("scale", [1e-7, 1e6])
def test_the_unit_of_the_network_does_not_matter(scale: float) -> None:
    small = [replace(edge, points=edge.points * np.float32(scale)) for edge in edges(noise=0.02)]
    scene, plain = align(IMAGES, small), align(IMAGES, edges(noise=0.02))
    assert errors(scene)[0] < 0.02, "metres, as in the network's own unit"
    assert scene.objective / scale == pytest.approx(plain.objective, rel=0.01)


def test_noise_averages_out_over_the_pairs() -> None:
    cameras, points = errors(align(IMAGES, edges(noise=0.05)))
    assert cameras < 0.05 and points < 0.05


def test_outliers_of_low_confidence_move_nothing() -> None:
    cameras, points = errors(align(IMAGES, edges(noise=0.01, outliers=0.2)))
    assert cameras < 0.05 and points < 0.02


def test_the_order_of_the_images_does_not_matter() -> None:
    order = (3, 0, 4, 2, 1)
    plain, mixed = align(IMAGES, edges(noise=0.02)), align(IMAGES, edges(noise=0.02, order=order))
    assert errors(mixed, order)[0] < 0.03
    assert mixed.objective == pytest.approx(plain.objective, rel=0.1)


def test_it_is_deterministic() -> None:
    first, second = align(IMAGES, edges(noise=0.05)), align(IMAGES, edges(noise=0.05))
    assert np.array_equal(first.cam_to_world, second.cam_to_world)
    assert np.array_equal(first.depths, second.depths)


def test_an_image_whose_camera_pnp_does_not_find_is_counted() -> None:
    collapsed = []
    for edge in edges(noise=0.01):
        points = edge.points.copy()
        for view, image in enumerate((edge.first, edge.second)):
            if image == 4:  # no camera sees one point in all its pixels
                points[view] = (0, 0, 3)
        collapsed.append(replace(edge, points=points))
    assert align(IMAGES, edges(noise=0.01), rounds=1).not_located == ()
    assert align(IMAGES, collapsed, rounds=1).not_located == (4,)


def test_pairs_that_leave_an_image_out_are_an_error() -> None:
    with pytest.raises(DustError, match="1 are not connected"):
        align(IMAGES, [edge for edge in edges() if 4 not in (edge.first, edge.second)])


@given(st.integers(2, 12), st.integers(1, 6))
def test_every_image_has_its_neighbours_both_ways(images: int, k: int) -> None:
    pairs = swin_pairs(images, k)
    assert len(pairs) == len(set(pairs)) == images * min(2 * k, images - 1)
    assert all((second, first) in pairs for first, second in pairs)
    assert len(swin_pairs(images, k, symmetric=False)) == len(pairs) // 2


@given(st.floats(0.1, 10), st.integers(0, 10_000))
def test_a_similarity_is_found_again(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((20, 3))
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    target = scale * points @ rotation.T + [1, 2, 3]
    fit = fit_similarity(points, target, rng.uniform(0.1, 1, 20))
    assert fit.scale == pytest.approx(scale, rel=1e-6)
    np.testing.assert_allclose(fit(points), target, atol=1e-6 * max(1, scale))
