"""The cameras of a COLMAP model, text or binary.

Source: https://colmap.github.io/cameras.html and format.html beside it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import camera_matrix
from dust_core.pairs.importing.adapters.colmap_files import (
    damaged,
    lines_of,
    opened,
    suffix_of,
    unpack,
    whole,
)
from dust_core.pairs.importing.adapters.files import parse_numbers
from dust_core.pairs.importing.camera import Camera
from dust_core.pairs.importing.lens import lens_or_none

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
    ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
)
_ONE_FOCAL = {"SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_RADIAL_FISHEYE"}
_ONE_FOCAL |= {"RADIAL_FISHEYE"}
# The models that OpenCV can undistort. Their coefficients follow the focal lengths and the centre,
# and are in the order of OpenCV.
_KINDS: dict[str, Literal["radial", "fisheye"]] = {
    "SIMPLE_PINHOLE": "radial",
    "PINHOLE": "radial",
    "SIMPLE_RADIAL": "radial",
    "RADIAL": "radial",
    "OPENCV": "radial",
    "FULL_OPENCV": "radial",
    "OPENCV_FISHEYE": "fisheye",
    "SIMPLE_RADIAL_FISHEYE": "fisheye",
    "RADIAL_FISHEYE": "fisheye",
}
_COEFFICIENTS = 4  # OpenCV takes at least so many

_Stated = Iterator[tuple[str, int, str, tuple[int, int], Floats]]


def read_cameras(folder: Path) -> dict[int, Camera | DustError]:
    """Every camera, or why it cannot be used, by its number.

    Raises:
        DustError: the file is missing or damaged.
    """
    suffix = suffix_of(folder)
    path = folder / f"cameras{suffix}"
    cameras: dict[int, Camera | DustError] = {}
    for where, number, model, size, numbers in _binary(path) if suffix == ".bin" else _text(path):
        try:
            cameras[number] = _camera(model, size, numbers, where)
        except DustError as error:
            cameras[number] = error
    return cameras


def _text(path: Path) -> _Stated:
    for where, line in lines_of(path):
        words = line.split()
        if not words:
            continue
        if len(words) < 5:
            raise damaged(where, f"no camera: {line}")
        size = (whole(words[2], "width", where), whole(words[3], "height", where))
        numbers = parse_numbers(" ".join(words[4:]), where)
        yield where, whole(words[0], "number of a camera", where), words[1], size, numbers


def _binary(path: Path) -> _Stated:
    with opened(path) as stream:
        for _ in range(unpack(stream, "<Q")[0]):
            number, model, width, height = unpack(stream, "<iiQQ")
            if not 0 <= model < len(_MODELS):
                raise damaged(str(path), f"the camera model {model} is unknown")
            name, count = _MODELS[model]
            numbers = np.array(unpack(stream, f"<{count}d"))
            yield str(path), number, name, (width, height), numbers
        if stream.read(1):
            raise damaged(str(path), "bytes follow the last camera")


def _camera(model: str, size: tuple[int, int], numbers: Floats, where: str) -> Camera:
    kind, count = _KINDS.get(model), dict(_MODELS).get(model)
    if count is None or numbers.size != count:
        raise damaged(where, f"the camera model {model} with {numbers.size} parameters is unknown")
    if not all(0 < side < 2**16 for side in size):
        raise damaged(where, f"the camera is for pictures of {size[0]}x{size[1]}")
    if kind is None:
        raise DustError(
            f"the camera model {model} is not one that OpenCV undistorts",
            where=where,
            fix="remove the distortion with `colmap image_undistorter`",
        )
    focals = 1 if model in _ONE_FOCAL else 2
    # COLMAP puts the centre of the first pixel at (1/2, 1/2).
    centre = numbers[focals : focals + 2] - 0.5
    matrix = camera_matrix(np.array([numbers[0], numbers[focals - 1], *centre]), where)
    coefficients = np.zeros(max(_COEFFICIENTS, numbers.size - focals - 2))
    coefficients[: numbers.size - focals - 2] = numbers[focals + 2 :]
    return Camera(matrix, size, lens_or_none(kind, coefficients, where))
