"""What an adapter gives: recordings of posed frames, nothing read before it is needed.

A layout is a frozen dataclass. Its fields are its options on the command line, its name is in
`dust_core.pairs.importing.adapters.LAYOUTS`, and its one method finds the recordings below a
folder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats, is_rigid

# Trackers write rotations that have drifted by some 1e-4; beyond this a matrix is something else.
_DRIFT = 1e-2


@dataclass(frozen=True)
class Frame:
    """One posed photograph with depth.

    Attributes:
        name: unique within its scene.
        image: the file of its colours.
        read_depth: gives its depth (H, W) in metres, of the image's size, along the camera's z, 0
            where unknown; raises DustError where the file is missing or unreadable.
        intrinsics: (3, 3), pixels of the image, no distortion, centres at whole numbers.
        cam_to_world: (4, 4), metres, x right, y down, z forward.
    """

    name: str
    image: Path
    read_depth: Callable[[], Floats]
    intrinsics: Floats
    cam_to_world: Floats


@dataclass(frozen=True)
class Recording:
    """Frames that share one world, in the order in which neighbours are likely to overlap.

    Attributes:
        scene: the place, by which sets are kept apart; several recordings may show one.
        frames: light to hold, as neither colours nor depths are read.
    """

    scene: str
    frames: Sequence[Frame]


class Layout(Protocol):
    """How a data set lays out its files."""

    def recordings(self, source: Path) -> Iterator[Recording]:
        """Find the recordings in `source`, one at a time.

        Raises:
            DustError: a file is missing or says what no camera can be.
        """


def folders_with(source: Path, pattern: str, what: str) -> Iterator[Path]:
    """`source` and the folders below it that hold a file of this pattern, sorted.

    Raises:
        DustError: there is none.
    """
    if not source.is_dir():
        raise DustError("there is no such folder", where=str(source), fix="check the path")
    folders = sorted({path.parent for path in source.rglob(pattern)})
    if not folders:
        raise DustError(
            f"no folder in it holds {pattern}, which marks {what}",
            where=str(source),
            fix="check the path and the layout's name",
        )
    yield from folders


def require_file(path: Path, what: str) -> Path:
    """The path, if a file is there.

    Raises:
        DustError: there is none.
    """
    if not path.is_file():
        raise DustError(f"{what} is missing", where=str(path), fix="complete the data set")
    return path


def rigid(pose: Floats, where: str) -> Floats:
    """A (4, 4) pose with its rotation made exact.

    Raises:
        DustError: it holds NaN or infinity, or is no rotation and translation.
    """
    if not np.isfinite(pose).all():
        raise DustError(
            "the pose holds NaN or infinity: this frame was never located",
            where=where,
            fix="remove the frame",
        )
    if not is_rigid(pose, _DRIFT):
        raise DustError(
            "the pose is no rotation and translation: "
            f"{np.array2string(pose, precision=4, separator=' ').replace(chr(10), '')}",
            where=where,
            fix="give a 4x4 camera-to-world matrix with the last row 0 0 0 1, without scale",
        )
    exact = np.array(pose, np.float64)
    left, _, right = np.linalg.svd(exact[:3, :3])
    exact[:3, :3] = left @ right
    return exact


def camera_matrix(numbers: Floats, where: str) -> Floats:
    """The (3, 3) matrix of 4 numbers (fx, fy, cx, cy) or of 9 (row by row).

    Raises:
        DustError: they are another count, or no pinhole camera.
    """
    if numbers.size == 4:
        fx, fy, cx, cy = numbers.ravel()
        numbers = np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1])
    k = np.asarray(numbers, np.float64).ravel()
    if k.size != 9 or not np.isfinite(k).all() or min(k[0], k[4]) <= 0 or (*k[6:],) != (0, 0, 1):
        raise DustError(
            f"these are no intrinsics: {' '.join(f'{number:g}' for number in k)}",
            where=where,
            fix="give fx fy cx cy, or the nine numbers of K row by row",
        )
    return k.reshape(3, 3)


def pose_from_quaternion(quaternion: Floats, translation: Floats, where: str) -> Floats:
    """The (4, 4) pose of a quaternion (w, x, y, z) of about unit length and a translation (3,).

    Raises:
        DustError: a number is not finite, or the quaternion is far from unit length.
    """
    length = float(np.linalg.norm(quaternion))
    if not abs(length - 1) < _DRIFT or not np.isfinite(translation).all():
        raise DustError(
            f"no pose: the quaternion has the length {length:g}, the translation is {translation}",
            where=where,
            fix="remove the frame, or mend the file",
        )
    w, x, y, z = quaternion / length
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = translation
    return pose
