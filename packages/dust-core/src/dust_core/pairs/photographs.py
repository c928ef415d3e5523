"""A user's photographs: read from a folder, turned upright, and brought to a square."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode, Placement, place
from dust_core.pairs.geometry import Floats
from dust_core.pairs.shards.sample import network_input

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_SMALLEST = 32  # pixels: a smaller picture shows nothing that could be matched


@dataclass(frozen=True)
class Photograph:
    """One photograph as the network sees it.

    Attributes:
        name: the name of the file.
        size: width and height once upright.
        placement: from the upright photograph to the square.
        square: (side, side, 3) uint8.
    """

    name: str
    size: tuple[int, int]
    placement: Placement
    square: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]

    def tensor(self) -> Floats:
        """(1, 3, side, side) float32 in [-1, 1]."""
        return network_input(self.square)

    def shown(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """(side, side), False on the bars of a letterbox."""
        mask = np.zeros(self.square.shape[:2], np.bool_)
        left, top, width, height = self.placement.place
        mask[top : top + height, left : left + width] = True
        return mask


def find_photographs(folder: Path) -> list[Path]:
    """The pictures directly in a folder, by name; hidden files are left out.

    Raises:
        DustError: no folder, or fewer than two pictures.
    """
    if not folder.is_dir():
        raise DustError("no such folder", where=str(folder), fix="name a folder of photographs")
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    )
    if len(paths) < 2:
        raise DustError(
            f"{len(paths)} photographs, at least 2 are needed",
            where=str(folder),
            fix=f"put pictures of one place there ({', '.join(sorted(_SUFFIXES))})",
        )
    return paths


def read_photograph(path: Path, side: int, mode: Mode = Mode.CROP) -> Photograph:
    """Read one photograph, upright as its EXIF orientation says, as a square of `side` pixels.

    Raises:
        DustError: the file is no picture, is cut off, or is too small or too large.
    """
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise DustError(
            f"cannot read the picture: {error}", where=str(path), fix="save it again, or remove it"
        ) from error
    if min(picture.size) < _SMALLEST:
        raise DustError(
            f"the picture is {picture.width}x{picture.height}, at least {_SMALLEST} are needed",
            where=str(path),
            fix="take a larger picture, or remove this one",
        )
    placement = place(picture.width, picture.height, side, mode)
    return Photograph(path.name, picture.size, placement, placement.image(picture))
