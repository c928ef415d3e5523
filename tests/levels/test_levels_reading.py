"""What the reading side makes of archives, shader scripts and levels."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from miniature_level import Miniature, Room, level_bytes, picture_bytes, write_game

from dust_core.errors import DustError
from levels.archive import Archives
from levels.bsp import Lump, read_level
from levels.patches import tessellate
from levels.shaders import material, parse
from levels.space import UNIT_M

SCRIPT = """
// a comment { with a brace
textures/a/Wall
{
    qer_editorimage textures/a/wall_editor.tga
    cull none
    {
        map $lightmap
        rgbGen identity
    }
    {
        map "textures/a/wall.tga"
        blendFunc filter
        tcMod scale 2 0.5
    }
}
textures/a/grate {
    surfaceparm trans
    { map textures/a/grate.tga
      alphaFunc GE128 } }
textures/a/glass
{
    { map textures/a/glass.tga
      blendFunc add }
}
textures/a/sky
{
    skyparms - 512 -
    surfaceparm noimpact
}
textures/a/mist { surfaceparm fog }
textures/a/open
{
    surfaceparm nodraw
"""


def test_a_script_says_how_surfaces_look() -> None:
    shaders = dict(parse(SCRIPT))
    wall, grate = shaders["textures/a/wall"], shaders["textures/a/grate"]
    assert wall.two_sided and not wall.is_translucent
    assert wall.stages[1].repeat == (2.0, 0.5)
    assert wall.editor_picture == "textures/a/wall_editor.tga"
    assert grate.stages[0].cut_out and not grate.is_translucent
    assert shaders["textures/a/glass"].is_translucent
    assert shaders["textures/a/sky"].is_sky
    assert shaders["textures/a/mist"].is_invisible


def test_a_definition_that_is_never_closed_is_left_out() -> None:
    assert "textures/a/open" not in dict(parse(SCRIPT))


def test_a_surface_takes_the_first_picture_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "a.pk3"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("textures/a/wall.png", picture_bytes((10, 20, 30), 0))
        archive.writestr("textures/a/plain.jpg", b"no picture at all")
    archives, shaders = Archives([path]), dict(parse(SCRIPT))
    wall = material("textures/a/wall", shaders["textures/a/wall"], archives)
    assert wall.picture is not None and wall.picture.size == (64, 64)
    assert wall.repeat == (2.0, 0.5)
    assert material("textures/a/plain", shaders["textures/a/mist"], archives).picture is None


def test_a_later_archive_overrides_and_case_does_not_matter(tmp_path: Path) -> None:
    for name, content in (("a.pk3", b"old"), ("b.pk3", b"new")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("Maps/Here.bsp" if name == "a.pk3" else "maps/here.bsp", content)
    archives = Archives([tmp_path / "a.pk3", tmp_path / "b.pk3"])
    assert archives.levels() == ["here"]
    assert archives.read("MAPS/HERE.BSP") == b"new"


def test_an_archive_that_is_damaged_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pk3"
    broken.write_bytes(b"PK not really")
    with pytest.raises(DustError, match=r"broken\.pk3.*cannot open the archive"):
        Archives([broken])


def test_open_space_is_told_from_walls_and_the_outside(game: Miniature) -> None:
    level = read_level(game.archives(), "room")
    units = np.array(
        [
            (0.0, 0.0, 60.0),  # the middle of the room
            (75.0, -25.0, 60.0),  # inside a pillar
            (-90.0, 65.0, 30.0),  # inside the low pillar
            (-90.0, 65.0, 90.0),  # above it
            (0.0, 0.0, 500.0),  # above the ceiling
            (1e5, 0.0, 0.0),
        ]
    )
    expected = [True, False, False, True, False, False]
    assert [level.space.is_free(point) for point in units * UNIT_M] == expected


def test_every_triangle_shows_its_front_to_the_side_of_its_normal(game: Miniature) -> None:
    for surface in read_level(game.archives(), "room").surfaces:
        a, b, c = (surface.vertices["position"][surface.triangles[:, i]] for i in range(3))
        normal = surface.vertices["normal"][surface.triangles[:, 0]]
        assert ((np.cross(b - a, c - a) * normal).sum(axis=1) > 0).all()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"VBSP" + content[4:], "found b'VBSP' version 46"),
        (lambda content: content[:-100], "points beyond the end of the file"),
        (
            lambda content: (
                content[: 8 + 8 * Lump.FACES + 4]
                + struct.pack("<i", 7)
                + content[8 + 8 * Lump.FACES + 8 :]
            ),
            "cannot read the level",
        ),
    ],
)
def test_a_damaged_level_is_named(tmp_path: Path, damage: object, message: str) -> None:
    path = tmp_path / "a.pk3"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("maps/room.bsp", damage(level_bytes(Room())))  # type: ignore[operator]
    with pytest.raises(DustError, match=r"maps/room\.bsp") as caught:
        read_level(Archives([path]), "room")
    assert message in str(caught.value)


def test_a_surface_without_picture_is_drawn_and_reported(tmp_path: Path) -> None:
    room = Room(textures={"floor": "textures/room/lost"})
    scene = write_game(tmp_path / "a.pk3", room).scene()
    assert scene.missing == ("textures/room/lost",)
    assert sum(len(batch.triangles) for batch in scene.batches) == 2 * (6 + 3 * 5)


def test_what_the_game_does_not_draw_is_left_out(tmp_path: Path) -> None:
    room = Room(textures={"floor": "textures/common/clip", "north": "textures/room/glass"})
    script = "textures/room/glass { { map textures/room/north.png\n blendfunc add\n } }"
    scene = write_game(tmp_path / "a.pk3", room, script=script).scene()
    assert sum(len(batch.triangles) for batch in scene.batches) == 2 * (4 + 3 * 5)


def test_a_picture_is_repeated_as_its_script_says(tmp_path: Path) -> None:
    script = "textures/room/floor { { map textures/room/floor.png\n tcmod scale 3 2\n } }"
    plain = write_game(tmp_path / "a.pk3", Room(pillars=())).scene()
    scaled = write_game(tmp_path / "b.pk3", Room(pillars=()), script=script).scene()
    floors = [
        next(b.vertices[:, 3:5] for b in scene.batches if (b.vertices[:, 2] == 0).all())
        for scene in (plain, scaled)
    ]
    assert np.allclose(floors[1], floors[0] * [3, 2])


def test_a_patch_interpolates_its_control_points() -> None:
    y, x = np.mgrid[0:5, 0:3].astype(np.float32)
    control = np.stack([x, y, x * 0 + 7, 10 * x], axis=-1)
    vertices, triangles = tessellate(control, steps=4)
    assert np.allclose(vertices[:, 2], 7) and np.allclose(vertices[:, 3], 10 * vertices[:, 0])
    a, b, c = (vertices[triangles[:, i], :2] for i in range(3))
    doubled = np.abs(np.cross(np.pad(b - a, ((0, 0), (0, 1))), np.pad(c - a, ((0, 0), (0, 1)))))
    assert np.isclose(doubled.sum() / 2, 2 * 4)


def test_a_patch_bends_as_bezier_says() -> None:
    control = np.zeros((3, 3, 3), dtype=np.float32)
    control[:, :, 0] = [0, 1, 2]
    control[:, :, 1] = [[0], [1], [2]]
    control[:, 1, 2] = 1
    vertices, _ = tessellate(control, steps=2)
    middle = vertices[np.isclose(vertices[:, 0], 1)]
    assert np.allclose(middle[:, 2], 0.5)


def test_a_patch_of_even_size_is_refused() -> None:
    with pytest.raises(ValueError, match="4x3"):
        tessellate(np.zeros((4, 3, 10), dtype=np.float32))
