"""Opening a picture: its size, orientation and depth, with its pixels not yet decoded."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from PIL import ExifTags, Image

from dust_core.pairs.pictures.formats import HEIF, JPEG, PNG, TIFF, PictureFormat

_ORIENTATION = ExifTags.Base.Orientation
_DNG_VERSION, _BITS, _PHOTOMETRIC, _MAKE, _SUBFILE = 50706, 258, 262, 271, 254
_COLOUR_FILTER, _NO_RGB = 32803, (5, 8)
EXIF_IGNORED = "its EXIF data is broken and is ignored"
_APP1, _APP13, _SCAN = 0xE1, 0xED, 0xDA
_state = Lock()  # Pillow's limit of pixels and Python's warnings belong to the whole process


@dataclass(frozen=True)
class Opened:
    """A picture before its pixels are decoded.

    Attributes:
        image: as Pillow opened it; None if Pillow cannot, and OpenCV has to.
        orientation: as EXIF has it, 1 ... 8.
        deep: whether Pillow would cut its channels to 8 bits.
        remarks: what the user should hear.
    """

    image: Image.Image | None
    orientation: int
    deep: bool
    remarks: list[str]


def open_picture(content: bytes, kind: PictureFormat) -> Opened:
    """Open the content of a file of that format.

    Raises:
        Exception: of any type, whatever Pillow raises; or ValueError: it is a camera's raw file.
    """
    if kind is HEIF:
        import pillow_heif

        pillow_heif.register_heif_opener()
    if kind is PNG:
        _require_whole_chunks(content)
    remarks: list[str] = []
    with _quietly() as warned:
        try:
            image: Image.Image | None = _open(content, kind)
        except Exception:  # a damaged EXIF stops Pillow before it knows the size
            if kind is TIFF:
                image = None
            elif kind is JPEG:
                image = _open(_without_metadata(content), kind)
                remarks.append(EXIF_IGNORED)
            else:
                raise
        orientation = 1
        if image is not None:
            try:
                orientation = _orientation(image)
            except Exception:  # the same
                remarks = [EXIF_IGNORED]
        if any("EXIF" in str(warning.message) for warning in warned):
            remarks = [EXIF_IGNORED]
    tags: Any = getattr(image, "tag_v2", {}) if image is not None and kind is TIFF else {}
    if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) == _COLOUR_FILTER:
        raise ValueError("it is a camera's raw file: develop it to a JPEG or PNG first")
    if tags.get(_SUBFILE) == 1 and _MAKE in tags:  # as NEF and ARW begin
        raise ValueError("it is a camera's raw file: develop it to a JPEG or PNG first")
    deep = _is_deep(content, kind, image, tags)
    if deep and tags.get(_PHOTOMETRIC) in _NO_RGB:
        raise ValueError("it is CMYK or Lab of more than 8 bits: save it as RGB")
    return Opened(image, orientation, deep, remarks)


def _open(content: bytes, kind: PictureFormat) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=list(kind.plugins))


@contextmanager
def _quietly() -> Iterator[list[warnings.WarningMessage]]:
    """Without Pillow's own limit of pixels, for which ours stands; its warnings are collected."""
    with _state, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield warned
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Image.Image) -> int:
    if exif := image.info.get("exif"):  # Pillow forgets that it could not read this
        Image.Exif().load(exif)
    value = image.getexif().get(_ORIENTATION, 1)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _is_deep(content: bytes, kind: PictureFormat, image: Image.Image | None, tags: Any) -> bool:
    """Whether a file has several channels of more than 8 bits."""
    if image is None:
        return True
    if kind is PNG:
        depth, colour = content[24], content[25]
        return depth == 16 and colour in (2, 4, 6)
    bits = tags.get(_BITS, (8,))
    return len(bits) > 1 and max(bits) > 8 if isinstance(bits, tuple) else False


def _require_whole_chunks(content: bytes) -> None:
    """Prove length and check sum of each chunk of a PNG.

    Raises:
        ValueError: a chunk is damaged, or the end is missing.
    """
    position, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", content[position : position + 8].ljust(8, b"\0"))
        end = position + 12 + length
        if end > len(content):
            raise ValueError("the PNG is cut off, or the length of a chunk is damaged")
        (stated,) = struct.unpack(">I", content[end - 4 : end])
        if zlib.crc32(content[position + 4 : end - 4]) != stated:
            raise ValueError(f"the chunk {name.decode('ascii', 'replace')} of the PNG is damaged")
        position = end


def _without_metadata(content: bytes) -> bytes:
    """A JPEG without EXIF, XMP and Photoshop's resources; its colours need none of them."""
    kept, position = [content[:2]], 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # filling
            position += 1
            continue
        if marker == _SCAN:
            break
        (length,) = struct.unpack(">H", content[position + 2 : position + 4])
        if marker not in (_APP1, _APP13):
            kept.append(content[position : position + 2 + length])
        position += 2 + length
    return b"".join([*kept, content[position:]])
