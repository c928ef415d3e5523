"""Depth in 16 bits: steps by view, nothing lost without a word."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from miniature import pair

from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.depth import DEPTH_UNIT_M, stored
from dust_core.pairs.shards.depth_faults import faults_of_depth
from dust_core.pairs.shards.sample import decode, encode
from dust_core.pairs.shards.tars import write_shards


@given(
    nearest=st.floats(1e-6, 1e6),
    ratio=st.floats(1, 127),
    seed=st.integers(0, 2**32 - 1),
)
def test_all_depth_of_one_view_is_kept_to_a_thousandth(
    nearest: float, ratio: float, seed: int
) -> None:
    depth = np.random.default_rng(seed).uniform(nearest, ratio * nearest, (8, 8))
    depth = depth.astype(np.float32)
    depth[0] = 0
    kept = stored(depth)
    assert (kept.known, kept.lost) == (56, 0)
    assert not kept.steps[0].any()
    assert np.abs(kept.metres()[1:] / depth[1:] - 1).max() <= 0.00101


def test_a_room_is_stored_in_millimetres() -> None:
    assert stored(np.array([[0.6, 3.0]])).unit_m == pytest.approx(DEPTH_UNIT_M)


def test_what_no_step_can_hold_is_counted() -> None:
    """A few wild depths do not cost the scene; they are unknown, and said to be lost."""
    depth = np.linspace(1, 100, 1000).reshape(25, 40)
    depth[0, :5] = 1e7
    depth[0, 5:8] = 1e-4
    kept = stored(depth)
    assert (kept.known, kept.lost) == (1000, 8)
    assert not kept.steps[0, :8].any()
    known = kept.steps > 0
    assert np.abs(kept.metres()[known] / depth[known] - 1).max() <= 0.00101


def test_a_step_that_is_given_is_kept() -> None:
    kept = stored(np.array([[0.0, 0.0004, 1.0, 65.535, 65.6, 1e30]]), 0.001)
    assert kept.steps.tolist() == [[0, 0, 1000, 65535, 0, 0]]
    assert (kept.known, kept.lost) == (5, 3)


def test_each_view_has_its_step() -> None:
    near = pair(0, 1)
    far = replace(near, depths=(near.depths[0], 40 * near.depths[1]))
    members = encode(far, depth_unit_m=(0.001, 0.02), picture="png")
    decoded = decode(members, "here")
    np.testing.assert_allclose(decoded.depths[0], far.depths[0], atol=0.00051)
    np.testing.assert_allclose(decoded.depths[1], far.depths[1], atol=0.0101)
    assert decoded.about["depth_unit_m"] == [0.001, 0.02]


def ramp() -> np.ndarray:
    return np.linspace(1, 4, 64 * 64, dtype=np.float32).reshape(64, 64)


def test_whole_depth_has_no_fault() -> None:
    for scale in (1e-3, 1, 60):
        kept = stored(scale * ramp())
        assert list(faults_of_depth(kept.metres(), kept.unit_m)) == []
    wall = np.full((64, 64), 2.0)
    assert list(faults_of_depth(wall, 0.001)) == []


def test_a_depth_without_a_pixel_is_a_fault() -> None:
    assert list(faults_of_depth(np.zeros((4, 4)), 0.001)) == ["has no known depth"]


def test_long_steps_and_eight_bits_are_coarse() -> None:
    steps = stored(ramp(), 0.1)
    (fault,) = faults_of_depth(steps.metres(), 0.1)
    assert fault.startswith("is coarse: its depths are ")
    eight_bits = np.rint(ramp() * 15) / 15  # some forty depths, in fine steps
    (fault,) = faults_of_depth(eight_bits, 0.001)
    assert fault == "is coarse: its depths are 2.6 % apart in the median"


def box(side: int) -> np.ndarray:
    """The depth of a room that is seen straight on: a picture's row or column is one depth."""
    from_centre = np.abs(np.arange(side) - (side - 1) / 2) / (0.9 * side)
    across, down = np.meshgrid(1 / np.maximum(from_centre, 1e-9), 0.8 / from_centre)
    return np.minimum(np.minimum(across, down), 6.0).astype(np.float32)


@pytest.mark.parametrize("side", [16, 32, 48, 64, 224])
def test_walls_of_a_small_picture_are_no_steps(side: int) -> None:
    kept = stored(box(side))
    assert list(faults_of_depth(kept.metres(), kept.unit_m)) == []


@pytest.mark.parametrize(
    ("side", "by"),
    [(32, "depth"), (48, "depth"), (224, "depth"), (48, "inverse"), (224, "inverse")],
)
def test_steps_of_a_room_that_is_seen_straight_on_are_coarse(side: int, by: str) -> None:
    depth = box(side)
    steps = np.rint(depth * 10) / 10 if by == "depth" else 23 / np.rint(23 / depth)
    kept = stored(steps)
    (fault,) = faults_of_depth(kept.metres(), kept.unit_m)
    assert fault.startswith("is coarse: its depths are ")


def test_depth_that_was_cut_off_is_a_fault() -> None:
    lost = stored(30 * ramp(), 0.001)
    (fault,) = faults_of_depth(lost.metres(), 0.001)
    assert "at 65.53 m, the farthest that steps of 0.001 m reach" in fault
    clamped = np.minimum(30 * ramp(), 65.535)
    (fault,) = faults_of_depth(clamped, 0.001)
    assert fault.startswith("is cut off: 60")


def test_a_check_names_the_view_and_warns_of_its_camera(tmp_path: Path) -> None:
    sample = pair(0, 1)
    moved = sample.intrinsics[1].copy()
    coarse = replace(sample, depths=(sample.depths[0], np.rint(sample.depths[1])))
    write_shards(
        [encode(coarse, depth_unit_m=(0.001, 1.0), picture="png")],
        tmp_path, split="training", licence="none", pairs_per_shard=9,
    )  # fmt: skip
    report = check_set(tmp_path)
    assert any("2.depth.png is coarse" in fault for fault in report.faults)
    assert report.warnings == []
    moved[0, 2] = 63
    write_shards(
        [encode(replace(sample, intrinsics=(sample.intrinsics[0], moved)), picture="png")],
        tmp_path, split="training", licence="none", pairs_per_shard=9,
    )  # fmt: skip
    (warning,) = check_set(tmp_path).warnings
    assert "the principal point of view 2 is at 99 % of the width" in warning
