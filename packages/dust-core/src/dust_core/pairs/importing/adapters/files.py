"""Reading what data sets are made of: numbers, depths, pictures, each with one clear error."""

import codecs
import struct
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.geometry import Floats
from dust_core.pairs.importing.adapters.base import require_file
from dust_core.pairs.importing.adapters.exr import MAGIC, read_exr
from dust_core.pairs.pictures import picture_size, read_picture
from dust_core.stand_ins import GIT_LFS

# All that Pillow and numpy raise at files that are damaged, cut short or something else.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    BadZipFile,
    TokenError,
    Image.DecompressionBombError,
    struct.error,
    zlib.error,
)
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FEWEST_BITS = 16  # of a whole number of depth: 8 bits hold 255 distances


def parse_numbers(text: str, where: str) -> Floats:
    """The numbers (N,) of a text, parted by blanks, tabs, commas or semicolons.

    Raises:
        DustError: something in it is no number.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        return np.array([_number(word) for word in words], np.float64)
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


def text_encoding(path: Path) -> str:
    """The encoding of a text file, by its byte order mark: UTF-8 unless it says UTF-16.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        start = stream.read(3)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    return "utf-8"


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is stored; its pixels are not read.

    Raises:
        DustError: it is missing or no picture.
    """
    return picture_size(require_file(path, "the image"))


def read_image(path: Path) -> Image.Image:
    """A picture as RGB, its rows and columns as they are stored.

    Raises:
        DustError: it is missing or cannot be decoded.
    """
    return read_picture(require_file(path, "the image"), as_stored=True).image


def read_map(path: Path, what: str) -> Floats:
    """A map (H, W) as its file has it: PNG or TIFF, .npy or .npz (its first array), PFM,
    OpenEXR.

    The kind of file is told by its first bytes; its name does not count.

    Returns:
        uint8, uint16, int32 or floating numbers, untouched.

    Raises:
        DustError: it is missing, cannot be decoded, or is no map.
    """
    require_file(path, what)
    try:
        values = np.asarray(_reader_of(path)(path))
    except UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DustError(
            f"{what} cannot be read: {reason}", where=str(path), fix="fetch the file again"
        ) from error
    if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
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
    if 8 * values.dtype.itemsize < _FEWEST_BITS:
        raise DustError(
            f"the depth has {8 * values.dtype.itemsize} bits: 255 steps hold no depth",
            where=str(path),
            fix="give depth of 16 bits or floating numbers; 8 bits are a picture to look at",
        )
    return known_depth(np.where(values == unknown, 0, values * unit_m), str(path))


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
    with np.errstate(over="ignore", under="ignore"):  # what float32 cannot hold is unknown
        metres = depth.astype(np.float32)
    return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding=text_encoding(path))
    except (OSError, UnicodeError) as error:
        raise DustError(
            f"cannot be read as text: {error}", where=str(path), fix="check the file"
        ) from error


def _number(word: str) -> float:
    if "_" in word:  # Python takes 1_0 for 10
        raise ValueError(f"could not convert string to float: {word!r}")
    return float(word)


def _reader_of(path: Path) -> Any:
    with path.open("rb") as stream:
        start = stream.read(len(GIT_LFS))
    if start == GIT_LFS:
        raise ValueError("it is a Git LFS pointer, not the file: `git lfs pull`")
    return next((read for mark, read in _READERS if start.startswith(mark)), _read_picture)


def _read_picture(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L") if picture.mode == "1" else picture)


def _read_npy(path: Path) -> Any:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> Any:
    # A damaged archive leaves open what numpy itself opened.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
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


def _read_exr(path: Path) -> Any:
    return read_exr(path.read_bytes())


_READERS = (
    (b"\x93NUMPY", _read_npy),
    (b"PK", _read_npz),
    (b"Pf", _read_pfm),
    (b"PF", _read_pfm),
    (MAGIC, _read_exr),
)
