"""What is drawn, against an independent ray caster and against itself."""

from pathlib import Path

import numpy as np
import pytest
from miniature_level import COLOURS, Miniature, Room, write_game

from levels.camera import Camera, first_from_second
from levels.overlap import correspondences, covisibility
from levels.photo import expose, exposure, fault
from levels.render import Renderer

CAMERAS = [
    Camera.at(np.array([0.0, 1.0, 1.5]), yaw=0.3, pitch=-0.1, fov_deg=60.0),
    Camera.at(np.array([-3.5, -2.0, 0.5]), yaw=1.2, pitch=0.2, roll=0.3, fov_deg=85.0),
    Camera.at(np.array([3.5, 2.5, 3.0]), yaw=-2.2, pitch=-0.5, roll=-0.8, fov_deg=45.0),
]


def test_a_camera_looks_where_it_is_told_to() -> None:
    camera = Camera.at(np.array([1.0, 2.0, 3.0]), yaw=np.pi / 2, pitch=0.0, fov_deg=90.0)
    ahead, to_the_east, above = ([1, 5, 3, 1], [3, 2, 3, 1], [1, 2, 4, 1])
    assert np.allclose(camera.world_to_cam @ ahead, [0, 0, 3, 1])
    assert np.allclose(camera.world_to_cam @ to_the_east, [2, 0, 0, 1])
    assert np.allclose(camera.world_to_cam @ above, [0, -1, 0, 1])


def test_the_relative_pose_takes_points_of_the_second_camera_to_the_first() -> None:
    first, second, _ = CAMERAS
    point = np.array([0.2, -0.4, 2.0, 1.0])
    world = second.cam_to_world @ point
    assert np.allclose(first_from_second(first, second) @ point, first.world_to_cam @ world)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("size", [33, 128])
def test_depth_agrees_with_a_ray_caster(renderer: Renderer, camera: Camera, size: int) -> None:
    view = renderer.render(camera, size)
    expected = Room().depth(camera, size)
    error = np.abs(view.depth - expected)
    # At a silhouette the two may settle on different sides of an edge.
    assert np.mean(error > 1e-4) < 0.002
    assert np.median(error) < 1e-6
    assert view.void == 0 and view.inside_out < 0.001


def test_walls_stand_where_they_should(tmp_path: Path, opengl: None) -> None:
    """Looking north from the middle: west is left, the ceiling is up."""
    camera = Camera.at(np.array([0.0, 0.0, 1.8]), yaw=np.pi / 2, pitch=0.0, fov_deg=120.0)
    with Renderer(write_game(tmp_path / "a.pk3", Room(pillars=())).scene()) as renderer:
        colour = renderer.render(camera, 101).colour.astype(float)

    def hue(rows: slice, columns: slice) -> str:
        seen = colour[rows, columns].mean(axis=(0, 1))
        seen /= np.linalg.norm(seen)
        return max(COLOURS, key=lambda side: seen @ COLOURS[side] / np.linalg.norm(COLOURS[side]))

    middle, low, high = slice(45, 55), slice(0, 6), slice(95, 101)
    assert hue(middle, low) == "west"
    assert hue(middle, high) == "east"
    assert hue(middle, middle) == "north"
    assert hue(low, middle) == "ceiling"
    assert hue(high, middle) == "floor"


def test_the_sky_has_no_depth_and_is_no_hole(tmp_path: Path, opengl: None) -> None:
    room = Room(textures={"ceiling": "textures/room/heaven"})
    script = "textures/room/heaven { skyparms - 512 - }"
    camera = Camera.at(np.array([0.0, 0.0, 1.0]), yaw=0.0, pitch=1.2, fov_deg=60.0)
    with Renderer(write_game(tmp_path / "a.pk3", room, script=script).scene()) as renderer:
        view = renderer.render(camera, 64)
    overhead = Room().depth(camera, 64)
    ceiling_m = camera.cam_to_world[2, 2]
    assert (view.depth == 0).mean() > 0.5
    assert view.void == 0 and ceiling_m > 0 and overhead.min() > 0


def test_a_door_stands_where_its_origin_says(tmp_path: Path, opengl: None) -> None:
    room = Room(door_origin=(500.0, -300.0, 40.0))
    with Renderer(write_game(tmp_path / "a.pk3", room).scene()) as renderer:
        camera = Camera.at(np.array([0.0, 1.0, 1.5]), yaw=-1.7, pitch=0.0, fov_deg=60.0)
        error = np.abs(renderer.render(camera, 64).depth - room.depth(camera, 64))
    assert np.mean(error > 1e-4) < 0.002


def test_one_sees_through_the_holes_of_a_grate(tmp_path: Path, opengl: None) -> None:
    room = Room(textures={"pillar": "textures/room/grate"})
    script = "textures/room/grate { { map textures/room/grate.png\n alphafunc GE128\n } }"
    camera = Camera.at(np.array([0.0, -0.75, 1.0]), yaw=0.0, pitch=0.0, fov_deg=40.0)
    with Renderer(write_game(tmp_path / "a.pk3", room, script=script).scene()) as renderer:
        depth = renderer.render(camera, 64).depth
    pillar = room.depth(camera, 64) < 2.0
    through = depth[pillar] > 2.5
    assert 0.1 < through.mean() < 0.9


@pytest.mark.parametrize("external", [False, True])
def test_a_face_takes_its_light_from_its_page(tmp_path: Path, opengl: None, external: bool) -> None:
    room = Room(pillars=(), dark_sides=("floor",), external_lightmaps=external)
    with Renderer(write_game(tmp_path / "a.pk3", room).scene()) as renderer:
        camera = Camera.at(np.array([0.0, 0.0, 1.8]), yaw=0.0, pitch=0.0, fov_deg=120.0)
        colour = renderer.render(camera, 64).colour.astype(float)
    floor, ceiling = colour[-8:].mean(axis=(0, 1)), colour[:8].mean(axis=(0, 1))
    # Under equal light the ceiling's picture is a good two and a half times as bright.
    assert ceiling.mean() > 5 * floor.mean()


def test_a_hole_in_the_level_is_noticed(tmp_path: Path, opengl: None) -> None:
    scene = write_game(tmp_path / "a.pk3", Room(without=("east",))).scene()
    with Renderer(scene) as renderer:
        view = renderer.render(CAMERAS[0], 64)
    assert view.void > 0.1
    assert fault(view) == "it looks out of the level through a hole"


def test_a_view_from_inside_a_wall_is_noticed(renderer: Renderer) -> None:
    inside_pillar = Camera.at(np.array([2.25, -0.75, 1.0]), yaw=0.0, pitch=0.0, fov_deg=60.0)
    view = renderer.render(inside_pillar, 64)
    assert view.inside_out > 0.9 and not view.depth.any()
    assert "back of a wall" in fault(view)


def test_a_wall_in_the_face_is_noticed(renderer: Renderer) -> None:
    close = Camera.at(np.array([-4.0, 0.0, 1.0]), yaw=np.pi, pitch=0.0, fov_deg=60.0)
    assert fault(renderer.render(close, 64)) == "a wall in the face"
    across = Camera.at(np.array([-4.0, 0.0, 1.0]), yaw=0.0, pitch=0.0, fov_deg=60.0)
    assert fault(renderer.render(across, 64)) == ""


def test_bare_surfaces_are_noticed(tmp_path: Path, opengl: None) -> None:
    lost = dict.fromkeys(COLOURS, "textures/room/lost")
    with Renderer(write_game(tmp_path / "a.pk3", Room(textures=lost)).scene()) as renderer:
        assert fault(renderer.render(CAMERAS[0], 64)) == "bare or dark surfaces"


def test_a_view_of_mostly_sky_is_noticed(tmp_path: Path, opengl: None) -> None:
    sky = dict.fromkeys(("ceiling", "east", "north", "south"), "textures/room/heaven")
    script = "textures/room/heaven { skyparms - 512 - }"
    scene = write_game(tmp_path / "a.pk3", Room(textures=sky), script=script).scene()
    with Renderer(scene) as renderer:
        assert fault(renderer.render(CAMERAS[0], 64)) == "most of it is sky"


def test_a_flat_wall_alone_is_noticed(tmp_path: Path, opengl: None) -> None:
    with Renderer(write_game(tmp_path / "a.pk3", Room(pillars=())).scene()) as renderer:
        camera = Camera.at(np.array([0.0, -1.0, 1.8]), yaw=np.pi / 2, pitch=0.0, fov_deg=45.0)
        assert fault(renderer.render(camera, 64)) == "one flat wall"


def test_colours_agree_where_two_views_see_the_same_point(renderer: Renderer) -> None:
    first = renderer.render(CAMERAS[0], 256)
    moved = Camera.at(np.array([0.5, 1.3, 1.6]), yaw=0.2, pitch=-0.15, roll=0.1, fov_deg=70.0)
    second = renderer.render(moved, 256)
    here, there = correspondences(first, second, step=3)
    colour_here = first.colour[here[:, 0], here[:, 1]].astype(float)
    colour_there = second.colour[there[:, 0], there[:, 1]].astype(float)
    assert len(here) > 1000
    assert np.median(np.abs(colour_here - colour_there).mean(axis=1)) < 3.0


def test_covisibility_is_one_for_a_view_and_itself_and_zero_back_to_back(
    renderer: Renderer,
) -> None:
    view = renderer.render(CAMERAS[0], 64)
    back = Camera.at(CAMERAS[0].eye, yaw=0.3 + np.pi, pitch=0.1, fov_deg=60.0)
    # Less than one at the border of the picture, where rounding decides.
    assert covisibility(view, view) > 0.95
    assert covisibility(view, renderer.render(back, 64)) == 0.0


def test_covisibility_of_a_turn_is_what_geometry_says(tmp_path: Path, opengl: None) -> None:
    """A camera before a wide wall turned so far that half of its picture leaves the view."""
    with Renderer(write_game(tmp_path / "a.pk3", Room(pillars=())).scene()) as renderer:
        eye = np.array([0.0, 0.0, 1.8])
        straight = Camera.at(eye, yaw=0.0, pitch=0.0, fov_deg=60.0)
        turned = Camera.at(eye, yaw=np.radians(30.0), pitch=0.0, fov_deg=60.0)
        shared = covisibility(renderer.render(straight, 256), renderer.render(turned, 256))
    assert 0.42 < shared <= 0.5


def test_covisibility_is_the_smaller_share_of_the_two(tmp_path: Path, opengl: None) -> None:
    """All that a narrow view sees is in the wide one, of which it is a fifth."""
    with Renderer(write_game(tmp_path / "a.pk3", Room(pillars=())).scene()) as renderer:
        eye = np.array([0.0, 0.0, 1.8])
        wide, narrow = (
            renderer.render(Camera.at(eye, yaw=0.0, pitch=0.0, fov_deg=fov), 256)
            for fov in (85.0, 45.0)
        )
    fifth = (np.tan(np.radians(22.5)) / np.tan(np.radians(42.5))) ** 2
    assert np.isclose(covisibility(wide, narrow), fifth, atol=0.02)
    assert np.isclose(covisibility(narrow, wide), fifth, atol=0.02)


def test_exposure_is_one_for_all_views_and_makes_dark_ones_bright(renderer: Renderer) -> None:
    views = [renderer.render(camera, 64) for camera in CAMERAS]
    gain = exposure(views)
    bright = np.concatenate([expose(view.colour, gain)[view.depth > 0] for view in views])
    assert 0.75 * 255 < np.percentile(bright.mean(axis=1), 90) < 0.85 * 255
    assert expose(np.array([[200, 100, 0]], dtype=np.uint8), 2.0).tolist() == [[255, 200, 0]]


def test_the_same_camera_gives_the_same_picture_again(game: Miniature, opengl: None) -> None:
    with Renderer(game.scene()) as renderer_1, Renderer(game.scene()) as renderer_2:
        first, second = (r.render(CAMERAS[1], 96) for r in (renderer_1, renderer_2))
    assert (first.colour == second.colour).all() and (first.depth == second.depth).all()
