"""The cameras and images of a COLMAP model, text or binary.

Source: https://colmap.github.io/format.html
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import camera_matrix, require_file
from dust_core.pairs.importing.adapters.files import parse_numbers

# Name and number of parameters of the camera models, by their number in binary files.
_MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)
# Where the distortion begins among the parameters of those that without it are pinholes.
_FOCALS = {"SIMPLE_PINHOLE": 1, "PINHOLE": 2, "SIMPLE_RADIAL": 1, "RADIAL": 1}
_FOCALS |= {"OPENCV": 2, "FULL_OPENCV": 2}
_BYTES_PER_POINT = 24


@dataclass(frozen=True)
class ModelImage:
    """One located image.

    Attributes:
        name: its path below the folder of images.
        camera: the number of its camera.
        quaternion: (w, x, y, z), world to camera.
        translation: (3,), world to camera, in units of the model.
    """

    name: str
    camera: int
    quaternion: Floats
    translation: Floats


def model_folder(workspace: Path) -> Path:
    """The folder of the model in a workspace.

    Raises:
        DustError: none of the usual ones holds a model.
    """
    for folder in (workspace / "sparse", workspace / "sparse" / "0", workspace):
        if any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt")):
            return folder
    raise DustError(
        "there is no COLMAP model: sparse/cameras.bin or .txt",
        where=str(workspace),
        fix="name the workspace that `colmap image_undistorter` wrote",
    )


def read_cameras(folder: Path) -> dict[int, Floats]:
    """The (3, 3) intrinsics of every camera, for pixel centres at whole numbers.

    Raises:
        DustError: a file is damaged, or a camera has distortion.
    """
    path = folder / "cameras.bin"
    stated = _binary_cameras(path) if path.is_file() else _text_cameras(folder / "cameras.txt")
    return {number: _pinhole(model, numbers, where) for where, number, model, numbers in stated}


def read_images(folder: Path) -> Iterator[ModelImage]:
    """Every located image.

    Raises:
        DustError: a file is missing or damaged.
    """
    path = folder / "images.bin"
    return _binary_images(path) if path.is_file() else _text_images(folder / "images.txt")


_Stated = Iterator[tuple[str, int, str, Floats]]


def _text_cameras(path: Path) -> _Stated:
    for where, line in _lines(path):
        words = line.split()
        if not words:
            continue
        if len(words) < 5:
            raise _damaged(where, f"no camera: {line}")
        yield where, _whole(words[0], where), words[1], parse_numbers(" ".join(words[4:]), where)


def _binary_cameras(path: Path) -> _Stated:
    with _opened(path) as stream:
        for _ in range(_unpack(stream, "<Q")[0]):
            number, model, _, _ = _unpack(stream, "<iiQQ")
            if not 0 <= model < len(_MODELS):
                raise _damaged(str(path), f"the camera model {model} is unknown")
            name, count = _MODELS[model]
            yield str(path), number, name, np.array(_unpack(stream, f"<{count}d"))


def _pinhole(model: str, numbers: Floats, where: str) -> Floats:
    focals = _FOCALS.get(model)
    if focals is None or numbers.size != dict(_MODELS)[model] or numbers[focals + 2 :].any():
        raise DustError(
            f"the camera {model} {' '.join(f'{n:g}' for n in numbers)} is no pinhole",
            where=where,
            fix="remove the distortion with `colmap image_undistorter`",
        )
    # COLMAP puts the centre of the first pixel at (1/2, 1/2).
    centre = numbers[focals : focals + 2] - 0.5
    return camera_matrix(np.array([numbers[0], numbers[focals - 1], *centre]), where)


def _text_images(path: Path) -> Iterator[ModelImage]:
    # Every image has two lines, and the second, of its points, may be empty.
    lines = _lines(path)
    for where, line in lines:
        words = line.split(maxsplit=9)
        if not words:
            continue
        if len(words) < 10:
            raise _damaged(where, f"no image: {line}")
        pose = parse_numbers(" ".join(words[1:8]), where)
        yield ModelImage(words[9], _whole(words[8], where), pose[:4], pose[4:])
        next(lines, None)


def _binary_images(path: Path) -> Iterator[ModelImage]:
    with _opened(path) as stream:
        for _ in range(_unpack(stream, "<Q")[0]):
            _, *pose, camera = _unpack(stream, "<i7di")
            name = bytearray()
            while (letter := _unpack(stream, "<c")[0]) != b"\0":
                name += letter
            stream.seek(_unpack(stream, "<Q")[0] * _BYTES_PER_POINT, 1)
            yield ModelImage(name.decode(), camera, np.array(pose[:4]), np.array(pose[4:]))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except (OSError, struct.error, ValueError, OverflowError) as error:
        raise _damaged(str(path), f"it is truncated or no COLMAP file: {error}") from error


def _unpack(stream: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of every line that is no comment, empty ones too."""
    try:
        with require_file(path, "a part of the COLMAP model").open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if not line.startswith("#"):
                    yield f"{path}:{number}", line.strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(str(path), f"it cannot be read: {error}") from error


def _whole(text: str, where: str) -> int:
    if not text.isdigit():
        raise _damaged(where, f"{text} is no number of a camera")
    return int(text)


def _damaged(where: str, what: str) -> DustError:
    return DustError(what, where=where, fix="export the model again")
