"""ScanNet: exported frames, color/N.jpg, depth/N.png, pose/N.txt, intrinsic/intrinsic_*.txt.

Depth is in millimetres, 0 where unknown, of a camera at the place of the colour camera with
intrinsics of its own. A pose is camera-to-world, in metres, and -inf where tracking was lost. The
frames of scannet_frames_25k have their intrinsics beside the folders. Sources: SensorData.py and
reader.py in SensReader/python of https://github.com/ScanNet/ScanNet
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
    Recording,
    Scene,
    camera_matrix,
    folders_with,
    gather,
    require_file,
    rigid,
)
from dust_core.pairs.importing.adapters.conventions import seen_by, stretched
from dust_core.pairs.importing.adapters.files import image_size, read_depth, read_numbers
from dust_core.pairs.importing.camera import Camera, same_shape

_COLOUR_SIZE, _DEPTH_SIZE = (1296, 968), (640, 480)  # of every recording of ScanNet
_MILLIMETRE = 0.001


@dataclass(frozen=True)
class ScanNet:
    """The layout of ScanNet: a folder is a scan, `scene0000_00` a scan of the place `scene0000`."""

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each folder that holds `color` and `pose`."""
        found = folders_with(source, "pose", "a scan of ScanNet (color/, depth/, pose/)")
        for folder in found:
            place = folder.resolve().name
            scan = re.fullmatch(r"(scene\d+)_\d+", place)
            prefix = f"{place}/" if scan else ""
            yield Scene(scan[1] if scan else place, partial(_read, folder, prefix))


def _read(folder: Path, prefix: str) -> Recording:
    colour, depth = (_intrinsics(folder, kind) for kind in ("color", "depth"))
    for kind in ("color", "depth"):
        _require_one_place(folder, kind)
    images = {path.stem: path for path in (folder / "color").glob("[!.]*")}
    stems = set(images) | {path.stem for path in (folder / "depth").glob("[!.]*.png")}

    def frame(stem: str) -> Frame:
        image = require_file(images.get(stem, folder / "color" / f"{stem}.jpg"), "the image")
        map_, pose = folder / "depth" / f"{stem}.png", folder / "pose" / f"{stem}.txt"
        numbers = read_numbers(pose, (16,), "a pose").reshape(4, 4)
        size = image_size(image)
        camera = Camera(_for_picture(colour, size, image), size)
        return Frame(
            name=f"{prefix}{stem}",
            image=image,
            read_depth=partial(
                _read_depth, require_file(map_, "the depth"), depth, camera.intrinsics, size
            ),
            camera=camera,
            cam_to_world=rigid(numbers, str(pose)),
        )

    return gather((prefix + stem, partial(frame, stem)) for stem in sorted(stems, key=natural_key))


def _for_picture(colour: Floats, size: tuple[int, int], image: Path) -> Floats:
    """The (3, 3) of a picture of that size: scaled, or stretched to the depth's size as the
    exporter does on request.

    Raises:
        DustError: it has another shape.
    """
    if not same_shape(_COLOUR_SIZE, size) and not same_shape(_DEPTH_SIZE, size):
        raise DustError(
            f"the picture is {size[0]}x{size[1]}, ScanNet's are 1296x968 or scaled to 640x480",
            where=str(image),
            fix="export the frames again; cropped or turned pictures are not taken",
        )
    return stretched(colour, _COLOUR_SIZE, size)


def _read_depth(path: Path, intrinsics: Floats, colour: Floats, size: tuple[int, int]) -> Floats:
    depth = read_depth(path, _MILLIMETRE)
    present = (depth.shape[1], depth.shape[0])
    if not same_shape(_DEPTH_SIZE, present) and not same_shape(_COLOUR_SIZE, present):
        raise DustError(
            f"the depth is {present[0]}x{present[1]}, ScanNet's is 640x480",
            where=str(path),
            fix="export the frames again",
        )
    return seen_by(depth, stretched(intrinsics, _DEPTH_SIZE, present), colour, size)


def _intrinsics(folder: Path, kind: str) -> Floats:
    paths = (
        folder / "intrinsic" / f"intrinsic_{kind}.txt",
        folder / f"intrinsics_{kind}.txt",
        folder / f"intrinsic_{kind}.txt",
    )
    path = next((path for path in paths if path.is_file()), paths[0])
    numbers = read_numbers(path, (16, 9), f"K of {kind}")
    side = 4 if numbers.size == 16 else 3
    return camera_matrix(numbers.reshape(side, side)[:3, :3].ravel(), str(path))


def _require_one_place(folder: Path, kind: str) -> None:
    """Prove that a camera is where the poses are; ScanNet's depth is registered to colour."""
    path = folder / "intrinsic" / f"extrinsic_{kind}.txt"
    if path.is_file() and not np.allclose(
        read_numbers(path, (16,), "a pose"), np.eye(4).ravel(), atol=1e-4
    ):
        raise DustError(
            f"the {kind} camera is elsewhere than the poses: these frames are not registered",
            where=str(path),
            fix="export the frames with ScanNet's SensReader",
        )
