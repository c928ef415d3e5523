"""CO3D v2: CATEGORY/frame_annotations.jgz, and the pictures, depths and masks that it names.

`X_cam = X_world @ R + T` with PyTorch3D's axes (x left, y up, z forward). Focal length and
principal point are in NDC: `ndc_isotropic` in halves of the shorter side, `ndc_norm_image_bounds`
in halves of each side, both from edge to edge and with the axes of the camera. A depth PNG holds
16-bit floats in its 16-bit numbers, times `scale_adjustment`. The world has no scale of its own.
Sources: co3d/dataset/data_types.py of https://github.com/facebookresearch/co3d, and
implicitron/dataset/utils.py and renderer/camera_conversions.py of
https://github.com/facebookresearch/pytorch3d
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from dust_core.errors import DustError
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
from dust_core.pairs.importing.adapters.co3d_annotations import entries_of
from dust_core.pairs.importing.adapters.conventions import (
    in_metres,
    masked,
    numbers_of,
    picture_size_of,
    pose_of,
    scaled,
    stated,
)
from dust_core.pairs.importing.adapters.files import read_map
from dust_core.pairs.importing.camera import Camera

_FILE = "frame_annotations.jgz"
_OPENCV_FROM_PYTORCH3D = np.diag([-1.0, -1.0, 1.0])
_ISOTROPIC, _BY_SIDE = "ndc_isotropic", "ndc_norm_image_bounds"


@dataclass(frozen=True)
class Co3d:
    """The layout of CO3D v2: a sequence is a scene, CATEGORY/SEQUENCE.

    Attributes:
        metres_per_unit: of a sequence's own world.
        foreground: depth counts on the object alone, where its mask is not 0.
    """

    metres_per_unit: float = 1.0
    foreground: bool = False

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each sequence, as their frames stand together in the annotations."""
        for folder in folders_with(source, _FILE, "a category of CO3D"):
            path = folder / _FILE
            for sequence, group in groupby(enumerate(entries_of(path)), partial(_sequence, path)):
                frames = list(group)
                name = f"{folder.resolve().name}/{sequence}"
                yield Scene(name, partial(self._read, path, frames))

    def _read(self, path: Path, frames: list[tuple[int, Any]]) -> Recording:
        makings: list[Making] = []
        left_out: list[LeftOut] = []
        for number, entry in frames:
            name, where = _name(number, entry), f"{path}: entry {number}"
            missing = [key for key in ("viewpoint", "depth") if entry.get(key) is None]
            if missing:
                why = DustError(f"it has no {missing[0]}", where=where, fix="leave it out")
                left_out.append(LeftOut(name, why, fault=False))
            else:
                makings.append((name, partial(self._frame, path.parents[1], name, entry, where)))
        return gather(makings, left_out)

    def _frame(self, root: Path, name: str, entry: dict[str, Any], where: str) -> Frame:
        picture, depth = stated(entry, "image", where), stated(entry, "depth", where)
        size = picture_size_of(list(stated(picture, "size", where))[::-1], where)
        factor = float(
            numbers_of(stated(depth, "scale_adjustment", where), 1, "scale_adjustment", where)[0]
        )
        masks = [depth["mask_path"]] if depth.get("mask_path") else []
        if self.foreground:
            masks.append(stated(stated(entry, "mask", where), "path", where))
        view = stated(entry, "viewpoint", where)
        return Frame(
            name=name,
            image=require_file(root / str(stated(picture, "path", where)), "the image"),
            read_depth=partial(
                self._read_depth,
                require_file(root / str(stated(depth, "path", where)), "the depth"),
                [require_file(root / str(mask), "the mask") for mask in masks],
                factor,
            ),
            camera=Camera(_intrinsics(view, size, where), size),
            cam_to_world=scaled(_cam_to_world(view, where), self.metres_per_unit),
        )

    def _read_depth(self, path: Path, masks: list[Path], factor: float) -> Floats:
        values = read_map(path, "the depth")
        if values.dtype.kind == "f" or 8 * values.dtype.itemsize < 16 or values.max() > 65535:
            raise DustError(
                f"the depth is {values.dtype}, not 16-bit floats in 16-bit numbers",
                where=str(path),
                fix="fetch the file again: CO3D v2 writes *.geometric.png",
            )
        halves = values.astype(np.uint16).view(np.float16)
        halves = np.where(np.isfinite(halves), halves, 0)
        depth = in_metres(halves, factor * self.metres_per_unit, str(path))
        for mask in masks:
            depth = masked(depth, mask)
        return depth


def _intrinsics(view: dict[str, Any], size: tuple[int, int], where: str) -> Floats:
    focal, centre = (
        numbers_of(stated(view, key, where), 2, key, where)
        for key in ("focal_length", "principal_point")
    )
    kind = view.get("intrinsics_format") or _BY_SIDE
    if kind not in (_ISOTROPIC, _BY_SIDE):
        raise DustError(
            f"intrinsics_format is {kind}", where=where, fix=f"{_ISOTROPIC} or {_BY_SIDE}"
        )
    half = np.array(size) / 2
    unit = np.full(2, half.min()) if kind == _ISOTROPIC else half
    return camera_matrix(np.array([*focal * unit, *half - centre * unit - 0.5]), where)


def _cam_to_world(view: dict[str, Any], where: str) -> Floats:
    rotation = numbers_of(stated(view, "R", where), 9, "R", where).reshape(3, 3)
    moved = numbers_of(stated(view, "T", where), 3, "T", where)
    cam_from_world = pose_of(
        _OPENCV_FROM_PYTORCH3D @ rotation.T, _OPENCV_FROM_PYTORCH3D @ moved, where
    )
    return np.asarray(np.linalg.inv(cam_from_world))


def _sequence(path: Path, numbered: tuple[int, Any]) -> str:
    number, entry = numbered
    return str(stated(entry, "sequence_name", f"{path}: entry {number}"))


def _name(number: int, entry: dict[str, Any]) -> str:
    image = entry.get("image")
    return str(image["path"]) if isinstance(image, dict) and "path" in image else f"entry {number}"
