"""Middlebury stereo (2014 and later): im0.png, im1.png, calib.txt, disp0 and, if there, disp1.

A disparity d is .pfm, .npy or .npz, infinite or 0 where unknown, in pixels of im0; the depth is
baseline * f / (d + doffs). Source: https://vision.middlebury.edu/stereo/data/scenes2014/
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    Scene,
    camera_matrix,
    folders_with,
    gather,
    require_file,
)
from dust_core.pairs.importing.adapters.files import (
    known_depth,
    parse_numbers,
    read_lines,
    read_map,
)
from dust_core.pairs.importing.adapters.reproject import reproject
from dust_core.pairs.importing.camera import Camera

_CALIBRATION = "calib.txt"
_FORMATS = (".pfm", ".npy", ".npz")
_METRES_PER_MILLIMETRE = 0.001


@dataclass(frozen=True)
class _Calibration:
    """Both cameras, and what turns disparity into depth."""

    cameras: tuple[Camera, Camera]
    baseline_m: float
    offset_px: float


@dataclass(frozen=True)
class Middlebury:
    """The layout of Middlebury stereo: a folder is a scene of two frames."""

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording of two frames for each folder with a calibration."""
        for folder in folders_with(source, _CALIBRATION, "a stereo pair of Middlebury"):
            yield Scene(folder.resolve().name, partial(_read, folder))


def _read(folder: Path) -> Recording:
    calibration = _read_calibration(folder / _CALIBRATION)
    left, right = _disparity(folder, 0), _disparity(folder, 1)
    if left is None:
        raise DustError(
            f"there is no disparity: disp0 with one of {', '.join(_FORMATS)}",
            where=str(folder),
            fix="complete the data set",
        )
    world_from_right = np.eye(4)
    world_from_right[0, 3] = calibration.baseline_m

    def read_left() -> Floats:
        return _read_depth(left, calibration)

    def read_right() -> Floats:
        if right is not None:
            return _read_depth(right, calibration)
        depth = read_left()
        pose = np.linalg.inv(world_from_right)
        cameras = [camera.intrinsics for camera in calibration.cameras]
        return reproject(depth, cameras[0], cameras[1], pose, depth.shape)

    def frame(index: int, read_depth: Callable[[], Floats], pose: Floats) -> Frame:
        image = require_file(folder / f"im{index}.png", "the image")
        camera = calibration.cameras[index]
        return Frame(f"im{index}", image, read_depth, camera, pose, depth_scales=True)

    return gather(
        [
            ("im0", partial(frame, 0, read_left, np.eye(4))),
            ("im1", partial(frame, 1, read_right, world_from_right)),
        ]
    )


def _disparity(folder: Path, index: int) -> Path | None:
    paths = (folder / f"disp{index}{suffix}" for suffix in _FORMATS)
    return next((path for path in paths if path.is_file()), None)


def _read_depth(path: Path, calibration: _Calibration) -> Floats:
    with np.errstate(invalid="ignore"):  # NaN is found below
        disparity = read_map(path, "the disparity").astype(np.float64)
    size, present = calibration.cameras[0].size, disparity.shape[::-1]
    if size is not None and present != size:
        raise DustError(
            f"the disparity is {present[0]}x{present[1]}, its calibration is for "
            f"{size[0]}x{size[1]}: its values are in pixels of an unknown size",
            where=str(path),
            fix="give the disparity and the calibration of one size",
        )
    focal = calibration.cameras[0].intrinsics[0, 0]
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        depth = calibration.baseline_m * focal / (disparity + calibration.offset_px)
    return known_depth(np.where(disparity == 0, 0, depth), str(path))


def _read_calibration(path: Path) -> _Calibration:
    lines = read_lines(path, "the calibration")
    values = {key.strip(): value for key, _, value in (line.partition("=") for _, line in lines)}

    def numbers(key: str, count: int) -> Floats:
        row = parse_numbers(values.get(key, "").strip().strip("[]"), f"{path}: {key}")
        if row.size != count or not np.isfinite(row).all():
            raise DustError(
                f"{key} must be {count} numbers, found {row.size}",
                where=str(path),
                fix="cam0, cam1, doffs and baseline are as Middlebury 2014 writes them",
            )
        return row

    size = None
    if "width" in values or "height" in values:
        size = (int(numbers("width", 1)[0]), int(numbers("height", 1)[0]))
        if min(size) < 1:
            raise DustError(
                f"no size of a picture: {size[0]}x{size[1]}", where=str(path), fix="mend the file"
            )
    cameras = [
        Camera(camera_matrix(numbers(key, 9), f"{path}: {key}"), size) for key in ("cam0", "cam1")
    ]
    return _Calibration(
        cameras=(cameras[0], cameras[1]),
        baseline_m=float(numbers("baseline", 1)[0]) * _METRES_PER_MILLIMETRE,
        offset_px=float(numbers("doffs", 1)[0]),
    )
