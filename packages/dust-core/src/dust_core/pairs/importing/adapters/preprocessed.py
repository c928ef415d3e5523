"""What DUSt3R's own preprocessing leaves of BlendedMVS, MegaDepth and CO3D: a .npz a picture.

| set | picture, camera, depth | camera's arrays |
|---|---|---|
| BlendedMVS | SCENE/N.jpg, .npz, .exr | intrinsics, R_cam2world, t_cam2world |
| MegaDepth | SCENE/PART/NAME.jpg.jpg, .jpg.npz, .jpg.exr | intrinsics, cam2world |
| CO3D | CATEGORY/SEQUENCE/images/N.jpg, .npz, depths/N.jpg.geometric.png | camera_intrinsics, |
| | | camera_pose, maximum_depth of 65,535 steps |

Poses are camera-to-world with our axes, intrinsics are for the picture beside them. Depth may be
.npy in place of .exr. Source: datasets_preprocess and dust3r/datasets of
https://github.com/naver/dust3r
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

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
from dust_core.pairs.importing.adapters.conventions import (
    in_metres,
    not_readable,
    numbers_of,
    pose_of,
    scaled,
)
from dust_core.pairs.importing.adapters.files import UNREADABLE, read_depth
from dust_core.pairs.importing.camera import Camera

_DEPTHS = (".exr", ".npy")
_STEPS = 65535
_METADATA = "all_metadata.npz"


@dataclass(frozen=True)
class Preprocessed:
    """The layout that DUSt3R's preprocessing leaves.

    Attributes:
        metres_per_unit: of the worlds, which have no scale of their own.
    """

    metres_per_unit: float = 1.0

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each folder of cameras; its scene is its path below the source."""
        for folder in folders_with(source, "*.npz", "pictures with cameras in .npz"):
            paths = sorted(folder.glob("*.npz"), key=natural_key)
            paths = [path for path in paths if path.name != _METADATA]
            if paths:
                place = folder.parent if folder.name == "images" else folder
                name = place.resolve().relative_to(source.resolve()).as_posix()
                scene = place.resolve().name if name == "." else name
                yield Scene(scene, partial(self._read, folder, paths))

    def _read(self, folder: Path, paths: list[Path]) -> Recording:
        makings: list[Making] = [(path.stem, partial(self._frame, path)) for path in paths]
        stems = {path.stem for path in paths}
        alone = sorted(path for path in folder.glob("*.jpg") if path.stem not in stems)
        left_out = [
            LeftOut(
                path.stem,
                DustError("it has no camera: .npz", where=str(path), fix="preprocess it again"),
            )
            for path in alone
        ]
        return gather(makings, left_out)

    def _frame(self, path: Path) -> Frame:
        arrays, where = _arrays(path), str(path)
        if "camera_pose" in arrays:
            names: tuple[str, ...] = ("camera_intrinsics", "camera_pose")
        elif "cam2world" in arrays:
            names = ("intrinsics", "cam2world")
        else:
            names = ("intrinsics", "R_cam2world", "t_cam2world")
        missing = [name for name in names if name not in arrays]
        if missing:
            raise DustError(
                f"it lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}",
                where=where,
                fix="take the folders that DUSt3R's preprocessing of BlendedMVS, MegaDepth or "
                "CO3D wrote",
            )
        numbers = numbers_of(arrays[names[0]], 9, names[0], where)
        if len(names) == 3:
            pose = pose_of(arrays[names[1]], arrays[names[2]], where)
        else:
            pose = rigid(numbers_of(arrays[names[1]], 16, names[1], where).reshape(4, 4), where)
        image = require_file(path.with_suffix(".jpg"), "the image")
        return Frame(
            name=path.stem,
            image=image,
            read_depth=self._depth_reader(path, arrays),
            camera=Camera(camera_matrix(numbers, where)),
            cam_to_world=scaled(pose, self.metres_per_unit),
        )

    def _depth_reader(self, path: Path, arrays: dict[str, Any]) -> Any:
        beside = path.parent.parent / "depths" / f"{path.stem}.jpg.geometric.png"
        if "maximum_depth" in arrays:
            farthest = numbers_of(arrays["maximum_depth"], 1, "maximum_depth", str(path))
            depth = require_file(beside, "the depth")
            return partial(self._read_depth, depth, float(farthest[0]) / _STEPS)
        paths = [path.with_suffix(suffix) for suffix in _DEPTHS]
        present = next((path for path in paths if path.is_file()), paths[0])
        return partial(self._read_depth, require_file(present, "the depth"), 1.0)

    def _read_depth(self, path: Path, unit: float) -> Floats:
        return in_metres(read_depth(path, unit), self.metres_per_unit, str(path))


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except UNREADABLE as error:
        raise not_readable(path, "the camera", error) from error
