"""What several data sets have in common: axes of cameras, masks, JSON, maps of another grid."""

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from dust_core.errors import DustError, first_line
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import require_file, rigid
from dust_core.pairs.importing.adapters.files import known_depth, read_map, text_encoding

_SHOWN = 80  # characters of a value that is something else
# OpenGL, Blender and Nerfstudio: x right, y up, z backward.
_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def from_opengl(cam_to_world: Floats, where: str) -> Floats:
    """The pose (4, 4) of a camera whose y points up and whose z points backward, with our axes.

    Raises:
        DustError: as `rigid`.
    """
    return np.asarray(rigid(cam_to_world, where) @ _OPENCV_FROM_OPENGL)


def pose_of(rotation: Any, translation: Any, where: str) -> Floats:
    """The pose (4, 4) of a rotation (3, 3) and a translation (3,).

    Raises:
        DustError: as `rigid`, or they have another shape.
    """
    pose = np.eye(4)
    try:
        pose[:3, :3] = np.asarray(rotation, np.float64).reshape(3, 3)
        pose[:3, 3] = np.asarray(translation, np.float64).reshape(3)
    except (TypeError, ValueError) as error:
        raise DustError(
            f"no rotation and translation: {first_line(error)}", where=where, fix="mend the file"
        ) from error
    return rigid(pose, where)


def scaled(pose: Floats, factor: float) -> Floats:
    """The pose (4, 4) with its translation in other units."""
    moved = np.array(pose, np.float64)
    moved[:3, 3] *= factor
    return moved


def masked(depth: Floats, mask: Path | None) -> Floats:
    """The depth (H, W), unknown where the mask is 0; None keeps all.

    Raises:
        DustError: the mask is missing, unreadable, or of another size.
    """
    if mask is None:
        return depth
    kept = read_map(mask, "the mask")
    if kept.shape != depth.shape:
        raise DustError(
            f"the mask is {kept.shape}, its depth {depth.shape}",
            where=str(mask),
            fix="give both the same size",
        )
    return np.where(kept != 0, depth, np.float32(0))


def in_metres(values: Floats, unit: float, where: str) -> Floats:
    """A map (H, W), whole or floating, times the metres of its unit; 0 where unknown.

    Raises:
        DustError: it holds NaN.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return known_depth(values.astype(np.float64) * unit, where)


def seen_by(depth: Floats, intrinsics: Floats, others: Floats, size: tuple[int, int]) -> Floats:
    """The depth (H, W) of a camera at the same place with other intrinsics: the nearest pixel's.

    What the first camera does not see is unknown.

    Args:
        intrinsics: (3, 3) of the depth.
        others: (3, 3) of the other camera.
        size: width and height of its picture.
    """
    ways = intrinsics @ np.linalg.inv(others)
    columns = np.rint(ways[0, 0] * np.arange(size[0]) + ways[0, 2]).astype(np.int64)
    rows = np.rint(ways[1, 1] * np.arange(size[1]) + ways[1, 2]).astype(np.int64)
    inside_x = (columns >= 0) & (columns < depth.shape[1])
    inside_y = (rows >= 0) & (rows < depth.shape[0])
    last = np.array(depth.shape) - 1
    taken = depth[np.ix_(np.clip(rows, 0, last[0]), np.clip(columns, 0, last[1]))]
    return np.where(inside_y[:, None] & inside_x, taken, np.float32(0))


def stretched(intrinsics: Floats, size: tuple[int, int], new_size: tuple[int, int]) -> Floats:
    """The (3, 3) of a picture brought from one width and height to another, of any shape."""
    across, down = (new / old for new, old in zip(new_size, size, strict=True))
    moved = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
    return np.asarray(moved @ intrinsics)


def beside(folder: Path, name: Any) -> Path:
    """The file that a list in a folder names; lists of Windows have backslashes between folders."""
    path = folder / str(name)
    return path if path.exists() else folder / str(name).replace("\\", "/")


def read_json(path: Path, what: str) -> Any:
    """The content of a JSON file.

    Raises:
        DustError: it is missing or no JSON.
    """
    try:
        return json.loads(require_file(path, what).read_text(encoding=text_encoding(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise not_readable(path, what, error) from error


def not_readable(path: Path, what: str, error: Exception) -> DustError:
    """The error that a file cannot be read."""
    return DustError(
        f"{what} cannot be read: {first_line(error)}", where=str(path), fix="fetch the file again"
    )


# All that reading a compressed text raises where it is damaged.
DAMAGED_TEXT = (OSError, EOFError, ValueError, RecursionError, zlib.error, gzip.BadGzipFile)


def stated(entry: Any, key: str, where: str) -> Any:
    """What an entry states of a key.

    Raises:
        DustError: it is no object, or lacks the key.
    """
    if not isinstance(entry, dict) or entry.get(key) is None:
        raise DustError(f"it lacks {key}", where=where, fix="complete the file")
    return entry[key]


def numbers_of(value: Any, count: int, what: str, where: str) -> Floats:
    """So many finite numbers (N,) of a JSON value, nested or not.

    Raises:
        DustError: they are something else.
    """
    try:
        numbers = np.asarray(value, np.float64).ravel()
    except (TypeError, ValueError, OverflowError):
        numbers = np.zeros(0)
    if numbers.size != count:
        text = str(value)
        raise DustError(
            f"{what} has {count} numbers, not {text[:_SHOWN]}{' ...' if text[_SHOWN:] else ''}",
            where=where,
            fix="mend the file",
        )
    if not np.isfinite(numbers).all():
        raise DustError(
            f"{what} holds NaN or infinity", where=where, fix="leave it out, or mend the file"
        )
    return numbers


def picture_size_of(value: Any, where: str) -> tuple[int, int]:
    """Width and height that a file states.

    Raises:
        DustError: they are no whole numbers of pixels.
    """
    width, height = numbers_of(value, 2, "the size of a picture", where)
    if not all(side.is_integer() and 0 < side < 2**16 for side in (width, height)):
        raise DustError(
            f"no size of a picture: {width:g} x {height:g}",
            where=where,
            fix="give width and height in whole pixels",
        )
    return int(width), int(height)
