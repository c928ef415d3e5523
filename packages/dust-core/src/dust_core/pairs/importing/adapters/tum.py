"""TUM RGB-D and Bonn: rgb.txt, depth.txt and groundtruth.txt, each with timestamps of its own.

Depth has 5000 steps a metre and is registered to colour. A line of groundtruth.txt is `timestamp tx
ty tz qx qy qz qw`, camera-to-world, or marker-to-world for Bonn. Source:
https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats
"""

import re
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
    LeftOut,
    Making,
    Recording,
    Scene,
    folders_with,
    gather,
    pose_from_quaternion,
    require_file,
)
from dust_core.pairs.importing.adapters.files import parse_numbers, read_depth, read_lines
from dust_core.pairs.importing.adapters.tum_cameras import (
    RECORDERS,
    Recorder,
    recorder_named,
    recorder_of,
)
from dust_core.pairs.importing.camera import Camera

_METRES_PER_STEP = 1 / 5000


@dataclass(frozen=True)
class Tum:
    """The layout of TUM RGB-D and Bonn.

    Attributes:
        intrinsics: (3, 3) of the colour images, which then have no distortion; else what the
            recorder is published to have.
        recorder: freiburg1, freiburg2, freiburg3 or bonn; else the folder's name says it.
        time_gap: seconds between a colour image, its depth and the poses around it, at most.
        depth_step: metres a step of depth.
    """

    intrinsics: Floats | None = None
    recorder: str | None = None
    time_gap: float = 0.02
    depth_step: float = _METRES_PER_STEP

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each folder with an rgb.txt, which is its scene."""
        if self.recorder is not None:
            recorder_named(self.recorder)
        for folder in folders_with(source, "rgb.txt", "a recording of TUM RGB-D"):
            yield Scene(folder.resolve().name, partial(self._read, folder))

    def _read(self, folder: Path) -> Recording:
        recorder, camera = self._recorder(folder.resolve().name, folder)
        colours, left_out = _read_files(folder / "rgb.txt")
        depths, lines = _read_files(folder / "depth.txt")
        left_out += lines
        pose_times, poses, lines = _read_poses(folder / "groundtruth.txt")
        left_out += lines
        depth_times = np.array([time for time, _ in depths])
        makings: list[Making] = []
        for time, image in colours:
            name = Path(image).stem
            nearest = int(np.abs(depth_times - time).argmin())
            pose = self._pose_at(time, pose_times, poses)
            # Sensors drop frames: a colour image without depth or without a pose is no fault.
            if abs(depth_times[nearest] - time) > self.time_gap:
                left_out.append(self._apart(name, "depth", folder))
            elif pose is None:
                left_out.append(self._apart(name, "poses", folder))
            else:
                depth = folder / depths[nearest][1]
                make = partial(self._frame, name, folder / image, depth, camera, recorder, pose)
                makings.append((name, make))
        return gather(makings, left_out, _remarks(recorder))

    def _recorder(self, scene: str, folder: Path) -> tuple[Recorder | None, Camera]:
        named = recorder_named(self.recorder) if self.recorder else recorder_of(scene)
        if self.intrinsics is not None:
            return named, Camera(self.intrinsics)
        if named is None:
            raise DustError(
                f"the intrinsics of {scene} are not known",
                where=str(folder),
                fix=f"give --intrinsics or --recorder; known by name are {', '.join(RECORDERS)}",
            )
        return named, named.camera(scene)

    def _apart(self, name: str, what: str, folder: Path) -> LeftOut:
        why = DustError(
            f"no {what} within {self.time_gap:g} s of the colour image",
            where=str(folder),
            fix="check the timestamps, or give a larger --time-gap",
        )
        return LeftOut(name, why, fault=False)

    def _frame(
        self,
        name: str,
        image: Path,
        depth: Path,
        camera: Camera,
        recorder: Recorder | None,
        pose: Floats,
    ) -> Frame:
        located = pose_from_quaternion(pose[[6, 3, 4, 5]], pose[:3], f"{image}: its pose")
        return Frame(
            name=name,
            image=require_file(image, "the image"),
            read_depth=partial(read_depth, require_file(depth, "the depth"), self.depth_step),
            camera=camera,
            cam_to_world=recorder.cam_to_world(located) if recorder else located,
        )

    def _pose_at(self, time: float, times: Floats, poses: Floats) -> Floats | None:
        """Translation and quaternion (7,), x y z w, between the two poses measured around a time;
        None where one is far."""
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
        sign = np.where(np.arange(7) < 3, 1, 1 if first[3:] @ second[3:] >= 0 else -1)
        return np.asarray((1 - share) * first + share * sign * second)


def _remarks(recorder: Recorder | None) -> list[str]:
    if recorder is None or not recorder.marker:
        return []
    return ["poses are a marker's and are converted to the camera's (T_ros, T_m of Bonn)"]


def _read_files(path: Path) -> tuple[list[tuple[float, str]], list[LeftOut]]:
    """Timestamps and file names by time, and the lines that are none."""
    files, left_out = [], []
    for number, line in read_lines(path, "the list of files"):
        where = f"{path}:{number}"
        try:
            words = re.split(r"[\s,;]+", line.strip(), maxsplit=1)
            if len(words) < 2 or not words[1]:
                raise DustError("no timestamp and file", where=where, fix="mend the line")
            files.append((_time(words[0], where), words[1]))
        except DustError as error:
            left_out.append(LeftOut(f"{path.name}:{number}", error, "line"))
    _require_any(files, left_out, path)
    return sorted(files, key=lambda file: file[0]), left_out


def _read_poses(path: Path) -> tuple[Floats, Floats, list[LeftOut]]:
    """Timestamps (N,), ascending, translation and quaternion (N, 7), and the other lines."""
    rows, left_out = [], []
    for number, line in read_lines(path, "the list of poses"):
        where = f"{path}:{number}"
        try:
            row = parse_numbers(line, where)
            if row.size != 8 or not np.isfinite(row).all():
                raise DustError(
                    f"no pose: {line.strip()}",
                    where=where,
                    fix="a line is: timestamp tx ty tz qx qy qz qw, all finite",
                )
            rows.append(row)
        except DustError as error:
            left_out.append(LeftOut(f"{path.name}:{number}", error, "line"))
    _require_any(rows, left_out, path)
    poses = np.array(rows)
    poses = poses[np.argsort(poses[:, 0], kind="stable")]
    return poses[:, 0], poses[:, 1:], left_out


def _time(text: str, where: str) -> float:
    numbers = parse_numbers(text, where)
    if numbers.size != 1 or not np.isfinite(numbers[0]):
        raise DustError(f"no timestamp: {text}", where=where, fix="mend the line")
    return float(numbers[0])


def _require_any(rows: list[Any], left_out: list[LeftOut], path: Path) -> None:
    if not rows:
        raise (
            left_out[0].why
            if left_out
            else DustError("it lists nothing", where=str(path), fix="complete the data set")
        )
