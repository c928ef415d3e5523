"""What is written: samples, parts, and a production that was interrupted."""

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from miniature_level import Box, Room, write_game
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.sample import Members
from levels.assets import GAMES
from levels.camera import Camera
from levels.cliques import Cliques, draw_cliques
from levels.parts import Part
from levels.produce import Order, draw_parts, mixed, part_path
from levels.render import Renderer
from levels.sampler import Limits, Pair
from levels.samples import Storage, encode

TOOLS = Path(__file__).parents[2] / "tools"
ORDER = Order(
    levels=("nexuiz/one", "nexuiz/two"),
    split="train",
    pairs=5,
    size=48,
    seed=7,
    storage=Storage(picture="png"),
)


@pytest.fixture
def assets(tmp_path: Path, opengl: None) -> Path:
    """A cache with a game of two levels."""
    cache = tmp_path / "assets"
    archive = cache / GAMES["nexuiz"].data / "data.pk3"
    write_game(archive, Room(), levels=("one", "two"))
    return cache


def draw(order: Order, folder: Path, cache: Path) -> list[str]:
    said: list[str] = []
    draw_parts(order, folder, cache, jobs=2, say=said.append)
    return said


def lift(members: Members, view: int) -> np.ndarray:
    """(N, 3) the points of one view of a sample, in the frame of its first camera."""
    numbers = np.frombuffer(members["cam.bin"], "<f4").astype(float)
    intrinsics = numbers[9 * (view - 1) : 9 * view].reshape(3, 3)
    depth = np.asarray(Image.open(io.BytesIO(members[f"{view}.depth.png"]))) * numbers[33 + view]
    rows, columns = np.nonzero(depth)
    pixels = np.stack([columns, rows, np.ones(len(rows))])
    points = np.linalg.inv(intrinsics) @ pixels * depth[rows, columns]
    if view == 2:
        pose = numbers[18:34].reshape(4, 4)
        points = pose[:3, :3] @ points + pose[:3, 3:]
    return points.T


def test_a_sample_holds_what_a_shard_needs_and_its_views_agree(
    assets: Path, tmp_path: Path
) -> None:
    draw(ORDER, tmp_path / "parts", assets)
    samples = list(mixed(ORDER, tmp_path / "parts"))
    assert len(samples) == 5
    for members in samples:
        names = ["1.png", "2.png", "1.depth.png", "2.depth.png", "cam.bin", "json"]
        assert list(members) == names
        assert len(members["cam.bin"]) == 36 * 4
        about = json.loads(members["json"])
        assert about["scene"] in ORDER.levels and about["split"] == "train"
        assert about["licence"] == "GPL-2.0-or-later" and 0.2 <= about["covisibility"] <= 0.95
        assert Image.open(io.BytesIO(members["1.png"])).size == (48, 48)
        first, second = lift(members, 1), lift(members, 2)
        nearest = np.linalg.norm(first[:, None] - second[None, ::7], axis=2).min(axis=0)
        assert np.mean(nearest < 0.15) > 0.2


def test_levels_share_the_pairs_and_are_mixed(assets: Path, tmp_path: Path) -> None:
    order = replace(ORDER, pairs=12)
    draw(order, tmp_path / "parts", assets)
    scenes = [json.loads(members["json"])["scene"] for members in mixed(order, tmp_path / "parts")]
    assert scenes.count("nexuiz/one") == 6
    assert scenes != sorted(scenes)


def test_what_was_finished_before_an_interruption_is_kept(assets: Path, tmp_path: Path) -> None:
    """A part without an index is one that was being written when the process died."""
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    draw(ORDER, whole, assets)
    draw(ORDER, torn, assets)
    lost = part_path(torn, "nexuiz/two")
    lost.with_suffix(".json").unlink()
    lost.write_bytes(b"half a sample")
    said = draw(ORDER, torn, assets)
    assert len(said) == 1 and "2/2 nexuiz/two" in said[0]
    assert list(mixed(ORDER, torn)) == list(mixed(ORDER, whole))


def test_parts_of_another_order_are_not_mixed_in(assets: Path, tmp_path: Path) -> None:
    draw(ORDER, tmp_path / "parts", assets)
    with pytest.raises(DustError, match="unfinished parts of another order"):
        draw(replace(ORDER, seed=8), tmp_path / "parts", assets)


def test_a_level_that_cannot_be_drawn_stops_the_production(assets: Path, tmp_path: Path) -> None:
    order = replace(ORDER, levels=("nexuiz/one", "nexuiz/three"))
    with pytest.raises(DustError, match=r"maps/three\.bsp"):
        draw(order, tmp_path / "parts", assets)


def test_another_seed_draws_other_pairs(assets: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        draw(replace(ORDER, seed=seed, pairs=2), tmp_path / str(seed), assets)
    first, second = (
        Part(part_path(tmp_path / str(seed), "nexuiz/one")).read(0)["1.png"] for seed in (1, 2)
    )
    assert first != second


def test_depth_too_far_for_sixteen_bits_is_unknown(tmp_path: Path, opengl: None) -> None:
    """A hall of 90 m, seen along its length."""
    hall = Room(inside=Box((-1500.0, -120.0, 0.0), (1500.0, 120.0, 120.0)), pillars=())
    camera = Camera.at(np.array([-44.0, 0.0, 1.8]), yaw=0.0, pitch=0.0, fov_deg=60.0)
    with Renderer(write_game(tmp_path / "a.pk3", hall).scene()) as renderer:
        view = renderer.render(camera, 64)
    assert view.depth.max() > 80
    members = encode(
        Pair.of(view, view), Storage(), gain=1.0, scene="a/b", names=["1", "2"], split="train"
    )
    depth = np.asarray(Image.open(io.BytesIO(members["1.depth.png"])))
    far = view.depth > 65.5
    assert far.any() and (depth[far] == 0).all()
    assert np.abs(depth[~far] - 1000 * view.depth[~far]).max() <= 0.51


def test_coarse_depth_is_within_half_a_step(assets: Path, tmp_path: Path) -> None:
    depths = []
    for name, unit in (("fine", 0.001), ("coarse", 0.02)):
        order = replace(ORDER, pairs=1, storage=Storage(depth_unit_m=unit))
        draw(order, tmp_path / name, assets)
        members = Part(part_path(tmp_path / name, "nexuiz/one")).read(0)
        assert "1.jpg" in members
        depth = np.asarray(Image.open(io.BytesIO(members["1.depth.png"])))
        depths.append(depth * np.frombuffer(members["cam.bin"], "<f4")[34])
    assert np.abs(depths[0] - depths[1]).max() <= 0.0106


def test_a_clique_gives_every_pair_of_its_views_once(assets: Path) -> None:
    order = Cliques(
        levels=("nexuiz/two",),
        split="evaluation",
        views=4,
        size=64,
        seed=1,
        storage=Storage(picture="png"),
        limits=Limits(least=0.25, most=0.9),
    )
    samples = list(draw_cliques(order, assets))
    about = [json.loads(members["json"]) for members in samples]
    views = [f"nexuiz/two/1-view{number}" for number in range(4)]
    assert [tuple(a["images"]) for a in about] == list(combinations(views, 2))
    assert all(a["covisibility"] >= 0.25 for a in about)
    # An image is the same in all of its pairs.
    assert samples[0]["1.png"] == samples[1]["1.png"]
    assert samples[0]["2.png"] == samples[3]["1.png"]


def test_the_command_killed_in_the_middle_makes_the_same_set_when_repeated(
    assets: Path, tmp_path: Path
) -> None:
    def command(out: Path) -> list[str]:
        options = ["--pairs", "40", "--size", "64", "--shard", "16", "--cache", str(assets)]
        return [sys.executable, "-m", "levels", "render", str(out), *options]

    environment = os.environ | {"PYTHONPATH": str(TOOLS)}
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    subprocess.run(command(whole), env=environment, check=True, capture_output=True)

    running = subprocess.Popen(
        command(torn), env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stdout is not None and running.stdout.readline().startswith("1/2 ")
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (torn / "manifest.json").exists()
    again = subprocess.run(
        command(torn), env=environment, check=True, capture_output=True, text=True
    )
    assert again.stdout.splitlines()[0].startswith("2/2 ")
    assert read_manifest(torn) == read_manifest(whole)
    assert [shard.pairs for shard in read_manifest(torn).shards] == [16, 16, 8]
    assert not (torn / ".parts").exists()

    refused = subprocess.run(command(torn), env=environment, capture_output=True, text=True)
    assert refused.returncode == 2 and "holds a finished set" in refused.stderr
