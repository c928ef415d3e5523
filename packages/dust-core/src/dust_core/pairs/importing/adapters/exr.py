"""OpenEXR maps of one channel, as OpenCV and renderers write depth: scan lines, whole in memory.

Tiles, several parts, and lossy or wavelet compression are refused by name. Source:
https://openexr.com/en/latest/OpenEXRFileLayout.html
"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"\x76\x2f\x31\x01"
_KINDS = {0: "<u4", 1: "<f2", 2: "<f4"}
_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000
# Name and lines a block of each compression.
_COMPRESSIONS = (
    ("none", 1), ("RLE", 1), ("ZIPS", 1), ("ZIP", 16), ("PIZ", 32),
    ("PXR24", 16), ("B44", 32), ("B44A", 32), ("DWAA", 32), ("DWAB", 256),
)  # fmt: skip
_READ = {"none", "RLE", "ZIPS", "ZIP"}
_MOST_PIXELS = 2**28
_DENSEST = 1032  # bytes that a byte of deflate holds at most


def read_exr(content: bytes) -> NDArray[Any]:
    """The numbers (H, W) of the content of a file: half and float as floating, whole as whole.

    Raises:
        ValueError: it is damaged, has several channels, or is of a kind that is not read.
        struct.error, zlib.error: it is damaged.
    """
    attributes, position = _header(content)
    channel, kind = _channel(attributes["channels"])
    code = attributes["compression"][0]
    if code >= len(_COMPRESSIONS):
        raise ValueError(f"the compression {code} of the OpenEXR map is not known")
    name, lines = _COMPRESSIONS[code]
    if name not in _READ:
        raise ValueError(f"its OpenEXR compression is {name}: save it with ZIP, or as .npy")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    size = np.dtype(kind).itemsize
    if not 0 < width * height <= min(_MOST_PIXELS, _DENSEST * len(content)) or min(width, 1) < 1:
        raise ValueError(f"the OpenEXR map claims {width}x{height} pixels")
    values = np.zeros((height, width), kind)
    blocks = -(-height // lines)
    for offset in struct.unpack_from(f"<{blocks}Q", content, position):
        line, stored = struct.unpack_from("<2i", content, offset)
        row = line - top
        if not 0 <= row < height or stored < 0 or offset + 8 + stored > len(content):
            raise ValueError(f"the OpenEXR map is cut off or damaged in {channel}")
        rows = min(lines, height - row)
        raw = _unpacked(content[offset + 8 : offset + 8 + stored], name, rows * width * size)
        values[row : row + rows] = np.frombuffer(raw, kind).reshape(rows, width)
    return values


def _header(content: bytes) -> tuple[dict[str, bytes], int]:
    """The attributes by name, and where the table of offsets begins."""
    (flags,) = struct.unpack_from("<I", content, 4)
    if flags & (_TILED | _DEEP | _PARTS):
        raise ValueError("it is OpenEXR of tiles, deep pixels or several parts: save scan lines")
    attributes: dict[str, bytes] = {}
    position = 8
    while content[position : position + 1] != b"\0":
        name, position = _text(content, position)
        _, position = _text(content, position)
        (size,) = struct.unpack_from("<i", content, position)
        if size < 0 or position + 4 + size > len(content):
            raise ValueError("the header of the OpenEXR map is cut off or damaged")
        attributes[name] = content[position + 4 : position + 4 + size]
        position += 4 + size
    for name, least in (("channels", 1), ("compression", 1), ("dataWindow", 16)):
        if len(attributes.get(name, b"")) < least:
            raise ValueError(f"the header of the OpenEXR map lacks {name}")
    return attributes, position + 1


def _text(content: bytes, position: int) -> tuple[str, int]:
    end = content.find(b"\0", position, position + 256)
    if end < 0:
        raise ValueError("the header of the OpenEXR map is cut off or damaged")
    return content[position:end].decode("latin-1"), end + 1


def _channel(listed: bytes) -> tuple[str, str]:
    """Name and kind of the only channel."""
    channels, position = [], 0
    while listed[position : position + 1] not in (b"\0", b""):
        name, position = _text(listed, position)
        code, _, *sampling = struct.unpack_from("<iIii", listed, position)
        channels.append((name, code, sampling))
        position += 16
    if len(channels) != 1:
        names = ", ".join(name for name, _, _ in channels)
        raise ValueError(f"the OpenEXR map has {len(channels)} channels ({names}), not one")
    name, code, sampling = channels[0]
    if code not in _KINDS or sampling != [1, 1]:
        raise ValueError(f"the channel {name} of the OpenEXR map is of an unknown kind")
    return name, _KINDS[code]


def _unpacked(stored: bytes, name: str, size: int) -> bytes:
    """The bytes of a block; one that compression would enlarge is stored as it is."""
    if name == "none" or len(stored) == size:
        raw = stored
    else:
        packed = _unrolled(stored, size) if name == "RLE" else _inflated(stored, size)
        # A byte is stored as its difference to the one before, and bytes of even place come first.
        steps = np.frombuffer(packed, np.uint8).astype(np.int64)
        steps[1:] -= 128
        parts = (np.cumsum(steps) % 256).astype(np.uint8)
        woven = np.empty(len(parts), np.uint8)
        half = (len(parts) + 1) // 2
        woven[0::2], woven[1::2] = parts[:half], parts[half:]
        raw = woven.tobytes()
    if len(raw) != size:
        raise ValueError("a block of the OpenEXR map is cut off or damaged")
    return raw


def _inflated(stored: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(stored, size + 1)


def _unrolled(stored: bytes, size: int) -> bytes:
    unrolled, position = bytearray(), 0
    while position < len(stored) and len(unrolled) <= size:
        count = stored[position] - 256 if stored[position] > 127 else stored[position]
        if count < 0:
            unrolled += stored[position + 1 : position + 1 - count]
            position += 1 - count
        else:
            unrolled += stored[position + 1 : position + 2] * (count + 1)
            position += 2
    return bytes(unrolled)
