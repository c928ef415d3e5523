"""Reading a colour picture: any format, depth, colour space, orientation and size."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dust_core.errors import DustError, first_line
from dust_core.pairs.pictures.colours import Opaque, split_alpha, to_srgb
from dust_core.pairs.pictures.eight_bits import in_eight_bits
from dust_core.pairs.pictures.formats import (
    HEAD,
    HEIF,
    JPEG,
    JPEG_2000,
    PNG,
    TIFF,
    PictureFormat,
    format_of,
    kind_of,
    names,
)
from dust_core.pairs.pictures.opened import Opened, open_picture
from dust_core.pairs.pictures.stated_colours import Stated, by_statement, of_nclx, of_png

_HUGE = 64_000_000  # pixels: more are reduced, since no network sees them
_SHORTEST = 2048  # pixels: no side becomes shorter by reducing
_MOST_BYTES = 2**31  # of decoded pixels
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_BACK = {**_TURNS, 6: _TURNS[8], 8: _TURNS[6]}
_WHITE_IS_ZERO = 0


@dataclass(frozen=True)
class Picture:
    """A picture as its maker saw it.

    Attributes:
        image: RGB, sRGB, 8 bits; black where it is transparent.
        opaque: (H, W) of the image, False where it is transparent; None if it is nowhere.
        size: width and height of the file's pixels, which are more than the image's where it was
            huge and therefore decoded reduced.
        remarks: what was assumed, converted or ignored, each in a few words.
    """

    image: Image.Image
    opaque: Opaque | None
    size: tuple[int, int]
    remarks: tuple[str, ...]


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture as it is stored, from its header alone.

    Raises:
        DustError: as `read_picture`.
    """
    content, kind = _content(path)
    opened = _opened(content, kind, path)
    if opened.image is None:
        height, width = _by_opencv(content, path).shape[:2]
        return width, height
    turned = kind is TIFF and opened.orientation >= 5  # Pillow turns TIFF by itself
    return (opened.image.height, opened.image.width) if turned else opened.image.size


def read_picture(path: Path, *, as_stored: bool = False) -> Picture:
    """Read a picture of any format in `FORMATS`, told by its content.

    Args:
        as_stored: rows and columns as the file has them, all of them, which is what the intrinsics
            of a recording are for; otherwise it is turned upright as EXIF says, and a huge one is
            decoded reduced.

    Raises:
        DustError: it is absent, no picture, damaged, wholly transparent, or holds numbers whose
            white is not known.
    """
    content, kind = _content(path)
    opened = _opened(content, kind, path)
    if opened.image is not None:
        _require_fitting(opened.image, len(content), kind, path)
    size = opened.image.size if opened.image is not None else None
    remarks = opened.remarks
    try:
        if kind is not JPEG and getattr(opened.image, "is_animated", False):
            remarks.append("the first of its frames is taken")
        if opened.deep:
            values = _by_opencv(content, path)
            size = values.shape[1::-1]
            image, opaque = _of_deep(values, remarks)
            profile = opened.image.info.get("icc_profile") if opened.image else None
        else:
            assert opened.image is not None
            image, opaque = _decoded(opened.image, as_stored, remarks)
            profile = opened.image.info.get("icc_profile")
        image, said = to_srgb(image, profile)
        remarks += [said] if said else []
        if not profile:
            image, said = by_statement(image, _stated(content, kind, opened))
            remarks += [said] if said else []
    except Exception as error:  # decoders' errors share no base but Exception
        raise _unreadable(path, error) from error
    if opaque is not None and not opaque.any():
        raise DustError(
            "the picture is wholly transparent", where=str(path), fix="save it without alpha"
        )
    assert size is not None
    image, opaque, size = _turned(image, opaque, size, opened, kind, as_stored)
    return Picture(image, opaque, size, tuple(remarks))


def _stated(content: bytes, kind: PictureFormat, opened: Opened) -> Stated:
    """What a file without a profile states of its colours."""
    if kind is PNG:
        return of_png(content)
    if kind is HEIF and opened.image is not None:
        return of_nclx(opened.image.info.get("nclx_profile"))
    return Stated()


def _content(path: Path) -> tuple[bytes, PictureFormat]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DustError(
            f"cannot read the picture: {error.strerror}", where=str(path), fix="check the path"
        ) from error
    kind = format_of(content[:HEAD])
    if kind is None:
        raise DustError(
            f"cannot read the picture: it is {kind_of(content[:HEAD])}",
            where=str(path),
            fix=f"name a picture of one of these formats: {names()}",
        )
    return content, kind


def _opened(content: bytes, kind: PictureFormat, path: Path) -> Opened:
    try:
        return open_picture(content, kind)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # decoders' errors share no base but Exception
        raise _unreadable(path, error) from error


def _require_fitting(image: Image.Image, stored: int, kind: PictureFormat, path: Path) -> None:
    """Refuse a size that the file's length disproves, and one that memory cannot hold."""
    pixels = image.width * image.height
    by = f"{image.width}x{image.height}"
    if kind.densest is not None and pixels > kind.densest * stored:
        raise DustError(
            f"cannot read the picture: {stored:,} bytes cannot hold {by} pixels",
            where=str(path),
            fix="it is cut off or damaged: save it again, or remove it",
        )
    reducible = kind is JPEG_2000 or (kind is JPEG and not image.info.get("progressive"))
    decoded = pixels * _bytes_a_pixel(image) // (64 if reducible else 1)
    if decoded > _MOST_BYTES:
        raise DustError(
            f"the picture is {by}, which takes {decoded / 1e9:.1f} GB; at most "
            f"{_MOST_BYTES / 1e9:.1f} GB are decoded",
            where=str(path),
            fix="save it smaller, or as a JPEG that is not progressive",
        )


def _bytes_a_pixel(image: Image.Image) -> int:
    return {"1": 1, "L": 1, "P": 1}.get(image.mode, 2 if image.mode.startswith("I;16") else 4)


def _decoded(
    image: Image.Image, as_stored: bool, remarks: list[str]
) -> tuple[Image.Image, Opaque | None]:
    """The pixels as 8 bits without transparency, a huge picture's reduced, and what is shown."""
    size, factor = image.size, 1 if as_stored else _reduction(*image.size)
    white_is_zero = getattr(image, "tag_v2", {}).get(262) == _WHITE_IS_ZERO
    key = image.info.get("transparency")
    if factor > 1:
        image.draft(None, (size[0] // factor, size[1] // factor))
        if image.format == "JPEG2000":
            image.__setattr__("reduce", factor.bit_length() - 1)  # a property of this format
    image.load()
    left = factor * image.width // size[0]
    if left > 1 and image.mode in ("L", "RGB", "RGBA", "LA", "CMYK", "I", "F"):
        image = Image.Image.reduce(image, left)
    if factor > 1:
        remarks.append(f"it is huge ({size[0]}x{size[1]}) and is decoded reduced")
    if not image.mode.startswith(("I", "F")):
        return split_alpha(image)
    values = np.asarray(image)
    eight, said = in_eight_bits(values)
    remarks += [said] if said else []
    grey = Image.fromarray(255 - eight if white_is_zero else eight)
    return grey, values != key if isinstance(key, int) else None


def _reduction(width: int, height: int) -> int:
    """By what a picture is reduced: 1, 2, 4 or 8."""
    factor = 1
    while (
        width * height > _HUGE * factor**2
        and min(width, height) >= 2 * factor * _SHORTEST
        and factor < 8
    ):
        factor *= 2
    return factor


def _by_opencv(content: bytes, path: Path) -> np.ndarray[Any, np.dtype[Any]]:
    """The numbers (H, W, channels) of a deep picture, red first; Pillow cuts them to 8 bits.

    Raises:
        DustError: OpenCV cannot decode them.
    """
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the error says it
    try:
        values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _unreadable(path, ValueError(error.err or "OpenCV cannot decode it")) from error
    if values is None:
        raise _unreadable(path, ValueError("it is damaged, or of a kind that is not known"))
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]
    return np.atleast_3d(values)


def _of_deep(
    values: np.ndarray[Any, np.dtype[Any]], remarks: list[str]
) -> tuple[Image.Image, Opaque | None]:
    channels = values.shape[2]
    if channels > 4:
        raise ValueError(f"it has {channels} channels")
    alpha = values[..., -1:] if channels in (2, 4) else None
    colours, said = in_eight_bits(values[..., :-1] if channels in (2, 4) else values)
    remarks += [said] if said else []
    if alpha is None:
        return Image.fromarray(colours.squeeze(2) if channels == 1 else colours), None
    if alpha.dtype.kind != "f":
        alpha = alpha / np.iinfo(alpha.dtype).max
    shares, _ = in_eight_bits(alpha.astype(np.float32))
    return split_alpha(Image.fromarray(np.concatenate([colours, shares], axis=2)))


def _turned(
    image: Image.Image,
    opaque: Opaque | None,
    size: tuple[int, int],
    opened: Opened,
    kind: PictureFormat,
    as_stored: bool,
) -> tuple[Image.Image, Opaque | None, tuple[int, int]]:
    """Upright, or as stored; Pillow and OpenCV have turned a TIFF upright already."""
    by_decoder = kind is TIFF
    turns = _BACK if as_stored else _TURNS
    turn = None if by_decoder is not as_stored else turns.get(opened.orientation)
    if turn is None:
        return image, opaque, size
    if opaque is not None:
        opaque = np.asarray(Image.fromarray(opaque).transpose(turn))
    wide = opened.orientation >= 5
    return image.transpose(turn), opaque, size[::-1] if wide else size


def _unreadable(path: Path, error: Exception) -> DustError:
    if isinstance(error, DustError):
        return error
    return DustError(
        f"cannot read the picture: {first_line(error)}",
        where=str(path),
        fix="save it again, or remove it",
    )
