"""COLMAP: a dense workspace of images/, sparse/ and depth maps, as `image_undistorter` writes it.

A depth map is stereo/depth_maps/NAME.geometric.bin (or .photometric.bin) of COLMAP, or a .png,
.tif, .npy, .npz or .pfm of the image's name in the folder of `depths`.
A workspace that is not undistorted is taken too: its pictures, with depth registered to them, are
undistorted here. Source: https://colmap.github.io/format.html
"""

import re
from collections.abc import Callable, Iterator
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
    gather,
    pose_from_quaternion,
    require_file,
)
from dust_core.pairs.importing.adapters.colmap_cameras import read_cameras
from dust_core.pairs.importing.adapters.colmap_model import ModelImage, read_images
from dust_core.pairs.importing.adapters.colmap_workspace import choose_model
from dust_core.pairs.importing.adapters.conventions import scaled
from dust_core.pairs.importing.adapters.files import known_depth, read_depth
from dust_core.pairs.importing.camera import Camera

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

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each workspace, its images by name.

        Its scene is its folder; one called `dense`, `dense0` or `0` is called by the one around it.
        """
        if not source.is_dir():
            raise DustError("there is no such folder", where=str(source), fix="check the path")
        workspaces = {path.parent for path in source.rglob("sparse") if path.is_dir()}
        for workspace in sorted(workspaces, key=natural_key) or [source]:
            place = workspace.resolve()
            if re.fullmatch(r"(dense)?\d*", place.name):
                place = place.parent
            yield Scene(place.name, partial(self._read, workspace))

    def _read(self, workspace: Path) -> Recording:
        model, remarks = choose_model(workspace)
        cameras = read_cameras(model)
        images, left_out = read_images(model)
        images.sort(key=lambda image: natural_key(image.name))
        located = {image.name for image in images}
        left_out += _not_located(workspace / "images", located, model)
        makings: list[Making] = [
            (image.name, partial(self._frame, workspace, model, cameras, image)) for image in images
        ]
        return gather(makings, left_out, remarks)

    def _frame(
        self,
        workspace: Path,
        model: Path,
        cameras: dict[int, Camera | DustError],
        image: ModelImage,
    ) -> Frame:
        camera, cam_to_world = located(cameras, image, model)
        return Frame(
            name=image.name,
            image=require_file(workspace / "images" / image.name, "the image"),
            read_depth=self._depth_reader(workspace / self.depths, image.name),
            camera=camera,
            cam_to_world=scaled(cam_to_world, self.metres_per_unit),
            # patch_match_stereo makes smaller maps where max_image_size says so.
            depth_scales=True,
        )

    def _depth_reader(self, folder: Path, name: str) -> Callable[[], Floats]:
        paths = [folder / (name + suffix) for suffix in _OWN]
        for path in paths:
            if path.is_file():
                return partial(self._read_own, path)
        for suffix in (*_OTHER, *(suffix.upper() for suffix in _OTHER)):
            for path in (folder / (name + suffix), (folder / name).with_suffix(suffix)):
                if path.is_file():
                    return partial(self._read_other, path)
        raise DustError(
            "the depth is missing",
            where=str(folder / name),
            fix="run `colmap patch_match_stereo`, or name the folder with --depths",
        )

    def _read_own(self, path: Path) -> Floats:
        return _read_own(path) * np.float32(self.metres_per_unit)

    def _read_other(self, path: Path) -> Floats:
        return read_depth(path, self.depth_step) * np.float32(self.metres_per_unit)


def located(
    cameras: dict[int, Camera | DustError], image: ModelImage, model: Path
) -> tuple[Camera, Floats]:
    """The camera of an image, and its pose (4, 4), camera-to-world, in units of the model.

    Raises:
        DustError: the model has no such camera, cannot use it, or states no pose.
    """
    where = f"{model}: {image.name}"
    camera = cameras.get(image.camera)
    if camera is None:
        raise DustError(
            f"there is no camera {image.camera}", where=where, fix="export the model again"
        )
    if isinstance(camera, DustError):
        raise camera
    cam_from_world = pose_from_quaternion(image.quaternion, image.translation, where)
    return camera, np.linalg.inv(cam_from_world)


def _not_located(images: Path, located: set[str], model: Path) -> Iterator[LeftOut]:
    """The files of the folder of images that are not in the model."""
    paths = sorted(images.rglob("*"), key=natural_key) if images.is_dir() else []
    for path in paths:
        name = path.relative_to(images).as_posix()
        if name not in located and path.name[0] != "." and path.is_file():
            why = DustError("it is not in the model", where=str(model), fix="locate it, or go on")
            yield LeftOut(name, why, fault=False)


def _read_own(path: Path) -> Floats:
    """COLMAP's array: `width&height&channels&` as text, then float32, row by row."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DustError(
            f"the depth cannot be read: {error.strerror}", where=str(path), fix="check the file"
        ) from error
    header = re.match(rb"(\d{1,6})&(\d{1,6})&1&", content)
    size = (int(header[2]), int(header[1])) if header else (0, 0)
    values = content[header.end() :] if header else b""
    if not header or len(values) != 4 * size[0] * size[1] or not values:
        raise DustError(
            "the depth cannot be read: it is truncated or no COLMAP map of one channel",
            where=str(path),
            fix="fetch the file again",
        )
    return known_depth(np.frombuffer(values, "<f4").reshape(size), str(path))
