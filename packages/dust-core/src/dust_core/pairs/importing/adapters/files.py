"""Reading what data sets are made of: numbers, depths, pictures, each with one clear error."""

from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import require_file
from dust_core.pairs.pictures import read_picture

# All that Pillow and numpy raise at files that are damaged, cut short or something else.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TokenError,
    BadZipFile,
    Image.DecompressionBombError,
)


def parse_numbers(text: str, where: str) -> Floats:
    """The numbers (N,) of a text, parted by blanks, commas or semicolons.

    Raises:
        DustError: something in it is no number.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        return np.array([float(word) for word in words])
    except ValueError as error:
        raise DustError(f"not a number: {error}", where=where, fix="mend the file") from error


def read_numbers(path: Path, counts: tuple[int, ...], what: str) -> Floats:
    """The numbers (N,) of a text file, N one of `counts`.

    Raises:
        DustError: it is missing or holds something else.
    """
    numbers = parse_numbers(_read_text(require_file(path, what)), str(path))
    if numbers.size not in counts:
        expected = " or ".join(map(str, counts))
        raise DustError(
            f"{what} has {expected} numbers, this file {numbers.size}",
            where=str(path),
            fix="mend the file",
        )
    return numbers


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """The lines of a text file that are not empty and no `#` comments, with their numbers.

    Raises:
        DustError: it is missing or no text.
    """
    lines = enumerate(_read_text(require_file(path, what)).splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and line.strip()[0] != "#"]


def open_image(path: Path) -> Image.Image:
    """A picture whose size is known and whose pixels are not yet read.

    Raises:
        DustError: it is missing or no picture.
    """
    try:
        return Image.open(require_file(path, "the image"))
    except _UNREADABLE as error:
        raise _no_picture(path, error) from error


def read_image(path: Path) -> Image.Image:
    """A picture as RGB.

    Raises:
        DustError: it is missing or cannot be decoded.
    """
    return read_picture(require_file(path, "the image"), as_stored=True).image


def read_map(path: Path, what: str) -> Floats:
    """A map (H, W) as its file has it: .png or .tif, .npy or .npz (its first array), .pfm.

    Returns:
        uint8, uint16, int32 or floating numbers, untouched.

    Raises:
        DustError: it is missing, cannot be decoded, or is no map.
    """
    require_file(path, what)
    try:
        values = np.asarray(_READERS.get(path.suffix.lower(), _read_picture)(path))
    except _UNREADABLE as error:
        raise DustError(
            f"{what} cannot be read: {error}", where=str(path), fix="fetch the file again"
        ) from error
    if values.ndim != 2 or values.dtype.kind not in "uif":
        raise DustError(
            f"{what} has the shape {values.shape} of {values.dtype}",
            where=str(path),
            fix="a map has one number a pixel",
        )
    return values


def read_depth(path: Path, unit_m: float, unknown: int = 0) -> Floats:
    """A depth map (H, W) in metres, float32, 0 where unknown.

    Args:
        unit_m: metres a step of whole numbers; floating numbers are metres already.
        unknown: the whole number that, like 0, stands for no depth.

    Raises:
        DustError: it is missing, cannot be decoded, or holds NaN.
    """
    values = read_map(path, "the depth")
    if values.dtype.kind == "f":
        return known_depth(values, str(path))
    return np.asarray(np.where(values == unknown, 0, values * unit_m), np.float32)


def known_depth(depth: Floats, where: str) -> Floats:
    """Depth in metres as float32, with 0 for what is infinite or not in front of the camera.

    Raises:
        DustError: it holds NaN, which is as likely a fault as it is a sign for unknown.
    """
    wrong = int(np.isnan(depth).sum())
    if wrong:
        raise DustError(
            f"{wrong} of {depth.size} depths are NaN",
            where=where,
            fix="write 0 where depth is unknown",
        )
    with np.errstate(over="ignore"):  # too large for float32 is as good as infinite
        metres = depth.astype(np.float32)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DustError(
            f"cannot be read as text: {error}", where=str(path), fix="check the file"
        ) from error


def _no_picture(path: Path, error: Exception) -> DustError:
    return DustError(
        f"the image cannot be read: {error}", where=str(path), fix="fetch the file again"
    )


def _read_picture(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture)


def _read_npy(path: Path) -> Any:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[arrays.files[0]]


def _read_pfm(path: Path) -> Any:
    """Portable float map: `Pf`, the size, a scale whose sign is the byte order, rows from below.

    Source: https://netpbm.sourceforge.net/doc/pfm.html
    """
    with path.open("rb") as stream:
        kind, size, scale = (stream.readline().split() for _ in range(3))
        if kind != [b"Pf"]:
            raise ValueError("it is no PFM of one channel")
        width, height = map(int, size)
        order = "<f4" if float(scale[0]) < 0 else ">f4"
        values = np.frombuffer(stream.read(), order, count=width * height)
    return values.reshape(height, width)[::-1].astype(np.float32)


_READERS = {".npy": _read_npy, ".npz": _read_npz, ".pfm": _read_pfm}
