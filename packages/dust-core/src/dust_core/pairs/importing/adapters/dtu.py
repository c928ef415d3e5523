"""DTU in the layout of MVSNet: Rectified/scanN*/rect_*.png, Cameras, Depths/scanN*/*.pfm.

View i is `rect_{i+1}_{light}_r5000.png`, `{i:08d}_cam.txt` and `depth_map_{i:04d}.pfm`. A camera
file has `extrinsic`, world-to-camera in millimetres, and `intrinsic`, which is for the depth map;
scans called `*_train` have theirs in Cameras/train, for maps of 160x128 beside pictures of
640x512. A map's pixel (x, y) is the picture's (4x, 4y). Sources: README.md and mvsnet/preprocess.py
of https://github.com/YoYo000/MVSNet
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    LeftOut,
    Making,
    Recording,
    Scene,
    camera_matrix,
    folders_with,
    gather,
    require_file,
    rigid,
)
from dust_core.pairs.importing.adapters.conventions import in_metres, scaled
from dust_core.pairs.importing.adapters.files import (
    image_size,
    parse_numbers,
    read_lines,
    read_map,
)
from dust_core.pairs.importing.camera import Camera

_METRES_PER_MILLIMETRE = 0.001
_PICTURE = re.compile(r"rect_(\d+)_(\d+|max)(?:_r\d+)?\.png")


@dataclass(frozen=True)
class Dtu:
    """The layout of DTU for MVSNet: a scan is a scene, each of its seven lights a recording."""

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each scan and light."""
        for folder in folders_with(source, "rect_*.png", "a scan of DTU (Rectified/scanN)"):
            scan = folder.resolve().name
            lights: dict[str, list[tuple[int, Path]]] = {}
            for path in sorted(folder.glob("rect_*.png"), key=natural_key):
                if match := _PICTURE.fullmatch(path.name):
                    lights.setdefault(match[2], []).append((int(match[1]) - 1, path))
            for light in sorted(lights, key=natural_key):
                yield Scene(
                    scan.removesuffix("_train"), partial(_read, folder, scan, lights[light])
                )


def _read(folder: Path, scan: str, pictures: list[tuple[int, Path]]) -> Recording:
    root = folder.parent.parent
    cameras = root / "Cameras" / "train" if scan.endswith("_train") else root / "Cameras"
    if not cameras.is_dir():
        raise DustError(
            "there are no cameras: Cameras/*_cam.txt beside Rectified",
            where=str(cameras),
            fix="complete the data set, and name the folder around Rectified",
        )
    makings: list[Making] = []
    left_out: list[LeftOut] = []
    for view, path in pictures:
        depth = root / "Depths" / scan / f"depth_map_{view:04d}.pfm"
        camera = cameras / f"{view:08d}_cam.txt"
        makings.append((path.stem, partial(_frame, path, depth, camera)))
    return gather(makings, left_out)


def _frame(image: Path, depth: Path, camera: Path) -> Frame:
    extrinsic, intrinsic = read_mvsnet_camera(camera)
    size = image_size(image)
    ratio = _ratio(require_file(depth, "the depth"), size)
    matrix = np.diag([ratio, ratio, 1.0]) @ intrinsic
    return Frame(
        name=image.stem,
        image=image,
        read_depth=partial(_read_depth, depth, size, ratio),
        camera=Camera(matrix, size),
        cam_to_world=scaled(np.linalg.inv(extrinsic), _METRES_PER_MILLIMETRE),
    )


def _ratio(depth: Path, size: tuple[int, int]) -> float:
    """How many of the picture's pixels a pixel of the map is wide.

    Raises:
        DustError: they differ in shape.
    """
    try:
        with depth.open("rb") as stream:
            kind, sides = stream.readline().split(), [int(s) for s in stream.readline().split()]
        if kind != [b"Pf"] or len(sides) != 2 or min(sides) < 1:
            raise ValueError("it is no PFM of one channel")
    except (OSError, ValueError) as error:
        raise DustError(
            f"the depth cannot be read: {error}", where=str(depth), fix="fetch the file again"
        ) from error
    if size[0] * sides[1] != size[1] * sides[0]:
        raise DustError(
            f"the picture is {size[0]}x{size[1]}, its depth {sides[0]}x{sides[1]}",
            where=str(depth),
            fix="give pictures and depth of one shape: Rectified/scanN_train with "
            "Depths/scanN_train",
        )
    return size[0] / sides[0]


def _read_depth(path: Path, size: tuple[int, int], ratio: float) -> Floats:
    values = read_map(path, "the depth")
    columns, rows = (
        np.clip(np.rint(np.arange(side) / ratio).astype(np.int64), 0, count - 1)
        for side, count in zip(size, values.shape[::-1], strict=True)
    )
    return in_metres(values[np.ix_(rows, columns)], _METRES_PER_MILLIMETRE, str(path))


def read_mvsnet_camera(path: Path) -> tuple[Floats, Floats]:
    """World-to-camera (4, 4) and K (3, 3) of a camera file of MVSNet.

    Raises:
        DustError: it is missing or something else.
    """
    words = " ".join(line for _, line in read_lines(path, "the camera")).split()
    if len(words) < 27 or words[0] != "extrinsic" or words[17] != "intrinsic":
        raise DustError(
            "no camera of MVSNet: `extrinsic`, 16 numbers, `intrinsic`, 9 numbers",
            where=str(path),
            fix="fetch the file again",
        )
    numbers = parse_numbers(" ".join(words[1:17] + words[18:27]), str(path))
    return rigid(numbers[:16].reshape(4, 4), str(path)), camera_matrix(numbers[16:], str(path))
