"""What an adapter gives: scenes, each a recording of posed frames, read only when needed.

A layout is a frozen dataclass. Its fields are its options on the command line, its name is in
`dust_core.pairs.importing.adapters.LAYOUTS`, and its one method finds the scenes below a folder.
An adapter raises DustError for what it cannot read; `gather` turns that into frames left out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.geometry import Floats, is_rigid
from dust_core.pairs.importing.camera import Camera

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
        camera: its intrinsics, the size that they are for, and its distortion, as stated.
        cam_to_world: (4, 4), metres, x right, y down, z forward.
        depth_scales: depth of another size than the image's shows the same view, so that it may be
            scaled to the image; otherwise such depth is refused.
    """

    name: str
    image: Path
    read_depth: Callable[[], Floats]
    camera: Camera
    cam_to_world: Floats
    depth_scales: bool = False


@dataclass(frozen=True)
class LeftOut:
    """Something of a recording that is not used.

    Attributes:
        name: of the frame, or of what else it is.
        why: what is wrong with it, where, and what to do.
        kind: in the singular, with a regular plural: only frames are counted as such.
        fault: False for what recordings always have, such as a picture that was never located;
            a strict import stops at a fault.
    """

    name: str
    why: DustError
    kind: str = "frame"
    fault: bool = True

    def __post_init__(self) -> None:
        # The places where it was raised hold pictures and depths, and it is kept to the end.
        self.why.__traceback__ = self.why.__cause__ = self.why.__context__ = None


@dataclass(frozen=True)
class Recording:
    """Frames that share one world, in the order in which neighbours are likely to overlap.

    Attributes:
        frames: light to hold, as neither colours nor depths are read.
        left_out: everything that is not in `frames` and might be expected there.
        remarks: what else the user should hear, such as a choice that was made.
    """

    frames: Sequence[Frame]
    left_out: Sequence[LeftOut] = ()
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Scene:
    """A recording that is not read yet.

    Attributes:
        name: the place, by which sets are kept apart; several recordings may show one.
        read: lists its frames; raises DustError where the recording as a whole cannot be used.
    """

    name: str
    read: Callable[[], Recording]


class Layout(Protocol):
    """How a data set lays out its files."""

    def scenes(self, source: Path) -> Iterator[Scene]:
        """Find the recordings in `source`, one at a time, in natural order.

        Raises:
            DustError: there is none, or the options do not fit one another.
        """


def first_of_each(scenes: Iterator[Scene]) -> Iterator[Scene]:
    """The first recording of each scene: further ones show the same place."""
    named: set[str] = set()
    for scene in scenes:
        if scene.name not in named:
            named.add(scene.name)
            yield scene


Making = tuple[str, Callable[[], Frame]]


def gather(
    makings: Iterable[Making], left_out: Iterable[LeftOut] = (), remarks: Iterable[str] = ()
) -> Recording:
    """The recording of the frames that can be made; those that raise DustError are left out.

    Args:
        makings: the name of each frame and what makes it.
        left_out, remarks: what was found before.
    """
    frames: list[Frame] = []
    without = list(left_out)
    for name, make in makings:
        try:
            frames.append(make())
        except DustError as error:
            without.append(LeftOut(name, error))
    return Recording(frames, without, list(remarks))


def folders_with(source: Path, pattern: str, what: str) -> Iterator[Path]:
    """`source` and the folders below it that hold a file of this pattern, in natural order.

    Raises:
        DustError: there is none.
    """
    if source.is_file():
        raise DustError(
            f"it is a file; {what} is named by its folder",
            where=str(source),
            fix=f"give {source.parent}",
        )
    if not source.is_dir():
        raise DustError("there is no such folder", where=str(source), fix="check the path")
    folders = sorted({path.parent for path in source.rglob(pattern)}, key=natural_key)
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
    try:
        present = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        present = False
    if not present:
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
    if k.size == 9 and k[0] > 0 > k[4]:
        raise DustError(
            f"fy is negative ({k[4]:g}): y points up in this camera, as in ICL-NUIM and OpenGL",
            where=where,
            fix="give fy without its sign, and poses of a camera whose y points down: "
            "S @ pose @ S with S = diag(1, -1, 1, 1)",
        )
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
