"""Colours that a file states by numbers and not by a profile: gAMA and cICP of PNG, nclx of HEIC.

The numbers are those of ITU-T H.273. Wide primaries (BT.2020, Display P3) and a PNG's gamma are
converted to sRGB; the curves of HDR (PQ, HLG) are not, and that is said.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SRGB, _UNSPECIFIED, _IDENTITY = 1, 2, 0
# Chromaticities of red, green and blue; white is D65 for all.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
_NAMES = {9: "BT.2020", 12: "Display P3"}
_WHITE = (0.3127, 0.3290)
_LIKE_SRGB = {1, 2, 6, 13, 14, 15}  # curves that differ from sRGB's little enough
_HDR = {16: "PQ", 18: "HLG"}
_SRGB_GAMMA = 1 / 2.2
_NEAR = 0.02
_WIDE_STRIP = 256  # rows


@dataclass(frozen=True)
class Stated:
    """What a file states; None where it does not.

    Attributes:
        primaries, curve: numbers of H.273.
        gamma: the exponent from light to numbers.
    """

    primaries: int = _SRGB
    curve: int = 13
    gamma: float | None = None


def of_png(content: bytes) -> Stated:
    """What the chunks of a PNG state: cICP before sRGB before gAMA."""
    chunks = dict(_chunks_before_pixels(content))
    if len(code := chunks.get(b"cICP", b"")) == 4:
        return Stated(code[0], code[1])
    if b"sRGB" in chunks or len(gamma := chunks.get(b"gAMA", b"")) != 4:
        return Stated()
    return Stated(gamma=struct.unpack(">I", gamma)[0] / 100_000)


def of_nclx(profile: Any) -> Stated:
    """What the nclx box of a HEIC states, as pillow-heif gives it."""
    if not isinstance(profile, dict):
        return Stated()
    numbers = (profile.get(key) for key in ("color_primaries", "transfer_characteristics"))
    primaries, curve = (number if isinstance(number, int) else _UNSPECIFIED for number in numbers)
    return Stated(primaries, curve)


def by_statement(image: Image.Image, stated: Stated) -> tuple[Image.Image, str | None]:
    """An RGB picture as sRGB, and a remark where that changed or should have changed colours."""
    if stated.gamma is not None:
        if not 0.1 <= stated.gamma <= 10:
            return image, f"its gamma of {stated.gamma:g} is ignored"
        if abs(stated.gamma - _SRGB_GAMMA) <= _NEAR:
            return image, None
        table = 255 * _encoded((np.arange(256) / 255) ** (1 / stated.gamma))
        converted = image.point(np.rint(table).astype(int).tolist() * 3)
        return converted, f"colours are converted from a gamma of {stated.gamma:g} to sRGB"
    if stated.curve in _HDR:
        return image, f"its HDR curve ({_HDR[stated.curve]}) is read as sRGB: colours are off"
    if stated.primaries in (_IDENTITY, _SRGB, _UNSPECIFIED) and stated.curve in _LIKE_SRGB:
        return image, None
    if stated.primaries not in _NAMES or stated.curve not in _LIKE_SRGB:
        codes = f"primaries {stated.primaries}, curve {stated.curve}"
        return image, f"its colours ({codes} of H.273) are read as sRGB"
    name = _NAMES[stated.primaries]
    return _narrowed(image, stated.primaries), f"colours are converted from {name} to sRGB"


def _narrowed(image: Image.Image, primaries: int) -> Image.Image:
    """sRGB of a picture with wide primaries; what sRGB cannot show is clipped."""
    to_srgb = np.linalg.inv(_xyz_from(1)) @ _xyz_from(primaries)
    share = np.arange(256) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    values = np.asarray(image)
    narrow = np.empty_like(values)
    for row in range(0, len(values), _WIDE_STRIP):
        strip = light[values[row : row + _WIDE_STRIP]] @ to_srgb.T
        narrow[row : row + _WIDE_STRIP] = np.rint(255 * _encoded(np.clip(strip, 0, 1)))
    return Image.fromarray(narrow)


def _xyz_from(primaries: int) -> NDArray[np.float64]:
    """(3, 3), from linear RGB to XYZ; white has the luminance 1."""
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    x, y = _WHITE
    white = np.array([x / y, 1.0, (1 - x - y) / y])
    return np.asarray(columns * np.linalg.solve(columns, white))


def _encoded(light: NDArray[Any]) -> NDArray[Any]:
    """The curve of sRGB (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _chunks_before_pixels(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and data of the chunks of a whole PNG, up to its pixels."""
    position = 8
    while position + 8 <= len(content):
        length, name = struct.unpack(">I4s", content[position : position + 8])
        if name == b"IDAT":
            return
        yield name, content[position + 8 : position + 8 + length]
        position += 12 + length
