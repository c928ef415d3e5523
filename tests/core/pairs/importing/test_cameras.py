"""Cameras against pictures: sizes that agree, sizes that do not, and lenses."""

from pathlib import Path

import adapter_room as room
import numpy as np
import pytest

from dust_core.errors import DustError
from dust_core.pairs.importing.camera import Camera, depth_for, fit, same_shape
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.importing.lens import Lens, straighten, without_distortion
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.reader import read_samples

SIZE = (room.WIDTH, room.HEIGHT)
RADIAL = Lens("radial", (0.26, -0.95, -0.0054, 0.0026, 1.16))
BARREL = Lens("radial", (-0.25, 0.06, 0.001, -0.002))
FISHEYE = Lens("fisheye", (0.03, -0.01, 0.002, 0.0))


def test_a_camera_follows_its_picture() -> None:
    """Half a picture has half the rays: the centre of a pixel is the middle of four."""
    fitted = fit(Camera(room.K, (192, 144)), (96, 72), "here")
    np.testing.assert_allclose(
        fitted.intrinsics, [[40, 0, 46.8 / 2 - 0.5], [0, 41, 37.4 / 2 - 0.5], [0, 0, 1]]
    )
    assert fitted.remarks == (
        "cameras for 192x144 are scaled to the pictures, which are 96x72",
        "warning: the principal point is at 24 % of the width and 26 % of the height of pictures "
        "of 96x72; are the intrinsics for this size?",
    )


@pytest.mark.parametrize("size", [(96, 100), (72, 96), (90, 72)])
def test_another_shape_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DustError, match=f"for pictures of 96x72, the picture is {size[0]}x"):
        fit(Camera(room.K, SIZE), size, "here")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((640, 480), (320, 240), True),
        ((641, 480), (320, 240), True),
        ((1920, 1080), (683, 384), True),
        ((640, 480), (480, 640), False),
        ((1296, 968), (640, 480), False),
        ((640, 480), (640, 360), False),
    ],
)
def test_sizes_of_one_shape(first: tuple[int, int], second: tuple[int, int], same: bool) -> None:
    assert same_shape(first, second) is same


def test_intrinsics_of_another_size_are_suspected() -> None:
    assert fit(Camera(room.K), SIZE, "here").remarks == ()
    (remark,) = fit(Camera(room.K), (48, 36), "here").remarks
    assert remark.startswith("warning: the principal point is at 98 % of the width")


def test_depth_of_another_size_is_scaled_only_where_it_shows_the_same() -> None:
    depth = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    large = depth_for(depth, (6, 4), True, "here")
    np.testing.assert_array_equal(large, depth.repeat(2, 0).repeat(2, 1))
    for scales, size in ((False, (6, 4)), (True, (6, 6))):
        with pytest.raises(DustError, match="its depth 3x2"):
            depth_for(depth, size, scales, "here")


@pytest.mark.parametrize("lens", [RADIAL, BARREL, FISHEYE], ids=str)
def test_a_lens_is_taken_out(lens: Lens) -> None:
    """The room through a lens, straightened, is the room through a pinhole."""
    image, depth = room.distorted_view(room.camera(1), room.rays_of(lens))
    straight = without_distortion(lens, room.K, SIZE, "here")
    colours, metres = straighten(image, depth, lens, room.K, straight)
    truth, true_depth = room.view(room.camera(1), straight)
    assert (metres > 0).all()  # no border is blank
    assert np.median(np.abs(metres / true_depth - 1)) < 0.004
    assert np.median(np.abs(colours.astype(float) - truth)) < 2
    pinhole = room.view(room.camera(1), room.K)[1]
    assert np.abs(depth / pinhole - 1).max() > 0.02  # the lens did something


def test_a_lens_that_folds_is_refused() -> None:
    with pytest.raises(DustError, match="folds the picture onto itself"):
        without_distortion(Lens("radial", (-3.0, 0, 0, 0)), room.K, SIZE, "here")


@pytest.mark.parametrize(
    ("model", "lens", "numbers"),
    [
        ("OPENCV", BARREL, "80 82 46.8 37.4 -0.25 0.06 0.001 -0.002"),
        ("OPENCV_FISHEYE", FISHEYE, "80 82 46.8 37.4 0.03 -0.01 0.002 0"),
        ("SIMPLE_RADIAL", Lens("radial", (-0.2, 0, 0, 0)), "80 46.8 37.4 -0.2"),
    ],
)
def test_distorted_models_of_colmap_are_undistorted(
    model: str, lens: Lens, numbers: str, tmp_path: Path
) -> None:
    made = room.colmap_text(tmp_path / "set")
    k = room.K.copy()
    k[1, 1] = 80 if model.startswith("SIMPLE") else 82
    dense = tmp_path / "set" / "room" / "dense"
    (dense / "sparse" / "cameras.txt").write_text(f"7 {model} {SIZE[0]} {SIZE[1]} {numbers}\n")
    for n in range(room.COUNT):
        image, depth = room.distorted_view(room.camera(n), room.rays_of(lens, k))
        room.save_image(dense / "images" / "left" / f"{n}.png", image)
        header = f"{SIZE[0]}&{SIZE[1]}&1&".encode()
        path = dense / "stereo" / "depth_maps" / "left" / f"{n}.png.geometric.bin"
        path.write_bytes(header + (depth / 2).astype("<f4").tobytes())
    into = tmp_path / "shards"
    import_("colmap", made.source, into, side=64, picture="png", max_overlap=1.0, **made.options)
    assert check_set(into).faults == []
    sample = next(read_samples(into))
    pose = made.poses[sample.about["images"][0]]
    truth = room.view(pose, sample.intrinsics[0], (64, 64))[1]
    assert np.median(np.abs(sample.depths[0] / truth - 1)) < 0.005
