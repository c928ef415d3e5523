"""7-Scenes: frame-N.color.png, frame-N.depth.png, frame-N.pose.txt in SCENE/seq-NN.

Depth is in millimetres, 0 or 65535 where unknown; a pose is camera-to-world, in metres. Source:
https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/
"""

import re
from collections.abc import Iterator
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
    rigid,
)
from dust_core.pairs.importing.adapters.files import open_image, read_depth, read_numbers
from dust_core.pairs.importing.adapters.reproject import reproject

_COLOUR, _DEPTH, _POSE = ".color.png", ".depth.png", ".pose.txt"
_INTRINSICS_FILE = "intrinsics.K.txt"
# What the data set states for both cameras.
_STATED = np.array([585.0, 585.0, 320.0, 240.0])
_MILLIMETRE, _UNKNOWN = 0.001, 65535


@dataclass(frozen=True)
class SevenScenes:
    """The layout of 7-Scenes.

    Attributes:
        intrinsics: (3, 3) of the colour images; else those of `intrinsics.K.txt` beside the frames,
            else the ones that the data set states.
        depth_intrinsics: (3, 3) of depth that is not registered to colour. Depth is then
            reprojected, and the poses are taken as the depth camera's, which was tracked.
        colour_from_depth: (4, 4), takes points of the depth camera to the colour camera, metres;
            identity by default.
    """

    intrinsics: Floats | None = None
    depth_intrinsics: Floats | None = None
    colour_from_depth: Floats | None = None

    def recordings(self, source: Path) -> Iterator[Recording]:
        """A recording for each folder of frames; its scene is the folder around `seq-NN`."""
        if self.depth_intrinsics is None and self.colour_from_depth is not None:
            raise DustError(
                "the way from depth to colour is given, the depth camera is not",
                fix="add --depth-intrinsics",
            )
        for folder in folders_with(source, f"frame-*{_COLOUR}", "a sequence of 7-Scenes"):
            place = folder.resolve()
            sequence = re.fullmatch(r"seq-\d+", place.name)
            scene, prefix = (place.parent.name, f"{place.name}/") if sequence else (place.name, "")
            images = sorted(folder.glob(f"frame-*{_COLOUR}"))
            yield Recording(scene, [self._frame(image, prefix) for image in images])

    def _frame(self, image: Path, prefix: str) -> Frame:
        stem = image.name.removesuffix(_COLOUR)
        depth, pose = image.with_name(stem + _DEPTH), image.with_name(stem + _POSE)
        require_file(depth, "the depth")
        cam_to_world = rigid(read_numbers(pose, (16,), "a pose").reshape(4, 4), str(pose))
        intrinsics = self._intrinsics(image.parent)
        if self.depth_intrinsics is not None:
            cam_to_world = cam_to_world @ np.linalg.inv(self._colour_from_depth())
        return Frame(
            name=prefix + stem,
            image=image,
            read_depth=lambda: self._read_depth(depth, image, intrinsics),
            intrinsics=intrinsics,
            cam_to_world=cam_to_world,
        )

    def _intrinsics(self, folder: Path) -> Floats:
        if self.intrinsics is not None:
            return self.intrinsics
        path = folder / _INTRINSICS_FILE
        if path.is_file():
            return camera_matrix(read_numbers(path, (9,), "K"), str(path))
        return camera_matrix(_STATED, str(folder))

    def _read_depth(self, path: Path, image: Path, intrinsics: Floats) -> Floats:
        depth = read_depth(path, _MILLIMETRE, _UNKNOWN)
        if self.depth_intrinsics is None:
            return depth
        with open_image(image) as picture:
            size = (picture.height, picture.width)
        return reproject(depth, self.depth_intrinsics, intrinsics, self._colour_from_depth(), size)

    def _colour_from_depth(self) -> Floats:
        return np.eye(4) if self.colour_from_depth is None else self.colour_from_depth
