"""Nerfstudio: transforms.json with pictures, depth and optional masks beside it.

Poses are camera-to-world with OpenGL's axes (y up, z backward), times `applied_scale` where that is
stated. The corner of the first pixel is at (0, 0). Depth is z, of any size of the picture's shape,
and `--depth-step` metres a step (0.001), floating numbers too. Intrinsics are shared or a frame's
own. Sources: data_conventions.md, nerfstudio_dataparser.py and data_utils.py of
https://github.com/nerfstudio-project/nerfstudio
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

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
)
from dust_core.pairs.importing.adapters.conventions import (
    beside,
    from_opengl,
    in_metres,
    masked,
    numbers_of,
    picture_size_of,
    read_json,
    scaled,
    stated,
)
from dust_core.pairs.importing.adapters.files import read_map
from dust_core.pairs.importing.camera import Camera
from dust_core.pairs.importing.lens import lens_or_none

_FILE = "transforms.json"
_IMPLIED = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
_RADIAL = ("k1", "k2", "p1", "p2", "k3")
_FISHEYE = ("k1", "k2", "k3", "k4")
_MODELS: dict[str, Literal["radial", "fisheye"]] = {
    "PINHOLE": "radial",
    "SIMPLE_PINHOLE": "radial",
    "PERSPECTIVE": "radial",
    "SIMPLE_RADIAL": "radial",
    "RADIAL": "radial",
    "OPENCV": "radial",
    "OPENCV_FISHEYE": "fisheye",
}
_CAMERA = ("fl_x", "fl_y", "cx", "cy", "w", "h", *_RADIAL, "k4")


@dataclass(frozen=True)
class Nerfstudio:
    """The layout of Nerfstudio: a folder is a scene.

    Attributes:
        depth_step: metres a step of depth, whole or floating.
        metres_per_unit: of the world; poses made by COLMAP have no scale of their own.
    """

    depth_step: float = 0.001
    metres_per_unit: float = 1.0

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each transforms.json."""
        for folder in folders_with(source, _FILE, "a scene of Nerfstudio"):
            yield Scene(folder.resolve().name, partial(self._read, folder))

    def _read(self, folder: Path) -> Recording:
        path = folder / _FILE
        shared = read_json(path, "the cameras")
        frames = stated(shared, "frames", str(path))
        if not isinstance(frames, list):
            raise DustError("frames is no list", where=str(path), fix="export the scene again")
        makings: list[Making] = []
        left_out: list[LeftOut] = []
        for number, entry in enumerate(frames):
            where = f"{path}: frame {number}"
            try:
                makings.append((str(stated(entry, "file_path", where)),
                                partial(self._frame, folder, shared, entry, where)))  # fmt: skip
            except DustError as error:
                left_out.append(LeftOut(f"frame {number}", error))
        makings.sort(key=lambda making: natural_key(making[0]))
        return gather(makings, left_out)

    def _frame(
        self, folder: Path, shared: dict[str, Any], entry: dict[str, Any], where: str
    ) -> Frame:
        pose = np.eye(4)
        matrix = stated(entry, "transform_matrix", where)
        rows = 3 if isinstance(matrix, list) and len(matrix) == 3 else 4
        pose[:rows] = numbers_of(matrix, 4 * rows, "a pose", where).reshape(rows, 4)
        factor = float(numbers_of(shared.get("applied_scale", 1.0), 1, "applied_scale", where)[0])
        if factor <= 0:
            raise DustError(f"applied_scale is {factor:g}", where=where, fix="mend the file")
        mask = entry.get("mask_path")
        depth = require_file(beside(folder, stated(entry, "depth_file_path", where)), "the depth")
        mask_file = require_file(beside(folder, mask), "the mask") if mask else None
        return Frame(
            name=str(entry["file_path"]),
            image=require_file(_picture(folder, entry["file_path"]), "the image"),
            read_depth=partial(self._read_depth, depth, mask_file),
            camera=_camera(shared, entry, where),
            cam_to_world=scaled(from_opengl(pose, where), self.metres_per_unit / factor),
            depth_scales=True,
        )

    def _read_depth(self, path: Path, mask: Path | None) -> Floats:
        values = read_map(path, "the depth")
        return masked(in_metres(values, self.depth_step * self.metres_per_unit, str(path)), mask)


def _picture(folder: Path, name: Any) -> Path:
    """The picture of a frame; exporters that follow the first NeRF's leave its suffix out."""
    path = beside(folder, name)
    if path.is_file():
        return path
    implied = (path.with_name(path.name + suffix) for suffix in _IMPLIED)
    return next((candidate for candidate in implied if candidate.is_file()), path)


def _camera(shared: dict[str, Any], entry: dict[str, Any], where: str) -> Camera:
    values: dict[str, Any] = {}
    for key in _CAMERA:
        own, common = entry.get(key), shared.get(key)
        if own is not None and common is not None and own != common:
            raise DustError(
                f"the frame's {key} is {own}, the scene's {common}",
                where=where,
                fix="state it once, for the scene or for each frame",
            )
        values[key] = common if own is None else own
    needed = {key: stated(values, key, where) for key in _CAMERA[:6]}
    fx, fy, cx, cy = numbers_of([needed[key] for key in _CAMERA[:4]], 4, "a camera", where)
    matrix = camera_matrix(np.array([fx, fy, cx - 0.5, cy - 0.5]), where)
    model = str(shared.get("camera_model") or "OPENCV")
    kind = _MODELS.get(model)
    if kind is None:
        raise DustError(
            f"the camera model {model} is not one that OpenCV undistorts",
            where=where,
            fix=f"undistort the pictures; read are {', '.join(_MODELS)}",
        )
    if kind == "radial" and values["k4"]:
        raise DustError(
            f"k4 is {values['k4']}: only fisheyes have it here", where=where, fix="undistort first"
        )
    names = _FISHEYE if kind == "fisheye" else _RADIAL
    coefficients = numbers_of(
        [values[name] or 0.0 for name in names], len(names), "the distortion", where
    )
    size = picture_size_of([needed["w"], needed["h"]], where)
    return Camera(matrix, size, lens_or_none(kind, coefficients, where))
