"""7-Scenes: frame-N.color.png, frame-N.depth.png, frame-N.pose.txt in SCENE/seq-NN.

Depth is in millimetres, 0 or 65535 where unknown; a pose is camera-to-world, in metres. Source:
https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/
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
from dust_core.pairs.importing.adapters.files import image_size, read_depth, read_numbers
from dust_core.pairs.importing.adapters.reproject import reproject
from dust_core.pairs.importing.camera import Camera, fit

_COLOUR, _DEPTH, _POSE = ".color.", ".depth.png", ".pose.txt"
_INTRINSICS_FILE = "intrinsics.K.txt"
# What the data set states for both cameras.
_STATED, _STATED_SIZE = np.array([585.0, 585.0, 320.0, 240.0]), (640, 480)
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

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each folder of frames; its scene is the folder around `seq-NN`."""
        if self.depth_intrinsics is None and self.colour_from_depth is not None:
            raise DustError(
                "the way from depth to colour is given, the depth camera is not",
                fix="add --depth-intrinsics",
            )
        for folder in folders_with(source, f"frame-*{_COLOUR}*", "a sequence of 7-Scenes"):
            place = folder.resolve()
            in_sequence = re.fullmatch(r"seq-\d+", place.name)
            yield Scene(
                place.parent.name if in_sequence else place.name,
                partial(self._read, folder, f"{place.name}/" if in_sequence else ""),
            )

    def _read(self, folder: Path, prefix: str) -> Recording:
        camera = self._camera(folder)
        images = {path.name.partition(".")[0]: path for path in folder.glob(f"frame-*{_COLOUR}*")}
        stems = {path.name.partition(".")[0] for path in folder.glob("frame-*")}
        return gather(
            (
                prefix + stem,
                partial(
                    self._frame,
                    prefix + stem,
                    images.get(stem, folder / f"{stem}{_COLOUR}png"),
                    stem,
                    camera,
                ),
            )
            for stem in sorted(stems, key=natural_key)
        )

    def _frame(self, name: str, image: Path, stem: str, camera: Camera) -> Frame:
        depth, pose = image.with_name(stem + _DEPTH), image.with_name(stem + _POSE)
        require_file(image, "the image")
        require_file(depth, "the depth")
        cam_to_world = rigid(read_numbers(pose, (16,), "a pose").reshape(4, 4), str(pose))
        if self.depth_intrinsics is not None:
            cam_to_world = cam_to_world @ np.linalg.inv(self._colour_from_depth())
        return Frame(
            name=name,
            image=image,
            read_depth=partial(self._read_depth, depth, image, camera),
            camera=camera,
            cam_to_world=cam_to_world,
        )

    def _camera(self, folder: Path) -> Camera:
        if self.intrinsics is not None:
            return Camera(self.intrinsics)
        path = folder / _INTRINSICS_FILE
        if path.is_file():
            return Camera(camera_matrix(read_numbers(path, (9,), "K"), str(path)))
        return Camera(camera_matrix(_STATED, str(folder)), _STATED_SIZE)

    def _read_depth(self, path: Path, image: Path, camera: Camera) -> Floats:
        depth = read_depth(path, _MILLIMETRE, _UNKNOWN)
        if self.depth_intrinsics is None:
            return depth
        size = image_size(image)
        colour = fit(camera, size, str(image)).source
        pose = self._colour_from_depth()
        return reproject(depth, self.depth_intrinsics, colour, pose, (size[1], size[0]))

    def _colour_from_depth(self) -> Floats:
        return np.eye(4) if self.colour_from_depth is None else self.colour_from_depth
