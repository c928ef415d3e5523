"""ARKitScenes: lowres_wide, lowres_depth, lowres_wide_intrinsics/*.pincam and lowres_wide.traj.

Depth is in millimetres, registered to colour. A line of the .traj is `timestamp rx ry rz tx ty tz`,
world-to-camera, the rotation as axis times angle; its poses are found by time. A .pincam is
`width height fx fy cx cy`. Sources: DATA.md and threedod/benchmark_scripts/utils/
tenFpsDataLoader.py of https://github.com/apple/ARKitScenes
"""

import csv
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
    LeftOut,
    Making,
    Recording,
    Scene,
    camera_matrix,
    folders_with,
    gather,
    require_file,
)
from dust_core.pairs.importing.adapters.conventions import picture_size_of, pose_of
from dust_core.pairs.importing.adapters.files import (
    parse_numbers,
    read_depth,
    read_lines,
    read_numbers,
)
from dust_core.pairs.importing.camera import Camera

_TRAJECTORY = "lowres_wide.traj"
_MILLIMETRE = 0.001
_SHIFTS = (0.0, -0.001, 0.001)  # of the time in a camera's name


@dataclass(frozen=True)
class ArkitScenes:
    """The layout of ARKitScenes: raw or 3DOD.

    Attributes:
        visits: a CSV of the data set with video_id and visit_id; videos of one visit show one
            place, which is their scene then. Without it each video is a scene.
        time_gap: seconds between a picture and its pose, at most.
    """

    visits: Path | None = None
    time_gap: float = 0.005

    def scenes(self, source: Path) -> Iterator[Scene]:
        """A recording for each folder with a trajectory."""
        visits = {} if self.visits is None else _read_visits(self.visits)
        for folder in folders_with(source, _TRAJECTORY, "a video of ARKitScenes"):
            video = folder.resolve().name.removesuffix("_frames")
            place = visits.get(video)
            scene = video if place is None else f"visit {place}"
            prefix = f"{video}/" if place is not None else ""
            yield Scene(scene, partial(self._read, folder, prefix))

    def _read(self, folder: Path, prefix: str) -> Recording:
        times, poses, left_out = _read_trajectory(folder / _TRAJECTORY)
        wide = folder / "lowres_wide"
        stems = {path.stem for path in wide.glob("*.png")}
        stems |= {path.stem for path in (folder / "lowres_depth").glob("*.png")}
        makings: list[Making] = []
        for stem in sorted(stems, key=natural_key):
            make = partial(self._frame, folder, prefix, stem, times, poses)
            makings.append((prefix + stem, make))
        return gather(makings, left_out)

    def _frame(self, folder: Path, prefix: str, stem: str, times: Floats, poses: Floats) -> Frame:
        image = require_file(folder / "lowres_wide" / f"{stem}.png", "the image")
        depth = require_file(folder / "lowres_depth" / f"{stem}.png", "the depth")
        video, _, moment = stem.rpartition("_")
        time = parse_numbers(moment, str(image))
        if time.size != 1 or not np.isfinite(time[0]):
            raise DustError(
                "its name has no time: ID_SECONDS.png is expected", where=str(image), fix="rename"
            )
        nearest = int(np.abs(times - time[0]).argmin())
        if abs(times[nearest] - time[0]) > self.time_gap:
            raise DustError(
                f"no pose within {self.time_gap:g} s of the picture",
                where=str(image),
                fix="check the trajectory, or give a larger --time-gap",
            )
        where = f"{folder / _TRAJECTORY}: {times[nearest]:.3f} s"
        return Frame(
            name=prefix + stem,
            image=image,
            read_depth=partial(read_depth, depth, _MILLIMETRE),
            camera=_camera(folder / "lowres_wide_intrinsics", video, float(time[0])),
            cam_to_world=_cam_to_world(poses[nearest], where),
        )


def _cam_to_world(pose: Floats, where: str) -> Floats:
    import cv2

    rotation, _ = cv2.Rodrigues(pose[:3])
    return np.asarray(np.linalg.inv(pose_of(rotation, pose[3:], where)))


def _camera(folder: Path, video: str, time: float) -> Camera:
    names = [f"{video}_{time + shift:.3f}.pincam" for shift in _SHIFTS]
    path = next((folder / name for name in names if (folder / name).is_file()), folder / names[0])
    numbers = read_numbers(path, (6,), "a camera")
    return Camera(camera_matrix(numbers[2:], str(path)), picture_size_of(numbers[:2], str(path)))


def _read_trajectory(path: Path) -> tuple[Floats, Floats, list[LeftOut]]:
    """Timestamps (N,), rotation vectors and translations (N, 6), and the lines that are none."""
    rows, left_out = [], []
    for number, line in read_lines(path, "the trajectory"):
        try:
            row = parse_numbers(line, f"{path}:{number}")
            if row.size != 7 or not np.isfinite(row).all():
                raise DustError(
                    f"no pose: {line.strip()[:80]}",
                    where=f"{path}:{number}",
                    fix="a line is: timestamp rx ry rz tx ty tz, all finite",
                )
            rows.append(row)
        except DustError as error:
            left_out.append(LeftOut(f"{path.name}:{number}", error, "line"))
    if not rows:
        raise DustError("it holds no pose", where=str(path), fix="complete the data set")
    poses = np.array(rows)
    return poses[:, 0], poses[:, 1:], left_out


def _read_visits(path: Path) -> dict[str, str]:
    """The visit of each video that has one."""
    lines = [line for _, line in read_lines(path, "the list of visits")]
    table = csv.DictReader(lines)
    if not {"video_id", "visit_id"} <= set(table.fieldnames or ()):
        raise DustError(
            "it has no columns video_id and visit_id",
            where=str(path),
            fix="name raw_train_val_splits.csv",
        )
    rows = [(row["video_id"], (row["visit_id"] or "").removesuffix(".0")) for row in table]
    return {video: visit for video, visit in rows if video and visit not in ("", "NA")}
