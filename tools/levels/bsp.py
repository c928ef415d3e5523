"""Levels of the Quake 3 engine (IBSP 46 and 47): surfaces, lightmaps, entities, space.

The layout of the file is that of the engine, published by its makers under the GPL; see also
"Unofficial Quake 3 Map Specs" (K. Proudfoot, 2000).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from levels.archive import Archives
from levels.patches import tessellate
from levels.space import Space, build_space

VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("uv", "<f4", 2),
        ("lightmap_uv", "<f4", 2),
        ("normal", "<f4", 3),
        ("colour", "u1", 4),
    ]
)
FACE = np.dtype(
    [
        ("texture", "<i4"),
        ("effect", "<i4"),
        ("kind", "<i4"),
        ("first_vertex", "<i4"),
        ("vertices", "<i4"),
        ("first_index", "<i4"),
        ("indices", "<i4"),
        ("lightmap", "<i4"),
        ("lightmap_place", "<i4", 4),
        ("lightmap_frame", "<f4", 9),
        ("normal", "<f4", 3),
        ("patch_size", "<i4", 2),
    ]
)
PLANE = np.dtype([("normal", "<f4", 3), ("distance", "<f4")])
NODE = np.dtype([("plane", "<i4"), ("children", "<i4", 2), ("box", "<i4", 6)])
LEAF = np.dtype(
    [
        ("cluster", "<i4"),
        ("area", "<i4"),
        ("box", "<i4", 6),
        ("first_face", "<i4"),
        ("faces", "<i4"),
        ("brushes", "<i4", 2),
    ]
)
MODEL = np.dtype(
    [("box", "<f4", 6), ("first_face", "<i4"), ("faces", "<i4"), ("brushes", "<i4", 2)]
)
TEXTURE = np.dtype([("name", "S64"), ("flags", "<i4"), ("contents", "<i4")])

_LIGHTMAP_SIDE = 128


class Lump(IntEnum):
    """The tables of the file, by their place in its directory."""

    ENTITIES = 0
    TEXTURES = 1
    PLANES = 2
    NODES = 3
    LEAVES = 4
    LEAF_FACES = 5
    MODELS = 7
    VERTICES = 10
    INDICES = 11
    FACES = 13
    LIGHTMAPS = 14
    VISIBILITY = 16


LUMPS = 17


class Kind(IntEnum):
    """What a face is."""

    POLYGON = 1
    PATCH = 2
    MESH = 3


@dataclass(frozen=True)
class Surface:
    """One face as triangles whose front side is counter-clockwise.

    Attributes:
        face: its number in the level.
        texture: the name of its surface, lower case.
        lightmap: index of its page of lightmaps; negative where its vertices carry the light.
        vertices: (V,) records of `VERTEX`, positions in units of the level.
        triangles: (T, 3) indices into `vertices`.
    """

    face: int
    texture: str
    lightmap: int
    vertices: NDArray[np.void]
    triangles: NDArray[np.int32]


@dataclass(frozen=True)
class Level:
    """A level as it is stored.

    Attributes:
        lightmaps: (L, S, S, 3) uint8 pages; L may be 0.
        entities: the key-value lists of spawn points, items, lights, doors, ...
    """

    name: str
    surfaces: tuple[Surface, ...]
    lightmaps: NDArray[np.uint8]
    entities: tuple[dict[str, str], ...]
    space: Space


def read_level(archives: Archives, name: str) -> Level:
    """Read the level `name` of a game.

    Raises:
        DustError: there is no such level, it is of another format, or it is damaged.
    """
    where = f"maps/{name}.bsp"
    content = archives.read(where)
    try:
        return _parse(content, name, archives)
    except (ValueError, IndexError, KeyError) as error:
        raise DustError(
            f"cannot read the level: {error}",
            where=where,
            fix="omit the level, or delete the cache folder and fetch the assets again",
        ) from error


def _parse(content: bytes, name: str, archives: Archives) -> Level:
    magic, version = content[:4], int.from_bytes(content[4:8], "little")
    if magic != b"IBSP" or version not in (46, 47):
        raise ValueError(f"found {magic!r} version {version}, expected b'IBSP' version 46 or 47")
    directory = np.frombuffer(content, "<i4", 2 * LUMPS, 8).reshape(LUMPS, 2)
    if directory.min() < 0 or directory.sum(axis=1).max() > len(content):
        raise ValueError("its directory points beyond the end of the file")

    def table(lump: Lump, dtype: np.dtype[np.void] | str) -> NDArray[np.void]:
        offset, size = directory[lump]
        return np.frombuffer(content[offset : offset + size], dtype)

    entities = tuple(_entities(bytes(table(Lump.ENTITIES, "u1")).decode("latin-1")))
    faces, leaves = table(Lump.FACES, FACE), table(Lump.LEAVES, LEAF)
    in_leaves = np.asarray(table(Lump.LEAF_FACES, "<i4"), dtype=np.int32)
    surfaces = _surfaces(
        faces,
        table(Lump.VERTICES, VERTEX),
        np.asarray(table(Lump.INDICES, "<i4"), dtype=np.int32),
        _texture_names(table(Lump.TEXTURES, TEXTURE)),
        _moved_models(table(Lump.MODELS, MODEL), entities, len(faces)),
    )
    pages = np.asarray(table(Lump.LIGHTMAPS, "u1"), dtype=np.uint8)
    return Level(
        name=name,
        surfaces=tuple(surfaces),
        lightmaps=pages.reshape(-1, _LIGHTMAP_SIDE, _LIGHTMAP_SIDE, 3)
        if len(pages)
        else _external_lightmaps(archives, name),
        entities=entities,
        space=build_space(
            table(Lump.PLANES, PLANE),
            table(Lump.NODES, NODE),
            leaves,
            [in_leaves[leaf["first_face"] :][: leaf["faces"]] for leaf in leaves],
            len(faces),
            bytes(table(Lump.VISIBILITY, "u1")),
        ),
    )


def _texture_names(textures: NDArray[np.void]) -> list[str]:
    return [name.split(b"\0")[0].decode("latin-1").lower() for name in textures["name"]]


def _entities(text: str) -> Iterator[dict[str, str]]:
    for block in re.findall(r"\{([^}]*)\}", text):
        yield dict(re.findall(r'"([^"]*)"\s+"([^"]*)"', block))


def _moved_models(
    models: NDArray[np.void], entities: tuple[dict[str, str], ...], faces: int
) -> NDArray[np.float32]:
    """(faces, 3) how far each face is moved: parts with an origin are stored around it."""
    moved = np.zeros((faces, 3), dtype=np.float32)
    for entity in entities:
        model = entity.get("model", "")
        if model.startswith("*") and "origin" in entity:
            part = models[int(model[1:])]
            first = part["first_face"]
            moved[first : first + part["faces"]] = origin(entity)
    return moved


def origin(entity: dict[str, str]) -> NDArray[np.float32]:
    """(3,) the place of an entity, in units of the level.

    Raises:
        ValueError: its origin is not three numbers.
    """
    numbers = np.array(entity["origin"].split(), dtype=np.float32)
    if numbers.shape != (3,):
        raise ValueError(f"the origin '{entity['origin']}' is not three numbers")
    return numbers


def _surfaces(
    faces: NDArray[np.void],
    vertices: NDArray[np.void],
    indices: NDArray[np.int32],
    textures: list[str],
    moved: NDArray[np.float32],
) -> Iterator[Surface]:
    for number, (face, offset) in enumerate(zip(faces, moved, strict=True)):
        own = vertices[face["first_vertex"] : face["first_vertex"] + face["vertices"]]
        if face["kind"] in (Kind.POLYGON, Kind.MESH):
            first = face["first_index"]
            triangles = indices[first : first + face["indices"]].reshape(-1, 3)
        elif face["kind"] == Kind.PATCH:
            own, triangles = _patch(own, face["patch_size"])
        else:
            continue
        if len(triangles) == 0:
            continue
        if offset.any():
            own = own.copy()
            own["position"] += offset
        triangles = _front_side_out(own, triangles)
        yield Surface(number, textures[face["texture"]], int(face["lightmap"]), own, triangles)


def _patch(
    control: NDArray[np.void], size: NDArray[np.int32]
) -> tuple[NDArray[np.void], NDArray[np.int32]]:
    columns, rows = (int(side) for side in size)
    fields = ("position", "uv", "lightmap_uv", "normal", "colour")
    flat = np.concatenate([control[field].astype(np.float32) for field in fields], axis=1)
    grid, triangles = tessellate(flat.reshape(rows, columns, -1))
    cut = np.zeros(len(grid), dtype=VERTEX)
    start = 0
    for field in fields:
        width = control[field].shape[1]
        cut[field] = grid[:, start : start + width]
        start += width
    return cut, triangles


def _front_side_out(vertices: NDArray[np.void], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Reverse triangles whose winding contradicts the normals of their vertices."""
    a, b, c = (vertices["position"][triangles[:, corner]] for corner in range(3))
    normal = vertices["normal"][triangles[:, 0]]
    backward = np.einsum("tx,tx->t", np.cross(b - a, c - a), normal) < 0
    return np.where(backward[:, None], triangles[:, ::-1], triangles).astype(np.int32)


def _external_lightmaps(archives: Archives, name: str) -> NDArray[np.uint8]:
    """Lightmaps in picture files of the level, all of one size."""
    pages: list[NDArray[np.uint8]] = []
    while (picture := archives.picture(f"maps/{name}/lm_{len(pages):04d}.tga")) is not None:
        pages.append(np.asarray(picture.convert("RGB")))
    if not pages:
        return np.zeros((0, _LIGHTMAP_SIDE, _LIGHTMAP_SIDE, 3), dtype=np.uint8)
    return np.stack(pages)
