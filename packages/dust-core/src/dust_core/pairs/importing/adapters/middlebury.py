"""Middlebury stereo (2014 and later): im0.png, im1.png, calib.txt, disp0 and, if there, disp1.

A disparity d is .pfm, .npy or .npz, infinite or 0 where unknown, in pixels of im0; the depth is
baseline * f / (d + doffs). Source: https://vision.middlebury.edu/stereo/data/scenes2014/
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    camera_matrix,
    folders_with,
    require_file,
)
from dust_core.pairs.importing.adapters.files import (
    known_depth,
    parse_numbers,
    read_lines,
    read_map,
)
from dust_core.pairs.importing.adapters.reproject import reproject

_CALIBRATION = "calib.txt"
_FORMATS = (".pfm", ".npy", ".npz")
_METRES_PER_MILLIMETRE = 0.001


@dataclass(frozen=True)
class _Calibration:
    """Intrinsics (3, 3) of both images, and what turns disparity into depth."""

    cameras: tuple[Floats, Floats]
    baseline_m: float
    offset_px: float


@dataclass(frozen=True)
class Middlebury:
    """The layout of Middlebury stereo: a folder is a scene of two frames."""

    def recordings(self, source: Path) -> Iterator[Recording]:
        """A recording of two frames for each folder with a calibration."""
        for folder in folders_with(source, _CALIBRATION, "a stereo pair of Middlebury"):
            yield Recording(folder.resolve().name, _frames(folder))


def _frames(folder: Path) -> list[Frame]:
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
        return reproject(depth, *calibration.cameras, pose, depth.shape)

    def frame(index: int, read_depth: Callable[[], Floats], pose: Floats) -> Frame:
        image = require_file(folder / f"im{index}.png", "the image")
        return Frame(f"im{index}", image, read_depth, calibration.cameras[index], pose)

    return [frame(0, read_left, np.eye(4)), frame(1, read_right, world_from_right)]


def _disparity(folder: Path, index: int) -> Path | None:
    paths = (folder / f"disp{index}{suffix}" for suffix in _FORMATS)
    return next((path for path in paths if path.is_file()), None)


def _read_depth(path: Path, calibration: _Calibration) -> Floats:
    disparity = read_map(path, "the disparity").astype(np.float64)
    focal = calibration.cameras[0][0, 0]
    with np.errstate(divide="ignore"):
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

    cameras = [camera_matrix(numbers(key, 9), f"{path}: {key}") for key in ("cam0", "cam1")]
    return _Calibration(
        cameras=(cameras[0], cameras[1]),
        baseline_m=float(numbers("baseline", 1)[0]) * _METRES_PER_MILLIMETRE,
        offset_px=float(numbers("doffs", 1)[0]),
    )
