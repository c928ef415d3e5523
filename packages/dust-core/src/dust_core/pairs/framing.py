"""Bring a picture of any size to a square, or near its own shape: colour, depth, intrinsics.

Pixel (row i, column j) has its centre at (x = j, y = i) before and after.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.pairs.geometry import Floats


class Mode(StrEnum):
    """How a picture becomes a square."""

    CROP = "crop"
    """The largest square at its centre."""
    LETTERBOX = "letterbox"
    """The whole picture, with black bars of unknown depth."""


@dataclass(frozen=True)
class Placement:
    """Where a part of a picture is placed in an image, mostly a square; all in whole pixels.

    Attributes:
        size: width and height of the image.
        part: left, top, width and height of the part of the picture that is kept.
        place: left, top, width and height of its place in the image.
    """

    size: tuple[int, int]
    part: tuple[int, int, int, int]
    place: tuple[int, int, int, int]

    def image(
        self, picture: Image.Image, whole: tuple[int, int] | None = None
    ) -> NDArray[np.uint8]:
        """An RGB picture as (H, W, 3) uint8, resampled with antialiasing.

        Args:
            whole: width and height that the part is of, where the picture was decoded reduced.
        """
        left, top, width, height = self.part
        across, down = 1.0, 1.0
        if whole is not None:
            across, down = picture.width / whole[0], picture.height / whole[1]
        box = (across * left, down * top, across * (left + width), down * (top + height))
        x, y, *size = self.place
        resized = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS, box=box)
        image = np.zeros((*self.size[::-1], 3), np.uint8)
        image[y : y + size[1], x : x + size[0]] = np.asarray(resized)
        return image

    def depth(self, depth: Floats) -> Floats:
        """A depth (H, W) as float32 of the image's size: the nearest pixel, never a mean."""
        left, top, width, height = self.part
        x, y, new_width, new_height = self.place
        columns = left + (np.arange(new_width) * 2 + 1) * width // (2 * new_width)
        rows = top + (np.arange(new_height) * 2 + 1) * height // (2 * new_height)
        image = np.zeros(self.size[::-1], np.float32)
        image[y : y + new_height, x : x + new_width] = depth[np.ix_(rows, columns)]
        return image

    def intrinsics(self, intrinsics: Floats) -> Floats:
        """The (3, 3) camera matrix of the image.

        A pixel's area extends half a pixel to each side of its centre. Hence x + 1/2 scales with
        the picture, and x does not.
        """
        left, top, width, height = self.part
        x, y, new_width, new_height = self.place
        scale_x, scale_y = new_width / width, new_height / height
        moved = np.array(
            [
                [scale_x, 0, scale_x * (0.5 - left) - 0.5 + x],
                [0, scale_y, scale_y * (0.5 - top) - 0.5 + y],
                [0, 0, 1],
            ]
        )
        return np.asarray(moved @ intrinsics)


def place(width: int, height: int, side: int, mode: Mode) -> Placement:
    """Where a picture of `width` x `height` is placed in a square of `side` x `side`."""
    if mode is Mode.CROP:
        part = min(width, height)
        corner = ((width - part) // 2, (height - part) // 2)
        return Placement((side, side), (*corner, part, part), (0, 0, side, side))
    scale = side / max(width, height)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    corner = ((side - new_width) // 2, (side - new_height) // 2)
    return Placement((side, side), (0, 0, width, height), (*corner, new_width, new_height))


def place_native(width: int, height: int, longer: int, patch: int) -> Placement | None:
    """Where a picture is placed in an image near its own shape, as DUSt3R's loader does it.

    The longer side becomes `longer` pixels. Then the centre is cut to multiples of the patch, and
    a square to 4:3, because the published network was trained on no squares. None where the
    shorter side is less than a patch.
    """
    scale = longer / max(width, height)
    new_width, new_height = (round(side * scale) // patch * patch for side in (width, height))
    if width == height:
        new_height = new_width * 3 // 4 // patch * patch
    if min(new_width, new_height) < patch:
        return None
    part = min(width, round(new_width / scale)), min(height, round(new_height / scale))
    corner = ((width - part[0]) // 2, (height - part[1]) // 2)
    return Placement((new_width, new_height), (*corner, *part), (0, 0, new_width, new_height))


def whole_to(size: tuple[int, int], new_size: tuple[int, int]) -> Placement:
    """A whole picture of one width and height brought to another width and height."""
    return Placement(new_size, (0, 0, *size), (0, 0, *new_size))
