"""Levels packed to be drawn elsewhere: small, quick to load, and free of the games' archives.

A packed file is a zip of parts of levels: `GAME/MAP/about.json`, `geometry.xz` and `lightmaps.png`
for each level, and `pictures/KEY.jpg` or `.png`, stored once for all levels that use it.
"""

import hashlib
import io
import json
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dust_core.errors import DustError
from dust_core.files import atomic_path
from levels.apart import Progress
from levels.library import Library
from levels.scene import Batch, Scene, Style

POSITION_STEP_M = 0.0005
"""A step of stored positions; a unit of the level is a whole number of steps."""

_UV_STEPS = 4096
_LIGHTMAP_UV_STEPS = 65536
_JPEG_QUALITY = 92
# Positions 3, texture coordinates 2, lightmap coordinates 2 (negative: none), light 3, material.
_COLUMNS = 11

VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("uv", "<f4", 2),
        ("lightmap_uv", "<f4", 2),
        ("light", "u1", 3),
        ("two_sided", "u1"),
        ("layer", "<f4"),
    ]
)


@dataclass(frozen=True)
class PackedScene:
    """A level ready to be drawn whole.

    Attributes:
        vertices: (V,) records of `VERTEX`.
        triangles: (T, 3) int32, ordered by style.
        styles: how many triangles each style has, in the order of `Style`.
        pictures: (L, S, S, 4) uint8, one layer a material.
        lightmaps: (H, W, 3) uint8.
    """

    name: str
    vertices: NDArray[np.void]
    triangles: NDArray[np.int32]
    styles: tuple[int, ...]
    pictures: NDArray[np.uint8]
    lightmaps: NDArray[np.uint8]


def pack(
    library: Library, names: list[str], out: Path, *, part_bytes: int, texture: int, say: Progress
) -> None:
    """Pack levels into as many files `levels-N.zip` as needed.

    Args:
        part_bytes: no file is larger.
        texture: the largest side of a picture, pixels.
        say: called with a line for each level.

    Raises:
        DustError: `out` holds packed levels, or one level does not fit into a file.
    """
    if any(out.glob("levels-*.zip")):
        raise DustError("the folder holds packed levels", where=str(out), fix="name another folder")
    part: dict[str, bytes] = {}
    written = 0
    for name in names:
        level = members(library.scene(name), texture)
        if _size(part | level) > part_bytes and part:
            _write(out / f"levels-{written}.zip", part)
            part, written = {}, written + 1
        part |= level
        if _size(part) > part_bytes:
            raise DustError(
                f"'{name}' takes {_size(level) / 1e6:.1f} MB",
                fix="allow larger parts (--part-mb) or smaller pictures (--texture)",
            )
        say(f"{name}: {_size(level) / 1e6:.2f} MB, part {written} has {_size(part) / 1e6:.1f} MB")
    _write(out / f"levels-{written}.zip", part)


def members(scene: Scene, texture: int) -> dict[str, bytes]:
    """The files of a level by name."""
    batches = sorted(scene.batches, key=lambda batch: (batch.style, batch.two_sided))
    pictures = [_picture(batch, texture) for batch in batches]
    starts = np.cumsum([0, *(len(batch.vertices) for batch in batches)])
    triangles = np.concatenate(
        [batch.triangles + start for batch, start in zip(batches, starts[:-1], strict=True)]
    )
    about = {
        "vertices": int(starts[-1]),
        "triangles": len(triangles),
        "styles": [
            sum(len(batch.triangles) for batch in batches if batch.style == style)
            for style in Style
        ],
        "pictures": [name for name, _ in pictures],
        "two_sided": [int(batch.two_sided) for batch in batches],
    }
    columns = np.concatenate([_columns(batch, at) for at, batch in enumerate(batches)])
    return {
        f"{scene.name}/about.json": json.dumps(about).encode(),
        f"{scene.name}/geometry.xz": lzma.compress(_shuffled(columns) + _shuffled(triangles)),
        f"{scene.name}/lightmaps.png": _encoded(Image.fromarray(scene.lightmaps), "PNG"),
    } | dict(pictures)


class PackedLevels:
    """The packed levels of a folder, read one by one."""

    def __init__(self, folder: Path) -> None:
        """Find the levels in `folder`.

        Raises:
            DustError: there are none, or a file is damaged.
        """
        self.files = sorted(folder.glob("levels-*.zip"))
        if not self.files:
            raise DustError(
                "no packed levels", where=str(folder), fix="make them with `python -m levels pack`"
            )
        self._where = {name: file for file in self.files for name in _levels(file)}

    def triangles(self, name: str) -> int:
        """How many triangles a level has.

        Raises:
            DustError: it is not packed.
        """
        with zipfile.ZipFile(self._file(name)) as archive:
            return int(json.loads(archive.read(f"{name}/about.json"))["triangles"])

    def scene(self, name: str) -> PackedScene:
        """The level `name`, ready to be drawn.

        Raises:
            DustError: it is not packed.
        """
        with zipfile.ZipFile(self._file(name)) as archive:
            about = json.loads(archive.read(f"{name}/about.json"))
            lightmaps = np.asarray(_decoded(archive, f"{name}/lightmaps.png", "RGB"))
            pictures = _layers([_decoded(archive, key, "RGBA") for key in about["pictures"]])
            content = lzma.decompress(archive.read(f"{name}/geometry.xz"))
        split = about["vertices"] * _COLUMNS * 4
        columns = _unshuffled(content[:split], _COLUMNS)
        vertices = np.empty(len(columns), dtype=VERTEX)
        vertices["position"] = columns[:, 0:3] * POSITION_STEP_M
        vertices["uv"] = columns[:, 3:5] / _UV_STEPS
        vertices["lightmap_uv"] = columns[:, 5:7] / _LIGHTMAP_UV_STEPS
        vertices["light"] = columns[:, 7:10]
        vertices["two_sided"] = np.array(about["two_sided"], dtype=np.uint8)[columns[:, 10]]
        vertices["layer"] = columns[:, 10]
        triangles = _unshuffled(content[split:], 3)
        return PackedScene(name, vertices, triangles, tuple(about["styles"]), pictures, lightmaps)

    def _file(self, name: str) -> Path:
        if name not in self._where:
            raise DustError(
                f"'{name}' is not among the packed levels",
                where=str(self.files[0].parent),
                fix=f"pack it: `python -m levels pack OUT --level {name}`",
            )
        return self._where[name]


def _columns(batch: Batch, material: int) -> NDArray[np.int32]:
    """(V, _COLUMNS) the vertices of a batch in whole steps."""
    lit = batch.vertices[:, 5:6] >= 0
    steps = np.concatenate(
        [
            batch.vertices[:, 0:3].astype(np.float64) / POSITION_STEP_M,
            batch.vertices[:, 3:5].astype(np.float64) * _UV_STEPS,
            np.where(lit, batch.vertices[:, 5:7] * _LIGHTMAP_UV_STEPS, -1.0),
            batch.vertices[:, 7:10] * 255.0,
            np.full((len(batch.vertices), 1), material),
        ],
        axis=1,
    )
    return np.asarray(np.rint(steps), dtype=np.int32)


def _shuffled(table: NDArray[np.int32]) -> bytes:
    """Differences of rows, column by column and bytes of one weight together: they shrink well."""
    steps = np.diff(table.astype("<i4"), axis=0, prepend=np.zeros((1, table.shape[1]), "<i4"))
    zigzag = ((steps << 1) ^ (steps >> 31)).astype("<i4")
    planes = np.ascontiguousarray(zigzag.T).view(np.uint8).reshape(table.shape[1], -1, 4)
    return planes.transpose(0, 2, 1).tobytes()


def _unshuffled(content: bytes, columns: int) -> NDArray[np.int32]:
    planes = np.frombuffer(content, np.uint8).reshape(columns, 4, -1).transpose(0, 2, 1)
    zigzag = np.ascontiguousarray(planes).view("<u4")[..., 0]
    steps = (zigzag >> 1).astype(np.int32) ^ -(zigzag & 1).astype(np.int32)
    return np.ascontiguousarray(np.cumsum(steps, axis=1, dtype=np.int32).T)


def _picture(batch: Batch, largest: int) -> tuple[str, bytes]:
    picture = Image.fromarray(batch.picture)
    size = (min(largest, picture.width), min(largest, picture.height))
    if size != picture.size:
        picture = picture.resize(size, Image.Resampling.BOX)
    if batch.style == Style.CUT_OUT:
        content, suffix = _encoded(picture, "PNG"), "png"
    else:
        content, suffix = _encoded(picture.convert("RGB"), "JPEG"), "jpg"
    return f"pictures/{hashlib.sha256(content).hexdigest()[:20]}.{suffix}", content


def _layers(pictures: list[Image.Image]) -> NDArray[np.uint8]:
    """(L, S, S, 4) all pictures stretched to the largest side."""
    side = max(max(picture.size) for picture in pictures)
    return np.stack(
        [
            np.asarray(
                picture
                if picture.size == (side, side)
                else picture.resize((side, side), Image.Resampling.BILINEAR)
            )
            for picture in pictures
        ]
    )


def _encoded(picture: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    options: dict[str, Any] = (
        {"quality": _JPEG_QUALITY, "subsampling": 0} if kind == "JPEG" else {"compress_level": 9}
    )
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _decoded(archive: zipfile.ZipFile, name: str, mode: str) -> Image.Image:
    return Image.open(io.BytesIO(archive.read(name))).convert(mode)


def _levels(file: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith("/about.json"):
                    yield name.removesuffix("/about.json")
    except (OSError, zipfile.BadZipFile) as error:
        raise DustError(
            f"cannot read packed levels: {error}", where=str(file), fix="copy the file again"
        ) from error


def _size(part: dict[str, bytes]) -> int:
    """The bytes of a zip of `part`, with its directory."""
    return 22 + sum(len(content) + 2 * len(name) + 96 for name, content in part.items())


def _write(path: Path, part: dict[str, bytes]) -> None:
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in part.items():
            archive.writestr(zipfile.ZipInfo(name), content)
