"""A miniature game made by the tests: one room with pillars, whose depth has a closed form."""

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from levels.archive import Archives
from levels.bsp import FACE, LEAF, MODEL, NODE, PLANE, TEXTURE, VERTEX, read_level
from levels.camera import Camera
from levels.scene import Scene, build_scene
from levels.shaders import read_scripts
from levels.space import UNIT_M

SIDES = ("west", "east", "south", "north", "floor", "ceiling")
COLOURS = {
    "west": (200, 40, 40),
    "east": (40, 200, 40),
    "south": (40, 40, 200),
    "north": (200, 200, 40),
    "floor": (120, 90, 60),
    "ceiling": (230, 230, 230),
    "pillar": (140, 60, 160),
}


@dataclass(frozen=True)
class Box:
    """An axis-aligned box, in units of the level."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]


@dataclass(frozen=True)
class Room:
    """What the miniature level holds; everything in units of the level."""

    inside: Box = Box((-160.0, -120.0, 0.0), (160.0, 120.0, 120.0))
    pillars: tuple[Box, ...] = (
        Box((60.0, -40.0, 0.0), (90.0, -10.0, 100.0)),
        Box((-100.0, 50.0, 0.0), (-80.0, 80.0, 60.0)),
        Box((-30.0, -90.0, 0.0), (0.0, -70.0, 90.0)),
    )
    spots: tuple[tuple[float, float, float], ...] = (
        (-130.0, -90.0, 10.0),
        (130.0, 90.0, 10.0),
        (-130.0, 90.0, 10.0),
        (130.0, -90.0, 10.0),
        (0.0, 0.0, 10.0),
    )
    without: tuple[str, ...] = ()
    textures: dict[str, str] = field(default_factory=dict)
    door_origin: tuple[float, float, float] | None = None
    """Makes the last pillar a part of its own, stored around this point."""
    dark_sides: tuple[str, ...] = ()
    """Lit by a second page of lightmaps, which is nearly black."""
    external_lightmaps: bool = False

    def depth(self, camera: Camera, size: int) -> NDArray[np.float64]:
        """(size, size) depth in metres of every pixel, by intersecting rays with boxes."""
        rows, columns = np.mgrid[0:size, 0:size]
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1)
        rays = pixels @ np.linalg.inv(camera.intrinsics(size)).T @ camera.cam_to_world[:3, :3].T
        with np.errstate(divide="ignore"):
            _, depth = _crossings(self.inside, camera.eye, rays)
            for pillar in self.pillars:
                enters, leaves = _crossings(pillar, camera.eye, rays)
                hit = (enters < leaves) & (enters > 0)
                depth = np.where(hit, np.minimum(depth, enters), depth)
        return depth


def _crossings(
    box: Box, eye: NDArray[np.float64], rays: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where rays enter and leave a box, in lengths of the ray."""
    low = (np.array(box.low) * UNIT_M - eye) / rays
    high = (np.array(box.high) * UNIT_M - eye) / rays
    return np.minimum(low, high).max(axis=-1), np.maximum(low, high).min(axis=-1)


def _quads(
    box: Box, inward: bool
) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
    """Side, (4, 3) corners and (3,) normal of each face of a box."""
    bounds = np.array([box.low, box.high], dtype=np.float32)
    for axis in range(3):
        for end in range(2):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            corners = np.empty((4, 3), dtype=np.float32)
            corners[:, axis] = bounds[end, axis]
            corners[:, u] = bounds[[0, 1, 1, 0], u]
            corners[:, v] = bounds[[0, 0, 1, 1], v]
            normal = np.zeros(3, dtype=np.float32)
            normal[axis] = (1 if end else -1) * (-1 if inward else 1)
            yield SIDES[2 * axis + end], corners, normal


def level_bytes(room: Room) -> bytes:
    """The room as a level file."""
    quads = [*_quads(room.inside, inward=True)]
    for pillar in room.pillars:
        # They stand on the floor: their undersides would fight with it for the same pixels.
        seen = [quad for quad in _quads(pillar, inward=False) if quad[0] != "floor"]
        quads += [("pillar", corners, normal) for _, corners, normal in seen]
    quads = [quad for quad in quads if quad[0] not in room.without]
    names = [room.textures.get(side, f"textures/room/{side}") for side, _, _ in quads]

    vertices = np.zeros(4 * len(quads), dtype=VERTEX)
    faces = np.zeros(len(quads), dtype=FACE)
    planes = np.zeros(len(quads), dtype=PLANE)
    textures = np.zeros(len(quads), dtype=TEXTURE)
    textures["name"] = [name.encode() for name in names]
    for index, (side, corners, normal) in enumerate(quads):
        own = vertices[4 * index : 4 * index + 4]
        is_door = room.door_origin is not None and index >= len(quads) - 5
        own["position"], own["normal"] = corners - (room.door_origin if is_door else 0), normal
        axes = np.flatnonzero(normal == 0)
        own["uv"] = corners[:, axes] / 64
        own["lightmap_uv"], own["colour"] = 0.5, 255
        faces[index]["texture"], faces[index]["kind"] = index, 1
        faces[index]["lightmap"] = side in room.dark_sides
        faces[index]["first_vertex"], faces[index]["vertices"] = 4 * index, 4
        faces[index]["indices"] = 6

    nodes, planes = _tree(room)
    leaves = np.zeros(2, dtype=LEAF)
    leaves["cluster"] = [-1, 0]
    leaves["box"][1] = [*map(int, room.inside.low), *map(int, room.inside.high)]
    models = np.zeros(2, dtype=MODEL)
    doors = 5 if room.door_origin else 0
    models["faces"] = [len(faces) - doors, doors]
    models["first_face"] = [0, len(faces) - doors]
    entities = '{ "classname" "worldspawn" }\n' + "".join(
        f'{{ "classname" "info_player_deathmatch" "origin" "{x} {y} {z}" }}\n'
        for x, y, z in room.spots
    )
    if room.door_origin:
        place = " ".join(map(str, room.door_origin))
        entities += f'{{ "classname" "func_door" "model" "*1" "origin" "{place}" }}\n'
    lumps = {
        0: entities.encode(),
        1: textures.tobytes(),
        2: planes.tobytes(),
        3: nodes.tobytes(),
        4: leaves.tobytes(),
        7: models.tobytes(),
        10: vertices.tobytes(),
        11: np.array([0, 1, 2, 0, 2, 3], dtype="<i4").tobytes(),
        13: faces.tobytes(),
        14: b"" if room.external_lightmaps else lightmaps(128).tobytes(),
    }
    header, body = b"IBSP" + struct.pack("<i", 46), b""
    for lump in range(17):
        content = lumps.get(lump, b"")
        header += struct.pack("<2i", 8 + 17 * 8 + len(body), len(content))
        body += content
    return header + body


def lightmaps(side: int) -> NDArray[np.uint8]:
    """Two pages, a white one and a nearly black one."""
    return np.stack([np.full((side, side, 3), light, dtype=np.uint8) for light in (255, 8)])


def _tree(room: Room) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Nodes and planes that divide the room: leaf 0 is solid, leaf 1 is open."""
    solid, open_space = -1, -2
    planes, children = [], []
    for _, corners, normal in _quads(room.inside, inward=True):
        planes.append((normal, corners[0] @ normal))
        children.append((len(planes), solid))
    for pillar in room.pillars:
        after = len(planes) + 6
        for _, corners, normal in _quads(pillar, inward=False):
            planes.append((normal, corners[0] @ normal))
            children.append((after, len(planes)))
        children[-1] = (after, solid)
    children = [
        tuple(open_space if child == len(planes) else child for child in pair) for pair in children
    ]
    nodes = np.zeros(len(planes), dtype=NODE)
    nodes["plane"], nodes["children"] = np.arange(len(planes)), children
    return nodes, np.array(planes, dtype=PLANE)


def picture_bytes(colour: tuple[int, int, int], seed: int) -> bytes:
    """A PNG of coarse noise around a colour, so that views of it have detail."""
    noise = np.random.default_rng(seed).integers(-40, 40, (16, 16, 1)).repeat(4, 0).repeat(4, 1)
    return _png(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


def grate() -> NDArray[np.uint8]:
    """A picture whose every other stripe is a hole."""
    stripes = np.full((64, 64, 4), 255, dtype=np.uint8)
    stripes[:, :, 3] = 255 * (np.arange(64) // 16 % 2)
    return stripes


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@dataclass(frozen=True)
class Miniature:
    """A game on disk with one level."""

    room: Room
    archive: Path

    def archives(self) -> Archives:
        """Its files."""
        return Archives([self.archive])

    def scene(self, level: str = "room") -> Scene:
        """Its level, ready to be drawn."""
        archives = self.archives()
        return build_scene(level, read_level(archives, level), read_scripts(archives), archives)


def write_game(
    archive: Path, room: Room, levels: tuple[str, ...] = ("room",), script: str = ""
) -> Miniature:
    """Write an archive that holds `room` once for each name in `levels`."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as members:
        for level in levels:
            members.writestr(f"maps/{level}.bsp", level_bytes(room))
        for seed, (side, colour) in enumerate(COLOURS.items()):
            members.writestr(f"textures/room/{side}.png", picture_bytes(colour, seed))
        members.writestr("textures/room/grate.png", _png(grate()))
        if room.external_lightmaps:
            for level, (page, light) in product(levels, enumerate(lightmaps(64))):
                members.writestr(f"maps/{level}/lm_{page:04d}.png", _png(light))
        members.writestr("scripts/room.shader", script)
    return Miniature(room, archive)
