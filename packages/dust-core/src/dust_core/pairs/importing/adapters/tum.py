"""TUM RGB-D and Bonn: rgb.txt, depth.txt and groundtruth.txt, each with timestamps of its own.

Depth has 5000 steps a metre and is registered to colour. A line of groundtruth.txt is `timestamp tx
ty tz qx qy qz qw`, camera-to-world. Source:
https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import (
    Frame,
    Recording,
    camera_matrix,
    folders_with,
    pose_from_quaternion,
    require_file,
)
from dust_core.pairs.importing.adapters.files import parse_numbers, read_depth, read_lines

_METRES_PER_STEP = 1 / 5000
# fx, fy, cx, cy of the colour cameras, as the data sets state them, by a part of the folder's name.
_STATED = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
    "bonn": (542.822841, 542.576870, 315.593520, 237.756098),
}


@dataclass(frozen=True)
class Tum:
    """The layout of TUM RGB-D and Bonn.

    Attributes:
        intrinsics: (3, 3) of the colour images; else those that the data set states, by the
            folder's name.
        time_gap: seconds between a colour image, its depth and the poses around it, at most.
    """

    intrinsics: Floats | None = None
    time_gap: float = 0.02

    def recordings(self, source: Path) -> Iterator[Recording]:
        """A recording for each folder with an rgb.txt, which is its scene."""
        for folder in folders_with(source, "rgb.txt", "a recording of TUM RGB-D"):
            scene = folder.resolve().name
            yield Recording(scene, self._frames(folder, self._intrinsics(scene, folder)))

    def _intrinsics(self, scene: str, folder: Path) -> Floats:
        if self.intrinsics is not None:
            return self.intrinsics
        for part, numbers in _STATED.items():
            if part in scene:
                return camera_matrix(np.array(numbers), scene)
        raise DustError(
            f"the intrinsics of {scene} are not known",
            where=str(folder),
            fix=f"give --intrinsics; known by name are {', '.join(_STATED)}",
        )

    def _frames(self, folder: Path, intrinsics: Floats) -> list[Frame]:
        colour_times, colours = _read_files(folder / "rgb.txt")
        depth_times, depths = _read_files(folder / "depth.txt")
        pose_times, poses = _read_poses(folder / "groundtruth.txt")
        frames = []
        for time, image in zip(colour_times, colours, strict=True):
            nearest = int(np.abs(depth_times - time).argmin())
            pose = self._pose_at(time, pose_times, poses, folder)
            # Sensors drop frames: a colour image without depth or without a pose is no fault.
            if abs(depth_times[nearest] - time) <= self.time_gap and pose is not None:
                depth = require_file(folder / depths[nearest], "the depth")
                frames.append(
                    Frame(
                        name=Path(image).stem,
                        image=require_file(folder / image, "the image"),
                        read_depth=partial(read_depth, depth, _METRES_PER_STEP),
                        intrinsics=intrinsics,
                        cam_to_world=pose,
                    )
                )
        if not frames:
            raise DustError(
                f"no colour image has a depth and poses within {self.time_gap:g} s",
                where=str(folder),
                fix="check the timestamps, or give a larger --time-gap",
            )
        return frames

    def _pose_at(self, time: float, times: Floats, poses: Floats, folder: Path) -> Floats | None:
        """The pose between the two that were measured around a time, None where one is far."""
        after = int(np.searchsorted(times, time))
        before = after if after < len(times) and times[after] == time else after - 1
        if before < 0 or after >= len(times):
            return None
        if max(time - times[before], times[after] - time) > self.time_gap:
            return None
        span = times[after] - times[before]
        share = (time - times[before]) / span if span else 0.0
        first, second = poses[before], poses[after]
        # Over hundredths of a second a line between quaternions is as good as an arc; q and -q are
        # one rotation.
        sign = 1 if first[3:] @ second[3:] >= 0 else -1
        x, y, z, w = (1 - share) * first[3:] + share * sign * second[3:]
        translation = (1 - share) * first[:3] + share * second[:3]
        where = f"{folder / 'groundtruth.txt'}: at {times[before]:.4f}"
        return pose_from_quaternion(np.array([w, x, y, z]), translation, where)


def _read_files(path: Path) -> tuple[Floats, list[str]]:
    """Timestamps (N,) and file names."""
    times, names = [], []
    for number, line in read_lines(path, "the list of files"):
        where = f"{path}:{number}"
        time, _, name = line.strip().partition(" ")
        if not name.strip():
            raise DustError("no timestamp and file", where=where, fix="mend the line")
        times.append(_time(time, where))
        names.append(name.strip())
    return np.array(_filled(times, path)), names


def _read_poses(path: Path) -> tuple[Floats, Floats]:
    """Timestamps (N,), ascending, and translation and quaternion (N, 7)."""
    rows = []
    for number, line in read_lines(path, "the list of poses"):
        row = parse_numbers(line, f"{path}:{number}")
        if row.size != 8 or not np.isfinite(row).all():
            raise DustError(
                f"no pose: {line.strip()}",
                where=f"{path}:{number}",
                fix="a line is: timestamp tx ty tz qx qy qz qw, all finite",
            )
        rows.append(row)
    poses = np.array(_filled(rows, path))
    poses = poses[np.argsort(poses[:, 0], kind="stable")]
    return poses[:, 0], poses[:, 1:]


def _time(text: str, where: str) -> float:
    numbers = parse_numbers(text, where)
    if numbers.size != 1 or not np.isfinite(numbers[0]):
        raise DustError(f"no timestamp: {text}", where=where, fix="mend the line")
    return float(numbers[0])


def _filled(rows: list[Any], path: Path) -> list[Any]:
    if not rows:
        raise DustError("it lists nothing", where=str(path), fix="complete the data set")
    return rows
