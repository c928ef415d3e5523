"""COLMAP: a dense workspace of images/, sparse/ and depth maps, as `image_undistorter` writes it.

A depth map is stereo/depth_maps/NAME.geometric.bin (or .photometric.bin) of COLMAP, or a .png,
.tif, .npy, .npz or .pfm of the image's name in the folder of `depths`.
Source: https://colmap.github.io/format.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    pose_from_quaternion,
    require_file,
)
from dust_core.pairs.importing.adapters.colmap_model import model_folder, read_cameras, read_images
from dust_core.pairs.importing.adapters.files import known_depth, read_depth

_OWN = (".geometric.bin", ".photometric.bin")
_OTHER = (".png", ".tif", ".tiff", ".npy", ".npz", ".pfm")


@dataclass(frozen=True)
class Colmap:
    """The layout of COLMAP.

    Attributes:
        depths: the folder of depth maps, below the workspace.
        depth_step: units of the model a step of depths in whole numbers.
        metres_per_unit: a model has no scale of its own; this gives it one.
    """

    depths: str = "stereo/depth_maps"
    depth_step: float = 0.001
    metres_per_unit: float = 1.0

    def recordings(self, source: Path) -> Iterator[Recording]:
        """A recording for each workspace, its images by name.

        Its scene is its folder; one called `dense`, `dense0` or `0` is called by the one around it.
        """
        if not source.is_dir():
            raise DustError("there is no such folder", where=str(source), fix="check the path")
        workspaces = sorted({path.parent for path in source.rglob("sparse") if path.is_dir()})
        for workspace in workspaces or [source]:
            place = workspace.resolve()
            if re.fullmatch(r"(dense)?\d*", place.name):
                place = place.parent
            yield Recording(place.name, self._frames(workspace))

    def _frames(self, workspace: Path) -> list[Frame]:
        folder = model_folder(workspace)
        cameras = read_cameras(folder)
        frames = []
        for image in sorted(read_images(folder), key=lambda image: image.name):
            where = f"{folder}: {image.name}"
            if image.camera not in cameras:
                raise DustError(
                    f"there is no camera {image.camera}", where=where, fix="export the model again"
                )
            cam_from_world = pose_from_quaternion(image.quaternion, image.translation, where)
            cam_from_world[:3, 3] *= self.metres_per_unit
            frames.append(
                Frame(
                    name=image.name,
                    image=require_file(workspace / "images" / image.name, "the image"),
                    read_depth=partial(self._read_depth, workspace / self.depths, image.name),
                    intrinsics=cameras[image.camera],
                    cam_to_world=np.linalg.inv(cam_from_world),
                )
            )
        return frames

    def _read_depth(self, folder: Path, name: str) -> Floats:
        for suffix in _OWN:
            path = folder / (name + suffix)
            if path.is_file():
                return _read_own(path) * np.float32(self.metres_per_unit)
        for suffix in _OTHER:
            for path in (folder / (name + suffix), (folder / name).with_suffix(suffix)):
                if path.is_file():
                    return read_depth(path, self.depth_step) * np.float32(self.metres_per_unit)
        raise DustError(
            "the depth is missing",
            where=str(folder / name),
            fix="run `colmap patch_match_stereo`, or name the folder with --depths",
        )


def _read_own(path: Path) -> Floats:
    """COLMAP's array: `width&height&channels&` as text, then float32, row by row."""
    content = path.read_bytes()
    header = re.match(rb"(\d+)&(\d+)&1&", content)
    size = (int(header[2]), int(header[1])) if header else (0, 0)
    values = content[header.end() :] if header else b""
    if not header or len(values) != 4 * size[0] * size[1]:
        raise DustError(
            "the depth cannot be read: it is truncated or no COLMAP map of one channel",
            where=str(path),
            fix="fetch the file again",
        )
    return known_depth(np.frombuffer(values, "<f4").reshape(size), str(path))
