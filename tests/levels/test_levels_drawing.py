"""Sampled poses, packed levels, and the arrays drawn from both."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from miniature_level import Box, Room, write_game

from dust_core.errors import DustError
from dust_core.pairs.decoded import open_decoded
from levels.apart import PoseOrder, claim
from levels.assets import GAMES
from levels.camera import Camera, first_from_second
from levels.draw import DrawOrder, draw
from levels.drawer import Drawer
from levels.library import Library
from levels.overlap import covisibility
from levels.packing import PackedLevels, PackedScene, members, pack
from levels.photo import expose, exposure
from levels.poses import Poses, read_poses, sample, sample_level
from levels.render import Renderer
from levels.samples import LICENCE
from levels.scene import Scene

ORDER = PoseOrder(levels=("nexuiz/one", "nexuiz/two"), split="train", pairs=7, seed=3)
# A sky, a grate, a door, and a page of lightmaps that is nearly black.
ROOM = Room(
    textures={"ceiling": "textures/room/heaven", "pillar": "textures/room/grate"},
    door_origin=(500.0, -300.0, 40.0),
    dark_sides=("floor",),
)
SCRIPT = """
textures/room/heaven { skyparms - 512 -
  { map textures/room/west.png } }
textures/room/grate { { map textures/room/grate.png
  alphafunc GE128 } }
"""
CAMERAS = [
    Camera.at(np.array([0.0, -0.75, 1.0]), yaw=yaw, pitch=0.2, roll=0.1, fov_deg=70.0)
    for yaw in np.linspace(-np.pi, np.pi, 8)
]


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    """A cache with a game of two levels."""
    cache = tmp_path / "assets"
    levels = ("one", "two")
    write_game(cache / GAMES["nexuiz"].data / "data.pk3", ROOM, levels=levels, script=SCRIPT)
    return cache


def packed(assets: Path, folder: Path, texture: int = 64) -> PackedLevels:
    library, names = Library(assets), ["nexuiz/one", "nexuiz/two"]
    pack(library, names, folder, part_bytes=10**6, texture=texture, say=lambda _: None)
    return PackedLevels(folder)


def both(assets: Path, folder: Path) -> tuple[Scene, PackedScene]:
    return Library(assets).scene("nexuiz/one"), packed(assets, folder).scene("nexuiz/one")


def test_a_packed_level_looks_as_it_did(assets: Path, tmp_path: Path, opengl: None) -> None:
    scene, small = both(assets, tmp_path / "packed")
    with Renderer(scene) as renderer:
        views = [renderer.render(camera, 96) for camera in CAMERAS]
    with Drawer(small, 96) as drawer:
        colour, depth = drawer.draw(CAMERAS)
    for view, own_colour, own_depth in zip(views, colour, depth, strict=True):
        assert np.abs(view.colour.astype(int) - own_colour[..., :3]).mean() < 3.0
        known = (view.depth > 0) & (own_depth > 0)
        assert np.mean(np.abs(1000 * view.depth - own_depth)[known] < 2.0) > 0.99
        assert np.mean((view.depth > 0) != (own_depth > 0)) < 0.005
        assert ((own_colour[..., 3] == 255) == (own_depth > 0)).all()
    skies = [(view.depth == 0).mean() for view in views]
    assert max(skies) > 0.1


def test_positions_stay_within_a_millimetre(assets: Path, tmp_path: Path) -> None:
    scene, small = both(assets, tmp_path / "packed")
    batches = sorted(scene.batches, key=lambda batch: (batch.style, batch.two_sided))
    before = np.concatenate([batch.vertices[batch.triangles] for batch in batches])
    after = small.vertices[small.triangles]
    assert np.abs(before[..., :3] - after["position"]).max() < 0.001
    assert np.abs(before[..., 3:5] - after["uv"]).max() < 0.001
    assert np.abs(before[..., 5:7] - after["lightmap_uv"])[before[..., 5] >= 0].max() < 1e-4


def test_each_view_of_a_tall_picture_is_its_own(assets: Path, tmp_path: Path, opengl: None) -> None:
    """Nothing of a neighbour or of an earlier call remains in a view."""
    _, small = both(assets, tmp_path / "packed")
    with Drawer(small, 64) as drawer:
        many = [CAMERAS[number % 7] for number in range(drawer.views)]
        colour, depth = (pixels.copy() for pixels in drawer.draw(many))
        alone = [[p.copy() for p in drawer.draw([camera])] for camera in CAMERAS[:7]]
    for number in range(drawer.views):
        own_colour, own_depth = alone[number % 7]
        assert np.abs(colour[number].astype(int) - own_colour[0]).mean() < 1.0
        assert np.mean(np.abs(depth[number].astype(int) - own_depth[0]) < 2) > 0.99


def test_far_depth_is_unknown_and_still_decides_exposure(tmp_path: Path, opengl: None) -> None:
    hall = Room(inside=Box((-1500.0, -120.0, 0.0), (1500.0, 120.0, 120.0)), pillars=())
    camera = Camera.at(np.array([-44.0, 0.0, 1.8]), yaw=0.0, pitch=0.0, fov_deg=60.0)
    game = write_game(tmp_path / GAMES["nexuiz"].data / "data.pk3", hall, levels=("one", "two"))
    scene = game.scene("one")
    with Renderer(scene) as renderer:
        true = renderer.render(camera, 64).depth
    with Drawer(packed(tmp_path, tmp_path / "packed").scene("nexuiz/one"), 64) as drawer:
        colour, depth = drawer.draw([camera])
    far = true > 65.5
    assert far.any() and (depth[0][far] == 0).all() and (depth[0][true < 65.4] > 0).all()
    assert (colour[0, ..., 3] == 255).all()


def test_a_picture_is_stored_once_and_no_larger_than_asked(assets: Path, tmp_path: Path) -> None:
    first, second = (members(Library(assets).scene(f"nexuiz/{n}"), 32) for n in ("one", "two"))
    pictures = {name for name in first if name.startswith("pictures/")}
    assert pictures == {name for name in second if name.startswith("pictures/")}
    assert len([name for name in pictures if name.endswith(".png")]) == 1
    levels = packed(assets, tmp_path / "packed", texture=32)
    assert levels.scene("nexuiz/two").pictures.shape[1:] == (32, 32, 4)
    assert [file.name for file in levels.files] == ["levels-0.zip"]


def test_parts_stay_below_their_limit(assets: Path, tmp_path: Path) -> None:
    library = Library(assets)
    whole = sum(map(len, members(library.scene("nexuiz/one"), 64).values()))
    names, said = ["nexuiz/one", "nexuiz/two"], list[str]()
    limit = int(1.2 * whole) + 3000
    pack(library, names, tmp_path / "a", part_bytes=limit, texture=64, say=said.append)
    files = PackedLevels(tmp_path / "a").files
    assert all(file.stat().st_size <= limit for file in files) and len(said) == 2
    assert all(PackedLevels(tmp_path / "a").triangles(name) > 10 for name in names)
    with pytest.raises(DustError, match=r"'nexuiz/one' takes 0\.0 MB"):
        pack(library, names, tmp_path / "b", part_bytes=100, texture=64, say=said.append)
    with pytest.raises(DustError, match="holds packed levels"):
        pack(library, names, tmp_path / "a", part_bytes=limit, texture=64, say=said.append)


@pytest.fixture
def sampled(assets: Path, tmp_path: Path, opengl: None) -> Path:
    """The file of `ORDER`, sampled in one go."""
    sample(ORDER, tmp_path / "poses.npz", assets, jobs=2, say=lambda _: None)
    return tmp_path / "poses.npz"


def test_sampled_poses_are_pairs_that_overlap(assets: Path, sampled: Path) -> None:
    poses = read_poses(sampled)
    assert len(poses) == 7 and poses.levels == ORDER.levels and poses.split == "train"
    assert np.bincount(poses.level).tolist() == [4, 3]
    with Renderer(Library(assets).scene("nexuiz/one")) as renderer:
        for pair in np.flatnonzero(poses.level == 0):
            views = [renderer.render(camera, 96) for camera in poses.cameras(pair)]
            assert abs(covisibility(*views) - poses.covisibility[pair]) < 0.01
    assert (poses.covisibility >= 0.2).all() and (poses.covisibility <= 0.95).all()
    with pytest.raises(DustError, match="the file exists"):
        sample(ORDER, sampled, assets, jobs=2, say=lambda _: None)


def test_an_interrupted_sampling_goes_on_to_the_same_file(
    assets: Path, sampled: Path, tmp_path: Path
) -> None:
    folder, said = tmp_path / ".torn.npz.parts", list[str]()
    claim(folder, ORDER)
    sample_level(ORDER, folder, assets, "nexuiz/one")
    with pytest.raises(DustError, match="unfinished parts of another order"):
        sample(replace(ORDER, seed=4), tmp_path / "torn.npz", assets, jobs=1, say=said.append)
    sample(ORDER, tmp_path / "torn.npz", assets, jobs=1, say=said.append)
    assert len(said) == 1 and said[0].startswith("2/2 nexuiz/two: 3")
    assert (tmp_path / "torn.npz").read_bytes() == sampled.read_bytes()
    assert not folder.exists()


def ten_poses(path: Path) -> Poses:
    """Ten pairs, whose levels take turns."""
    views = np.array([camera.cam_to_world[:3] for camera in CAMERAS], dtype=np.float32)
    number = np.arange(10)
    poses = Poses(
        ORDER.levels,
        "train",
        (number % 2).astype(np.uint16),
        np.stack([views[number % 8], views[(number + 1) % 8]], axis=1),
        np.full((10, 2), 70.0, dtype=np.float32),
        np.full(10, 0.5, dtype=np.float32),
    )
    poses.write(path)
    return poses


def test_a_drawn_set_holds_each_pair_at_its_place(
    assets: Path, tmp_path: Path, opengl: None
) -> None:
    poses = ten_poses(tmp_path / "poses.npz")
    packed(assets, tmp_path / "parts")
    order = DrawOrder(
        poses=tmp_path / "poses.npz", parts=tmp_path / "parts", size=64, skip=3, pairs=6
    )
    draw(order, tmp_path / "set", jobs=2, say=lambda _: None)
    names = ("images", "depth", "intrinsics", "poses")
    images, depth, intrinsics, moved = (np.load(tmp_path / "set" / f"{n}.npy") for n in names)
    assert images.shape == (6, 2, 64, 64, 3) and images.dtype == np.uint8
    assert depth.shape == (6, 2, 64, 64) and depth.dtype == np.uint16
    with Renderer(Library(assets).scene("nexuiz/one")) as renderer:
        for place in range(6):
            first, second = poses.cameras(place + 3)
            views = [renderer.render(camera, 64) for camera in (first, second)]
            exposed = [expose(view.colour, exposure(views)) for view in views]
            assert np.abs(np.array(exposed, dtype=int) - images[place]).mean() < 5.0
            gap = np.abs(1000 * np.array([view.depth for view in views]) - depth[place])
            assert np.mean(gap < 2.0) > 0.98
            assert np.allclose(moved[place], first_from_second(first, second), atol=1e-6)
            assert np.allclose(intrinsics[place, 1], second.intrinsics(64), atol=1e-4)
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["pairs"], manifest["side"], manifest["split"]) == (6, 64, "train")
    assert manifest["scenes"] == ["nexuiz/one", "nexuiz/two"]
    assert manifest["depth_unit_m"] == 0.001 and manifest["licence"] == LICENCE
    assert sorted(manifest["made_of"]) == ["levels-0.zip", "poses.npz", "skip"]
    assert np.array_equal(open_decoded(tmp_path / "set").images, images)
    with pytest.raises(DustError, match="holds a finished set"):
        draw(order, tmp_path / "set", jobs=1, say=lambda _: None)


def test_workers_of_dask_draw_the_same_set(assets: Path, tmp_path: Path, opengl: None) -> None:
    ten_poses(tmp_path / "poses.npz")
    packed(assets, tmp_path / "parts")
    order = DrawOrder(poses=tmp_path / "poses.npz", parts=tmp_path / "parts", size=64)
    lines: list[str] = []
    draw(order, tmp_path / "here", jobs=1, say=lambda _: None)
    draw(order, tmp_path / "there", jobs=1, say=lines.append, on="local:2")
    assert len(lines) == 2 and lines[-1].startswith("10/10 nexuiz/")
    for file in sorted((tmp_path / "here").iterdir()):
        assert (tmp_path / "there" / file.name).read_bytes() == file.read_bytes()


def test_what_cannot_be_drawn_is_said_before_anything_is_written(
    assets: Path, tmp_path: Path
) -> None:
    ten_poses(tmp_path / "poses.npz")
    pack(Library(assets), ["nexuiz/one"], tmp_path / "p", part_bytes=10**6, texture=8, say=len)
    order = DrawOrder(poses=tmp_path / "poses.npz", parts=tmp_path / "p", size=64)
    for wrong, message in (
        (order, "'nexuiz/two' is not among the packed levels"),
        (replace(order, skip=8, pairs=3), "pairs 8 to 11 are asked for, and the file has 10"),
        (replace(order, parts=tmp_path), "no packed levels"),
        (replace(order, poses=tmp_path / "none.npz"), "cannot read the poses"),
    ):
        with pytest.raises(DustError, match=message):
            draw(wrong, tmp_path / "set", jobs=1, say=lambda _: None)
    assert not (tmp_path / "set").exists()
