"""A level as a few batches of triangles, one a material, ready for a renderer."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from levels.archive import Archives
from levels.bsp import Level, Surface
from levels.shaders import PLAIN, Material, Shader, material
from levels.space import UNIT_M

VERTEX_FLOATS = 10
"""position 3 (metres), texture coordinates 2, lightmap coordinates 2 (negative: none), light 3."""

_LARGEST_PICTURE = 512
_GREY = (128, 128, 128, 255)
_SKY = (205, 215, 230, 255)


class Style(IntEnum):
    """How a batch is drawn; the numbers are those of the fragment program."""

    SOLID = 0
    CUT_OUT = 1
    SKY = 2


@dataclass(frozen=True)
class Batch:
    """All triangles of one material.

    Attributes:
        vertices: (V, VERTEX_FLOATS) float32.
        triangles: (T, 3) int32.
        faces: (T,) int32, the face of the level that a triangle belongs to.
        picture: (H, W, 4) uint8.
        two_sided: visible from behind too; otherwise a view of the back is from inside a wall.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    faces: NDArray[np.int32]
    picture: NDArray[np.uint8]
    style: Style
    two_sided: bool


@dataclass(frozen=True)
class Scene:
    """A level to be drawn.

    Attributes:
        lightmaps: (H, W, 3) uint8, all pages side by side.
        missing: names of surfaces whose picture no archive has; they are drawn grey.
    """

    name: str
    level: Level
    batches: tuple[Batch, ...]
    lightmaps: NDArray[np.uint8]
    missing: tuple[str, ...]


def build_scene(name: str, level: Level, shaders: dict[str, Shader], archives: Archives) -> Scene:
    """Gather the surfaces of `level` by material.

    Surfaces that the game does not draw are left out, and so are translucent ones and fog: a pixel
    of those has two depths.
    """
    sheet = _LightmapSheet(level.lightmaps)
    by_texture: dict[str, list[Surface]] = {}
    for surface in level.surfaces:
        by_texture.setdefault(surface.texture, []).append(surface)

    batches, missing = [], []
    for texture, surfaces in by_texture.items():
        shader = shaders.get(texture, PLAIN)
        if shader.is_invisible or (shader.is_translucent and not shader.is_sky):
            continue
        if _is_tool(texture) and not shader.stages:
            continue
        surfacing = material(texture, shader, archives)
        if surfacing.picture is None and not shader.is_sky:
            missing.append(texture)
        batches.append(_batch(surfaces, shader, surfacing, sheet))
    return Scene(name, level, tuple(batches), sheet.picture, tuple(missing))


def _is_tool(texture: str) -> bool:
    """Whether the name is one of the level editor's: clips, hints, triggers, backs of walls."""
    return texture == "noshader" or texture.startswith("textures/common/")


def _batch(
    surfaces: list[Surface], shader: Shader, surfacing: Material, sheet: "_LightmapSheet"
) -> Batch:
    vertices, triangles, faces, start = [], [], [], 0
    for surface in surfaces:
        own = np.empty((len(surface.vertices), VERTEX_FLOATS), dtype=np.float32)
        own[:, 0:3] = surface.vertices["position"] * UNIT_M
        own[:, 3:5] = surface.vertices["uv"] * np.array(surfacing.repeat, dtype=np.float32)
        own[:, 5:7] = sheet.coordinates(surface.vertices["lightmap_uv"], surface.lightmap)
        own[:, 7:10] = surface.vertices["colour"][:, :3] / np.float32(255)
        vertices.append(own)
        triangles.append(surface.triangles + start)
        faces.append(np.full(len(surface.triangles), surface.face, dtype=np.int32))
        start += len(own)
    if shader.is_sky:
        style = Style.SKY
    else:
        style = Style.CUT_OUT if surfacing.cut_out else Style.SOLID
    return Batch(
        np.concatenate(vertices),
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(faces),
        _pixels(surfacing.picture, _SKY if shader.is_sky else _GREY),
        style,
        shader.two_sided or surfacing.cut_out,
    )


def _pixels(picture: Image.Image | None, without: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    if picture is None:
        return np.full((4, 4, 4), without, dtype=np.uint8)
    shrink = min(1.0, _LARGEST_PICTURE / max(picture.size))
    if shrink < 1:
        width, height = (max(1, round(side * shrink)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture.convert("RGBA"))


class _LightmapSheet:
    """All pages of lightmaps in one picture, so that a batch needs one texture of light."""

    def __init__(self, pages: NDArray[np.uint8]) -> None:
        count, self._side = len(pages), pages.shape[1]
        self._columns = max(1, int(np.ceil(np.sqrt(count))))
        rows = max(1, -(-count // self._columns))
        self.picture = np.full(
            (rows * self._side, self._columns * self._side, 3), 128, dtype=np.uint8
        )
        for index, page in enumerate(pages):
            top, left = (self._side * part for part in divmod(index, self._columns))
            self.picture[top : top + self._side, left : left + self._side] = page
        self._count, self._rows = count, rows

    def coordinates(self, uv: NDArray[np.float32], page: int) -> NDArray[np.float32]:
        """(V, 2) coordinates in the sheet of coordinates in a page; -1 where there is no page.

        They keep half a pixel from the border of the page, beyond which another page begins.
        """
        if not 0 <= page < self._count:
            return np.full(uv.shape, -1.0, dtype=np.float32)
        row, column = divmod(page, self._columns)
        margin = 0.5 / self._side
        inside = np.clip(uv, margin, 1 - margin) + np.array([column, row], dtype=np.float32)
        return np.asarray(inside / (self._columns, self._rows), dtype=np.float32)
