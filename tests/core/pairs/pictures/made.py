"""Pictures of every kind, made from one truth."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 40
PRIMARIES = {
    "r": (0.4360, 0.2225, 0.0139),
    "g": (0.3851, 0.7169, 0.0971),
    "b": (0.1431, 0.0606, 0.7141),
}
"""Of sRGB, adapted to D50 as profiles have them."""


def truth() -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8, unlike itself however it is turned, black to white."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    red, green = columns * 255 // (WIDTH - 1), rows * 255 // (HEIGHT - 1)
    return np.stack([red, green, 255 - red // 2], -1).astype(np.uint8)


def tiff(values: np.ndarray, tags: dict[int, int] | None = None) -> bytes:
    """An uncompressed TIFF of (H, W, channels), whole numbers or floats, with further tags."""
    height, width, channels = values.shape
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    bits = 8 * values.dtype.itemsize
    kind = 3 if values.dtype.kind == "f" else 1
    entries = {256: width, 257: height, 259: 1, 262: 2 if channels > 2 else 1, 277: channels}
    entries |= {278: height, 279: len(data), 284: 1} | (tags or {})
    count = len(entries) + 3
    lists_at = 8 + 2 + 12 * count + 4
    entries[273] = lists_at + 4 * channels
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items()]
    for tag, value, offset in ((258, bits, 0), (339, kind, 2 * channels)):
        where = lists_at + offset if channels > 2 else value | (value << 16 if channels > 1 else 0)
        rows.append(struct.pack("<HHII", tag, 3, channels, where))
    rows.sort(key=lambda row: struct.unpack("<H", row[:2]))
    lists = struct.pack(f"<{2 * channels}H", *[bits] * channels, *[kind] * channels)
    return struct.pack("<2sHIH", b"II", 42, 8, count) + b"".join(rows) + bytes(4) + lists + data


def png(values: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG of (H, W, 1 ... 4), with further chunks before its pixels."""
    height, width, channels = values.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def orientation(value: int) -> bytes:
    """EXIF data with that orientation alone."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, value, 0, 0)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """A picture in a format of Pillow's."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def profile(red: str, green: str, blue: str, name: bytes = b"swapped") -> bytes:
    """An ICC profile of linear light whose channels have these of sRGB's primaries."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(65536 * number)) for number in numbers)

    white = (0.9642, 1.0, 0.8249)
    text = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags = {b"desc": text, b"wtpt": b"XYZ \0\0\0\0" + fixed(*white)}
    tags[b"cprt"] = b"text\0\0\0\0none\0"
    for channel, primary in zip("rgb", (red, green, blue), strict=True):
        tags[channel.encode() + b"XYZ"] = b"XYZ \0\0\0\0" + fixed(*PRIMARIES[primary])
        tags[channel.encode() + b"TRC"] = b"curv" + bytes(8)
    position, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", position + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = position + len(body)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(*white)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
