"""Squares made of pictures, and pairs chosen of frames."""

import math

import adapter_room as room
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode, place, place_native
from dust_core.pairs.importing.choose import PosedDepth, Selection, covisibility, select

SIDES = st.integers(8, 90)


@given(width=SIDES, height=SIDES, side=SIDES, mode=st.sampled_from(Mode))
def test_a_ray_keeps_its_pixel(width: int, height: int, side: int, mode: Mode) -> None:
    """Depth that names the pixel it came from says where K must put that pixel's ray."""
    placement = place(width, height, side, mode)
    k = np.array([[70.0, 0, 13.2], [0, 55.0, 21.7], [0, 0, 1]])
    moved = placement.intrinsics(k)
    numbered = 1 + np.arange(width * height, dtype=np.float32).reshape(height, width)
    square = placement.depth(numbered)
    assert square.shape == (side, side)
    rows, columns = np.nonzero(square)
    if mode is Mode.CROP:
        assert len(rows) == side * side
    was = square[rows, columns].astype(int) - 1
    rays = np.linalg.inv(k) @ [was % width, was // width, np.ones(len(was))]
    x, y, _ = moved @ rays
    # The nearest pixel is at most half a pixel of the picture away, in pixels of the square.
    _, _, part_width, part_height = placement.part
    _, _, place_width, place_height = placement.place
    assert np.abs(x - columns).max() <= 0.5 * place_width / part_width + 1e-6
    assert np.abs(y - rows).max() <= 0.5 * place_height / part_height + 1e-6


@given(width=st.integers(32, 900), height=st.integers(32, 900), patch=st.sampled_from([16, 32]))
def test_a_native_image_has_the_size_of_the_published_loader(
    width: int, height: int, patch: int
) -> None:
    placement = place_native(width, height, 512, patch)
    # The arithmetic of naver/dust3r, dust3r/utils/image.py: load_images(size=512).
    longest = max(width, height)
    new_width, new_height = (round(side * 512 / longest) for side in (width, height))
    half_width = 2 * (new_width // 2) // patch * patch // 2
    half_height = 2 * (new_height // 2) // patch * patch // 2
    if new_width == new_height and width == height:
        half_height = 3 * half_width // 4
    if min(half_width, half_height) == 0:
        assert placement is None
        return
    assert placement is not None
    assert placement.size == (2 * half_width, 2 * half_height)
    left, top, part_width, part_height = placement.part
    assert left + part_width <= width and top + part_height <= height
    assert abs(width - part_width - 2 * left) <= 1 and abs(height - part_height - 2 * top) <= 1
    stretched = np.diag(placement.intrinsics(np.eye(3)))[:2] * longest / 512
    # Each side is off by half a pixel of the part, which is whole pixels, and by half a pixel of
    # the image, where the loader rounds up to more than the picture has.
    rounded = 0.51 / min(part_width, part_height) + 0.51 / min(placement.size)
    assert np.abs(stretched - 1).max() <= rounded


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("width", "height", "side"), [(200, 120, 64), (121, 201, 50), (40, 60, 90)]
)
def test_colours_go_where_the_intrinsics_say(
    mode: Mode, width: int, height: int, side: int
) -> None:
    """In a picture whose colour is its own x and y, every colour must lie at that x and y."""
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    picture = np.stack([columns, rows, 0 * rows], -1).astype(np.uint8)
    placement = place(width, height, side, mode)
    square = placement.image(Image.fromarray(picture))
    moved = placement.intrinsics(np.eye(3))
    left, top, place_width, place_height = placement.place
    inner = slice(top + 4, top + place_height - 4), slice(left + 4, left + place_width - 4)
    y, x = np.mgrid[inner]
    np.testing.assert_allclose(square[inner][..., 0], (x - moved[0, 2]) / moved[0, 0], atol=0.51)
    np.testing.assert_allclose(square[inner][..., 1], (y - moved[1, 2]) / moved[1, 1], atol=0.51)


def test_stripes_finer_than_a_pixel_become_grey() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    square = place(256, 256, 64, Mode.CROP).image(Image.fromarray(stripes))
    assert np.abs(square[:, 4:-4].astype(int) - 127).max() <= 2


def views(count: int, turn: float) -> list[PosedDepth]:
    """Views of one wall, each turned further to the right by `turn` radians."""
    result = []
    for n in range(count):
        pose = np.eye(4)
        c, s = math.cos(n * turn), math.sin(n * turn)
        pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
        result.append(PosedDepth(room.view(pose)[1], room.K, pose))
    return result


def test_pairs_are_those_within_the_bounds() -> None:
    frames = views(7, 0.15)
    bounds = Selection(lowest=0.3, highest=0.8, window=6, pairs_per_frame=6)
    chosen = list(select(len(frames), frames.__getitem__, bounds))
    expected = {
        (i, j)
        for i in range(7)
        for j in range(i + 1, 7)
        if 0.3 <= covisibility(frames[i], frames[j]) <= 0.8
    }
    assert {pair.positions for pair in chosen} == expected
    assert 0 < len(expected) < 21
    for pair in chosen:
        i, j = pair.positions
        assert pair.views == (frames[i], frames[j])
        # Measured by the angle: of 62 degrees of view, what is not turned away is seen.
        share = 1 - (j - i) * 0.15 / (2 * math.atan(48 / 80))
        assert pair.covisibility == pytest.approx(share, abs=0.15)


def test_covisibility_is_the_smaller_of_both_shares() -> None:
    """A camera with a long lens sees a quarter of what a wide lens sees, which sees all of that."""
    k = np.diag([2, 2, 1]) @ room.K - [[0, 0, room.WIDTH / 2], [0, 0, room.HEIGHT / 2], [0, 0, 0]]
    wide, long = (
        PosedDepth(room.view(np.eye(4), lens)[1], lens, np.eye(4)) for lens in (room.K, k)
    )
    assert covisibility(wide, long) == covisibility(long, wide) == pytest.approx(0.25, abs=0.07)


def test_the_work_grows_with_the_frames_and_not_their_square() -> None:
    few = views(3, 0.9)
    loaded: list[int] = []
    measured: list[float] = []

    def load(position: int) -> PosedDepth:
        loaded.append(position)
        return few[position % 3]

    bounds = Selection(lowest=0.9999, highest=1.0, window=5)
    list(select(60, load, bounds, measured.append))
    assert sorted(loaded) == list(range(60))
    assert len(measured) <= 60 * 5


def test_the_seed_decides_which_pairs() -> None:
    frames = views(12, 0.04)

    def chosen(seed: int) -> list[tuple[int, int]]:
        bounds = Selection(0.2, 1.0, window=10, pairs_per_frame=1, seed=seed)
        return [pair.positions for pair in select(12, frames.__getitem__, bounds)]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert [first for first, _ in chosen(1)] == list(range(11))


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1), (math.nan, 1)])
def test_bounds_that_are_none(lowest: float, highest: float) -> None:
    with pytest.raises(DustError, match="the bounds of overlap are"):
        Selection(lowest, highest)
