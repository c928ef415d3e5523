"""The images of a COLMAP model, text or binary.

Source: https://colmap.github.io/format.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import LeftOut
from dust_core.pairs.importing.adapters.colmap_files import (
    damaged,
    lines_of,
    opened,
    suffix_of,
    unpack,
    whole,
)
from dust_core.pairs.importing.adapters.files import parse_numbers

_BYTES_PER_POINT = 24
_NUMBERS_PER_POINT = 3
_WORDS = 10  # of an image: number, quaternion, translation, camera, name
_LONGEST_NAME = 4096


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


def read_images(folder: Path) -> tuple[list[ModelImage], list[LeftOut]]:
    """Every located image, and the lines that hold none.

    Raises:
        DustError: a file is missing or damaged.
    """
    if suffix_of(folder) == ".bin":
        return list(_binary(folder / "images.bin")), []
    left_out: list[LeftOut] = []
    return list(_text(folder / "images.txt", left_out)), left_out


def count_images(folder: Path) -> int:
    """How many images a model holds; 0 if that cannot be read."""
    try:
        return len(read_images(folder)[0])
    except DustError:
        return 0


def _text(path: Path, left_out: list[LeftOut]) -> Iterator[ModelImage]:
    """An image takes two lines, and the second, of its points, may be empty or left out by editors.

    Hence every line is told by what it holds: points are numbers, three at a time.
    """
    stated: list[int] = []
    count, points_may_follow = 0, False
    for where, line in lines_of(path, stated):
        words = line.split(maxsplit=_WORDS - 1)
        if not words or (points_may_follow and _are_points(line)):
            points_may_follow = False
        else:
            count, points_may_follow = count + 1, True
            try:
                yield _image(words, where)
            except DustError as error:
                left_out.append(LeftOut(where.rpartition("/")[2], error, "line"))
    if stated and stated[0] != count:
        why = damaged(str(path), f"it states {stated[0]} images and holds {count}")
        left_out.append(LeftOut(path.name, why, "file"))


def _are_points(line: str) -> bool:
    words = line.split()
    if len(words) % _NUMBERS_PER_POINT:
        return False
    try:
        parse_numbers(line, "")
    except DustError:
        return False
    return True


def _image(words: list[str], where: str) -> ModelImage:
    if len(words) < _WORDS:
        raise damaged(where, f"neither an image nor its points: {' '.join(words)[:80]}")
    whole(words[0], "number of an image", where)
    pose = parse_numbers(" ".join(words[1:8]), where)
    return ModelImage(words[9], whole(words[8], "number of a camera", where), pose[:4], pose[4:])


def _binary(path: Path) -> Iterator[ModelImage]:
    with opened(path) as stream:
        for _ in range(unpack(stream, "<Q")[0]):
            _, *pose, camera = unpack(stream, "<i7di")
            name = _name(stream)
            stream.seek(unpack(stream, "<Q")[0] * _BYTES_PER_POINT, 1)
            yield ModelImage(name, camera, np.array(pose[:4]), np.array(pose[4:]))
        _require_end(stream)


def _name(stream: BinaryIO) -> str:
    name = bytearray()
    while (letter := unpack(stream, "<c")[0]) != b"\0":
        name += letter
        if len(name) > _LONGEST_NAME:
            raise ValueError("the name of an image has no end")
    return name.decode()


def _require_end(stream: BinaryIO) -> None:
    """A seek passes the end of a file without a word."""
    position = stream.tell()
    if stream.seek(0, 2) != position:
        raise ValueError("it ends elsewhere than its last image")
