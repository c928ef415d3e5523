"""What a user gets from a folder of photographs."""

import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.framing import Mode
from dust_core.pairs.importing.adapters.colmap import Colmap
from dust_core.pairs.pictures.chosen import find_photographs, left_out_lines
from dust_core.pairs.pictures.photographs import Shape, read_photograph, read_photographs
from dust_eval.scene.align import Scene
from dust_eval.scene.cloud import Cloud, cameras_json, fuse, glb_bytes, ply_bytes, usual_confidence
from dust_eval.scene.colmap import write_model
from dust_eval.scene.graph import Edge, hide_bars

SIDE = 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, size in enumerate([(64, 48), (40, 80)]):
        Image.new("RGB", size, (200, 100, 50 * number)).save(tmp_path / f"{number}.png")
    return tmp_path


def flat_scene(images: int, confidence: float = 5.0) -> Scene:
    shape = (images, SIDE, SIDE)
    return Scene(
        cam_to_world=np.tile(np.eye(4), (images, 1, 1)),
        focals=np.full(images, 40.0),
        depths=np.full(shape, 2.0),
        confidences=np.full(shape, confidence, np.float32),
        objective=0.0,
        rounds=1,
    )


def test_photographs_are_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (80, 40), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert read_photograph(tmp_path / "a.jpg", SIDE).size == (40, 80)


def test_unusable_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(DustError, match="0 photographs"):
        find_photographs([tmp_path])
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DustError, match="cannot read the picture"):
        read_photograph(tmp_path / "broken.jpg", SIDE)


def test_bars_are_neither_aligned_nor_shown(folder: Path) -> None:
    photographs = [
        read_photograph(p, SIDE, Mode.LETTERBOX) for p in find_photographs([folder]).paths
    ]
    shown = [photograph.shown() for photograph in photographs]
    assert shown[0].sum() == SIDE * 24
    edge = Edge(0, 1, np.zeros((2, SIDE, SIDE, 3)), np.full((2, SIDE, SIDE), 9.0))
    hidden = hide_bars([edge], shown)[0].confidences
    assert (hidden == np.where(np.stack(shown), 9.0, 1.0)).all()
    assert len(fuse(flat_scene(2), photographs, 3.0).points) == sum(s.sum() for s in shown)


def test_files_hold_the_same_points(folder: Path) -> None:
    photographs = [read_photograph(p, SIDE) for p in find_photographs([folder]).paths]
    cloud = fuse(flat_scene(2), photographs, 3.0)
    body = ply_bytes(cloud).split(b"end_header\n", 1)[1]
    first = np.frombuffer(body[:12], "<f4")
    np.testing.assert_allclose(first, [-15.5 / 40 * 2, -15.5 / 40 * 2, 2.0], rtol=1e-6)
    assert len(body) == 2 * SIDE * SIDE * 15
    glb = glb_bytes(cloud)
    magic, version, total, length = struct.unpack("<4sIII", glb[:16])
    assert (magic, version, total) == (b"glTF", 2, len(glb))
    document = json.loads(glb[20 : 20 + length])
    assert document["accessors"][0]["count"] == 2 * SIDE * SIDE
    np.testing.assert_allclose(
        np.frombuffer(glb[28 + length : 40 + length], "<f4"), first * [1, -1, -1]
    )


def test_colours_in_a_glb_are_linear() -> None:
    colours = np.array([[0, 1, 10], [128, 188, 255]], np.uint8)
    glb = glb_bytes(Cloud(np.zeros((2, 3), np.float32), colours))
    length = struct.unpack("<I", glb[12:16])[0]
    document = json.loads(glb[20 : 20 + length])
    accessor, view = document["accessors"][1], document["bufferViews"][1]
    assert (accessor["componentType"], accessor["normalized"]) == (5123, True)
    begin = 28 + length + view["byteOffset"]
    stored = np.frombuffer(glb[begin : begin + view["byteLength"]], "<u2").reshape(2, 4) / 65535
    # Of 8-bit sRGB values, by IEC 61966-2-1: half of the light is at 188.
    expected = [[0, 0.000304, 0.003035, 1], [0.215861, 0.502886, 1, 1]]
    np.testing.assert_allclose(stored, expected, atol=1e-5)


def test_a_folder_says_what_it_leaves_out(tmp_path: Path) -> None:
    for name in ("a.PNG", "b", "c.txt"):
        Image.new("RGB", (64, 48), (200, 100, 50)).save(tmp_path / name, "PNG")
    (tmp_path / "notes.png").write_text("no picture")
    (tmp_path / "d.jpg").write_bytes((tmp_path / "b").read_bytes()[:-30])
    (tmp_path / ".hidden.png").write_text("no picture")
    chosen = find_photographs([tmp_path])
    assert [path.name for path in chosen.paths] == ["a.PNG", "b", "c.txt", "d.jpg"]
    photographs, left_out = read_photographs(chosen, Shape(SIDE))
    assert [photograph.name for photograph in photographs] == ["a.PNG", "b", "c.txt"]
    assert left_out_lines(left_out) == [
        "left out, a text: notes.png",
        "left out, cannot read the picture: the PNG is cut off, or the length of a chunk is "
        "damaged: d.jpg",
    ]
    with pytest.raises(DustError, match="the PNG is cut off"):
        read_photographs(find_photographs([tmp_path]), Shape(SIDE), strict=True)
    for name in ("b", "c.txt"):
        (tmp_path / name).unlink()
    with pytest.raises(DustError, match=r"1 photograph, at least 2 are needed \(left out, a text"):
        read_photographs(find_photographs([tmp_path]), Shape(SIDE))


def test_cameras_are_those_of_the_photographs(folder: Path) -> None:
    photographs = [read_photograph(p, SIDE) for p in find_photographs([folder]).paths]
    scene = replace(flat_scene(2), not_located=(1,))
    first, second = json.loads(cameras_json(scene, photographs))["cameras"]
    assert (first["found_by_pnp"], second["found_by_pnp"]) == (True, False)
    np.testing.assert_allclose(first["K"], [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]], atol=1e-9)
    np.testing.assert_allclose(second["K"], [[50, 0, 19.5], [0, 50, 39.5], [0, 0, 1]], atol=1e-9)


def test_a_network_that_is_nowhere_sure_still_gives_its_surer_half(folder: Path) -> None:
    scene = flat_scene(2, confidence=1.0)
    scene.confidences[1] = 1.5
    assert usual_confidence(flat_scene(2).confidences) == 3.0
    photographs = [read_photograph(p, SIDE) for p in find_photographs([folder]).paths]
    assert len(fuse(scene, photographs, usual_confidence(scene.confidences)).points) == SIDE * SIDE
    scene.confidences[1, : SIDE // 2] = 1.2
    half = fuse(scene, photographs, usual_confidence(scene.confidences)).points
    assert len(half) == SIDE * SIDE // 2, "pixels that weigh nothing, as bars do, do not count"


def test_files_patterns_and_videos_are_sources(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        Image.new("RGB", (64, 48), (20 * number, 0, 0)).save(tmp_path / f"frame{number}.png")
    for sources in ([tmp_path], [tmp_path / "frame*.png"]):
        names = [path.name for path in find_photographs(sources).paths]
        assert names == ["frame1.png", "frame9.png", "frame10.png"]
    video = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(7):
        video.write(np.full((48, 64, 3), (0, 0, 30 * number), np.uint8))
    video.release()
    chosen = find_photographs([tmp_path / "a.avi"])
    photographs, _ = read_photographs(chosen, Shape(SIDE), every=3)
    assert [p.name for p in photographs] == ["a-000000", "a-000003", "a-000006"]
    reds = [int(np.median(p.square[..., 0])) for p in photographs]
    assert reds == pytest.approx([0, 90, 180], abs=4)
    with pytest.raises(DustError, match="no such folder, picture or video"):
        find_photographs([tmp_path / "nothing*.jpg"])


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_a_video_that_is_cut_off_is_one_message(
    tmp_path: Path, name: str, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
    for frame in np.random.default_rng(0).integers(0, 255, (20, 48, 64, 3), np.uint8):
        video.write(frame)
    video.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    chosen = find_photographs([path])
    if code == "mp4v":  # its table of frames is at the end
        with pytest.raises(DustError, match="no frame of the video can be read"):
            read_photographs(chosen, Shape(SIDE))
    else:
        photographs, left_out = read_photographs(chosen, Shape(SIDE))
        assert 2 < len(photographs) < 15, "those before the damage are kept"
        assert f"cut off or damaged: {len(photographs)} of 20 frames" in left_out[name]
        with pytest.raises(DustError, match="cut off or damaged"):
            read_photographs(chosen, Shape(SIDE), strict=True)
    assert capfd.readouterr() == ("", ""), "libraries say nothing of their own"


def test_libraries_say_nothing_of_damage_within_a_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    rng = np.random.default_rng(0)
    for frame in rng.integers(0, 255, (20, 48, 64, 3), np.uint8):
        video.write(frame)
    video.release()
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = rng.bytes(4000)
    path.write_bytes(content)
    code = (
        "import sys; from pathlib import Path\n"
        "from dust_core.pairs.pictures.video import read_video\n"
        "for name, _ in read_video(Path(sys.argv[1]), 1): print(name, flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    assert "a-000000" in done.stdout
    assert "mpeg4 @" not in done.stderr, "FFmpeg's own lines"


def test_a_model_for_colmap_has_the_cameras_and_points_of_the_scene(folder: Path) -> None:
    photographs = [read_photograph(p, SIDE) for p in find_photographs([folder]).paths]
    scene = flat_scene(2)
    scene.cam_to_world[1, :3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    scene.cam_to_world[1, :3, 3] = [1, 2, 3]
    write_model(folder / "out", scene, fuse(scene, photographs, 3.0), photographs)
    (recording,) = Colmap(depths="images").scenes(folder / "out")
    frames = recording.read().frames
    assert len(frames) == 2
    for number, frame in enumerate(frames):
        np.testing.assert_allclose(frame.cam_to_world, scene.cam_to_world[number], atol=1e-6)
        np.testing.assert_allclose(
            frame.camera.intrinsics, [[40, 0, 15.5], [0, 40, 15.5], [0, 0, 1]]
        )
        assert (read_photograph(frame.image, SIDE).square == photographs[number].square).all()
    model = pycolmap.Reconstruction(str(folder / "out" / "sparse" / "0"))
    assert (model.num_cameras(), model.num_points3D()) == (2, 2 * SIDE * SIDE)
    second = model.images[2].cam_from_world().inverse().matrix()
    np.testing.assert_allclose(second, scene.cam_to_world[1, :3], atol=1e-6)
    points = (folder / "out" / "sparse" / "0" / "points3D.txt").read_text().splitlines()[1:]
    assert len(points) == 2 * SIDE * SIDE
    np.testing.assert_allclose(
        [float(word) for word in points[0].split()[1:4]], [-0.775, -0.775, 2], atol=1e-6
    )


@pytest.mark.parametrize("name", ["frame-000001.depth.png", "depth_01.png", "01_Depth.tif"])
def test_depth_maps_beside_photographs_are_left_out(tmp_path: Path, name: str) -> None:
    for photograph in ("a.png", "b.png", "in_depth_report.jpg"):
        Image.new("RGB", (64, 48), (200, 100, 50)).save(tmp_path / photograph)
    Image.fromarray(np.full((48, 64), 1500, np.uint16)).save(tmp_path / name)
    for sources in ([tmp_path], [tmp_path / "*"]):
        chosen = find_photographs(sources)
        assert [path.name for path in chosen.paths] == ["a.png", "b.png", "in_depth_report.jpg"]
        assert chosen.left_out == {name: "a depth map by its name and its 16-bit greys"}
    named = find_photographs([tmp_path / "a.png", tmp_path / name])
    assert [path.name for path in named.paths] == ["a.png", name]
    (tmp_path / name).rename(tmp_path / "radiograph.png")
    assert not find_photographs([tmp_path]).left_out
