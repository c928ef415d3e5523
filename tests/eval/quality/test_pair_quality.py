import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dust_eval.quality import PairTruth, pair_quality
from dust_eval.quality.cloud import chamfer
from dust_eval.quality.depth import absrel, delta1, median_scale, rmse

SIDE = 24
POSITIVE = st.floats(0.05, 50)


def room(seed: int = 0) -> tuple[PairTruth, np.ndarray, np.ndarray]:
    """Two views of one bumpy surface, and the exact pointmaps of both in view 1's frame."""
    rng = np.random.default_rng(seed)
    intrinsics = np.array([[30.0, 0, 11.5], [0, 30.0, 11.5], [0, 0, 1]])
    angle = 0.2
    pose = np.eye(4)
    pose[:3, :3] = [
        [math.cos(angle), 0, math.sin(angle)],
        [0, 1, 0],
        [-math.sin(angle), 0, math.cos(angle)],
    ]
    pose[:3, 3] = [0.3, -0.1, 0.05]
    depths = [2 + rng.random((SIDE, SIDE)) for _ in range(2)]
    depths[0][0, :5] = 0  # unknown
    rows, columns = np.mgrid[:SIDE, :SIDE]
    clouds = [np.stack([(columns - 11.5) / 30 * d, (rows - 11.5) / 30 * d, d], -1) for d in depths]
    clouds[1] = clouds[1] @ pose[:3, :3].T + pose[:3, 3]
    return PairTruth(*depths, intrinsics, intrinsics, pose), clouds[0], clouds[1]


def quality(points_1: np.ndarray, points_2: np.ndarray, truth: PairTruth) -> dict[str, float]:
    return pair_quality(points_1, points_2, truth, chamfer_points=10_000, seed=42)


@given(POSITIVE)
def test_the_truth_at_any_scale_is_perfect(scale: float) -> None:
    truth, first, second = room()
    metrics = quality(scale * first, scale * second, truth)
    assert metrics == pytest.approx({"absrel": 0, "rmse": 0, "delta1": 1, "chamfer": 0}, abs=1e-9)


@given(st.floats(-0.3, 0.6))
def test_view_2_alone_at_another_scale_errs_by_that_factor(error: float) -> None:
    factor = max(1 + error, 1 / (1 + error))
    assume(abs(factor - 1.25) > 1e-6)  # on the line itself, rounding decides
    truth, first, second = room()
    camera_2 = truth.view1_from_view2[:3, 3]
    # Scaling about camera 2 multiplies its depths by 1 + error and leaves view 1 alone.
    metrics = quality(first, (1 + error) * (second - camera_2) + camera_2, truth)
    share_2 = (truth.depth_2 > 0).sum() / ((truth.depth_1 > 0).sum() + (truth.depth_2 > 0).sum())
    assert metrics["absrel"] == pytest.approx(abs(error) * share_2, abs=1e-9)
    depths = truth.depth_2[truth.depth_2 > 0]
    assert metrics["rmse"] == pytest.approx(
        abs(error) * math.sqrt(np.mean(depths**2) * share_2), abs=1e-9
    )
    assert metrics["delta1"] == pytest.approx(1 if factor < 1.25 else 1 - share_2)


@given(st.floats(0.001, 0.02))
def test_a_sideways_shift_is_seen_by_chamfer_alone(shift: float) -> None:
    truth, first, second = room()
    moved = np.array([0, shift, 0])
    metrics = quality(first + moved, second + moved, truth)
    assert metrics["absrel"] == pytest.approx(0, abs=1e-9)
    assert 0 < metrics["chamfer"] <= shift + 1e-12


def test_unknown_depth_is_masked() -> None:
    truth, first, second = room()
    first[0, :5] = 1e6
    assert quality(first, second, truth)["absrel"] == pytest.approx(0, abs=1e-9)


def test_depth_behind_the_camera_is_a_miss_not_nan() -> None:
    truth, first, second = room()
    first[5, 5] = [0, 0, -1]
    metrics = quality(first, second, truth)
    pixels = (truth.depth_1 > 0).sum() + (truth.depth_2 > 0).sum()
    assert metrics["delta1"] == pytest.approx(1 - 1 / pixels)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=30))
def test_depth_errors_agree_with_a_plain_loop(rows: list[tuple[float, float]]) -> None:
    predicted, true = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    assert absrel(predicted, true) == pytest.approx(sum(abs(p - t) / t for p, t in rows) / n)
    assert rmse(predicted, true) == pytest.approx(math.sqrt(sum((p - t) ** 2 for p, t in rows) / n))
    assert delta1(predicted, true) == sum(max(p / t, t / p) < 1.25 for p, t in rows) / n
    ratios = sorted(t / p for p, t in rows)
    assert median_scale(predicted, true) == pytest.approx(
        (ratios[(n - 1) // 2] + ratios[n // 2]) / 2
    )


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 40))
def test_chamfer_agrees_with_all_distances(seed: int, first: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((first, 3)), rng.random((second, 3))
    table = np.linalg.norm(a[:, None] - b[None], axis=-1)
    expected = (table.min(1).mean() + table.min(0).mean()) / 2
    assert chamfer(a, b, points=100, seed=0) == pytest.approx(expected)


def test_chamfer_of_a_draw_is_the_same_every_time() -> None:
    a, b = np.random.default_rng(0).random((2, 5000, 3))
    assert chamfer(a, b, points=500, seed=1) == chamfer(a, b, points=500, seed=1)
    assert chamfer(a, b, points=500, seed=1) != chamfer(a, b, points=500, seed=2)


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_is_refused(fault: float) -> None:
    truth, first, second = room()
    second[3, 3, 0] = fault
    with pytest.raises(ValueError, match="points_2 holds NaN or infinity"):
        quality(first, second, truth)


def test_a_prediction_of_another_size_is_refused() -> None:
    truth, first, second = room()
    with pytest.raises(ValueError, match=r"points_1 is \(12, 24, 3\), the truth \(24, 24\)"):
        quality(first[:12], second, truth)
