"""What `dust data import` says of bad input, and how it goes on after an interruption."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapter_room as room
import numpy as np
import pytest
from adapter_room import Miniature

from dust_core.cli import main
from dust_core.errors import DustError
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.reader import read_samples

Spoil = Callable[[Path], None]


def run(made: Miniature, into: Path, **options: Any) -> None:
    sizes = {"side": 48, "max_overlap": 1.0}
    import_(made.layout, made.source, into, **sizes | made.options | options)


def find(folder: Path, name: str) -> Path:
    return next(folder.rglob(name))


def remove(name: str) -> Spoil:
    return lambda folder: find(folder, name).unlink()


def cut(name: str, size: int) -> Spoil:
    return lambda folder: find(folder, name).write_bytes(find(folder, name).read_bytes()[:size])


def replace(name: str, old: str, new: str) -> Spoil:
    def spoil(folder: Path) -> None:
        path = find(folder, name)
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return spoil


def write(name: str, content: str) -> Spoil:
    return lambda folder: find(folder, name).write_text(content)


def scaled_pose(folder: Path) -> None:
    find(folder, "frame-000001.pose.txt").write_text(room.numbers(2 * room.camera(1)))


def nan_depth(folder: Path) -> None:
    depth = room.view(room.camera(2))[1]
    depth[3, 4:6] = np.nan
    np.save(find(folder, "2.npy"), depth)


def small_depth(folder: Path) -> None:
    room.save_depth(find(folder, "frame-000001.depth.png"), np.ones((10, 20)), 0.001)


def colour_for_depth(folder: Path) -> None:
    room.save_image(find(folder, "frame-000001.depth.png"), np.zeros((72, 96, 3), np.uint8))


def poses_turned_away(folder: Path) -> None:
    for n in range(room.COUNT):
        pose = room.camera(n)
        angle = 2.5 * n
        c, s = np.cos(angle), np.sin(angle)
        pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
        find(folder, f"frame-{n:06d}.pose.txt").write_text(room.numbers(pose))


def wrong_quaternion(folder: Path) -> None:
    lines = find(folder, "images.txt").read_text().split("\n")
    lines[3] = "2 0 0 0 0 1 2 3 7 left/1.png"
    find(folder, "images.txt").write_text("\n".join(lines))


def another_row_of_the_scene(folder: Path) -> None:
    path = folder / "frames.json"
    rows = json.loads(path.read_text())
    rows[2]["scene"] = "elsewhere"
    path.write_text(json.dumps(rows))


def a_misspelt_column(folder: Path) -> None:
    path = folder / "frames.json"
    path.write_text(path.read_text().replace('"mask"', '"maks"'))


def nothing_in_the_source(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize(
    ("make", "spoil", "place", "message"),
    [
        (room.seven_scenes, remove("frame-000001.depth.png"), "frame-000001.depth.png",
         "the depth is missing"),
        (room.seven_scenes, remove("frame-000003.pose.txt"), "frame-000003.pose.txt",
         "a pose is missing"),
        (room.seven_scenes, write("frame-000001.pose.txt", "nan " * 16), "frame-000001.pose.txt",
         "the pose holds NaN or infinity"),
        (room.seven_scenes, write("frame-000001.pose.txt", "1 2 3"), "frame-000001.pose.txt",
         "a pose has 16 numbers, this file 3"),
        (room.seven_scenes, write("frame-000001.pose.txt", "lost"), "frame-000001.pose.txt",
         "not a number: could not convert string to float: 'lost'"),
        (room.seven_scenes, scaled_pose, "frame-000001.pose.txt",
         "the pose is no rotation and translation"),
        (room.seven_scenes, cut("frame-000002.depth.png", 300), "frame-000002.depth.png",
         "the depth cannot be read"),
        (room.seven_scenes, cut("frame-000002.color.png", 2000), "frame-000002.color.png",
         "image cannot be read|cannot read the picture"),
        (room.seven_scenes, cut("frame-000002.color.png", 0), "frame-000002.color.png",
         "image cannot be read|cannot read the picture"),
        (room.seven_scenes, small_depth, "frame-000001.color.png",
         "the image is 96x72, its depth 20x10"),
        (room.seven_scenes, colour_for_depth, "frame-000001.depth.png",
         r"the depth has the shape \(72, 96, 3\)"),
        (room.seven_scenes, poses_turned_away, "7-scenes",
         "no two of 5 frames overlap by 25 to 100 % within 30 frames of one another; "
         r"the nearest: \d+ %"),
        (room.seven_scenes, nothing_in_the_source, "7-scenes",
         r"no folder in it holds frame-\*.color"),
        (room.manifest_json, nan_depth, "2.npy", "2 of 6912 depths are NaN"),
        (room.manifest_json, cut("1.npy", 200), "1.npy", "the depth cannot be read"),
        (room.manifest_json, remove("3.png"), "3.png", "the image is missing"),
        (room.manifest_json, remove("3.mask.png"), "3.mask.png", "the mask is missing"),
        (room.manifest_json, cut("frames.json", 900), "frames.json", "no manifest"),
        (room.manifest_json, a_misspelt_column, "frames.json: entry 0", "unknown column maks"),
        (room.manifest_json, another_row_of_the_scene, "frames.json: entry 3",
         "the scene room comes back"),
        (room.manifest_csv, replace("frames.csv", "room,1.png", "room,"), "frames.csv:3",
         "it lacks image|unknown column"),
        (room.manifest_csv, write("K.txt", "80 0 46 0 -82 36 0 0 1"), "frames.csv:2: K",
         "fy is negative .-82.: y points up"),
        (room.manifest_csv, write("K.txt", "80 0 46 0 0 36 0 0 1"), "frames.csv:2: K",
         "these are no intrinsics: 80 0 46 0 0"),
        (room.manifest_csv, write("1.pose.txt", "1 0 0"), "1.pose.txt", "16 numbers, this file 3"),
        (room.tum, remove("groundtruth.txt"), "groundtruth.txt", "the list of poses is missing"),
        (room.tum, write("groundtruth.txt", "1.0 0 0 nan 0 0 0 1"), "groundtruth.txt:1",
         "no pose: 1.0 0 0 nan"),
        (room.tum, write("groundtruth.txt", "1.0 0 0 0 0 0 0 1"), "room",
         "left out: 6 frames; for example: no poses within 0.02 s of the colour image"),
        (room.tum, write("depth.txt", "1305031102.006000"), "depth.txt:1", "no timestamp and file"),
        (room.tum, write("rgb.txt", "# nothing"), "rgb.txt", "it lists nothing"),
        (room.tum, remove("3.png"), "3.png", "is missing"),
        (room.colmap_text, replace("cameras.txt", "OPENCV", "FOV"), "cameras.txt:2",
         "the camera model FOV with 8 parameters is unknown"),
        (room.colmap_text, wrong_quaternion, "left/1.png", "the quaternion has the length 0"),
        (room.colmap_text, remove("2.png.geometric.bin"), "left/2.png", "the depth is missing"),
        (room.colmap_text, cut("2.png.geometric.bin", 999), "2.png.geometric.bin",
         "truncated or no COLMAP map"),
        (room.colmap_text, remove("images.txt"), "images.txt", "is missing"),
        (room.colmap_binary, cut("images.bin", 300), "images.bin", "truncated"),
        (room.colmap_binary, cut("cameras.bin", 20), "cameras.bin", "truncated"),
        (room.colmap_binary, remove("cameras.bin"), "dense", "there is no COLMAP model"),
        (room.middlebury, replace("calib.txt", "baseline", "bassline"), "calib.txt",
         "baseline must be 1 numbers, found 0"),
        (room.middlebury, remove("disp0.pfm"), "room", "there is no disparity"),
        (room.middlebury, cut("disp1.pfm", 1000), "disp1.pfm", "the disparity cannot be read"),
        (room.middlebury, remove("im1.png"), "im1.png", "the image is missing"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_error(
    make: Callable[[Path], Miniature], spoil: Spoil, place: str, message: str, tmp_path: Path
) -> None:
    made = make(tmp_path / "set")
    spoil(made.source if made.source.is_dir() else made.source.parent)
    with pytest.raises(DustError, match=message) as caught:
        run(made, tmp_path / "shards", strict=True)
    assert caught.value.where.endswith(place)
    assert caught.value.fix
    assert not (tmp_path / "shards" / "manifest.json").exists()


def test_the_command_says_it_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["data", "import", "tum", str(tmp_path / "nowhere"), str(tmp_path / "shards")])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {tmp_path / 'nowhere'}: there is no such folder")
    assert "Traceback" not in message
    assert not [*(tmp_path / "shards").glob("*")]


def test_the_command_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = room.tum(tmp_path / "set")
    words = ["--side", "48", "--intrinsics", "80,82,46.3,36.9", "--max-overlap", "1"]
    folder = str(tmp_path / "shards")
    with pytest.raises(SystemExit) as ended:
        main(["data", "import", "tum", str(made.source), folder, *words])
    assert not ended.value.code
    assert capsys.readouterr().out.startswith(
        f"{folder}: 7 pairs (frames: 5 of 6, scenes: 1, shards: 1)"
    )


@pytest.mark.parametrize(
    ("layout", "options", "message"),
    [
        ("scan-net", {}, "the layout scan-net is not known"),
        ("7-scenes", {"metres_per_unit": 2.0}, "the layout 7-scenes takes no --metres-per-unit"),
        ("7-scenes", {"intrinsics": "80,82,46"}, "these are no intrinsics: 80 82 46"),
        ("7-scenes", {"scene": ["office*"]}, r"no scene matches office\*"),
        ("7-scenes", {"min_overlap": 0.9, "max_overlap": 0.5}, "the bounds of overlap are"),
        ("tum", {}, "no folder in it holds rgb.txt"),
    ],
)
def test_options_that_do_not_fit(
    layout: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made = room.seven_scenes(tmp_path / "set")
    with pytest.raises(DustError, match=message):
        import_(layout, made.source, tmp_path / "shards", **options)


def test_only_the_scenes_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = room.seven_scenes(tmp_path / "set")
    for name in ("office", "stairs"):
        shutil.copytree(made.source / "room", made.source / name)
    poses_turned_away(made.source / "stairs")
    run(made, tmp_path / "shards", scene=["o*", "st*"], split="validation", licence="CC-BY-4.0")
    manifest = read_manifest(tmp_path / "shards")
    assert manifest.scenes == ("office",)
    assert (manifest.split, manifest.licence) == ("validation", "CC-BY-4.0")
    assert "no pair within the bounds in 1 scenes: stairs" in capsys.readouterr().err
    about = next(read_samples(tmp_path / "shards")).about
    assert (about["split"], about["licence"]) == ("validation", "CC-BY-4.0")
    assert about["source"] == "7-scenes: 7-scenes"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_import_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    made = room.seven_scenes(tmp_path / "set")
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    run(made, whole, pairs_per_shard=2)
    assert len(list(whole.glob("*.tar"))) >= 3

    picture = find(made.source, "frame-000001.color.png")  # in the second tar, not in the first
    kept = picture.read_bytes()
    picture.write_bytes(kept[:2000])  # its size can be read, its colours cannot
    with pytest.raises(DustError, match="cannot read the picture"):
        run(made, halted, pairs_per_shard=2, strict=True)
    picture.write_bytes(kept)
    finished = {path.name: path.stat().st_mtime_ns for path in halted.rglob("*.tar")}
    assert len(finished) == 1

    run(made, halted, pairs_per_shard=2)
    assert content(halted) == content(whole)
    assert {name: (halted / name).stat().st_mtime_ns for name in finished} == finished


def test_a_set_is_imported_anew_from_a_source_that_shrank(tmp_path: Path) -> None:
    made, into = room.seven_scenes(tmp_path / "set"), tmp_path / "shards"
    run(made, into, pairs_per_shard=2)
    for path in made.source.rglob("frame-00000[34].*"):
        path.unlink()
    run(made, into, pairs_per_shard=2)
    run(made, tmp_path / "fresh", pairs_per_shard=2)
    assert content(into) == content(tmp_path / "fresh")


def test_a_folder_of_other_shards_is_left_alone(tmp_path: Path) -> None:
    made = room.seven_scenes(tmp_path / "set")
    run(made, tmp_path / "shards")
    before = content(tmp_path / "shards")
    with pytest.raises(DustError, match=r"made with other options \(differing: selection, side\)"):
        run(made, tmp_path / "shards", side=64, seed=1)
    assert content(tmp_path / "shards") == before


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "a pipe"])
def test_a_request_that_cannot_be_read_is_said(text: str, tmp_path: Path) -> None:
    made, into = room.seven_scenes(tmp_path / "set"), tmp_path / "shards"
    run(made, into)
    path = into / "import.json"
    path.unlink()
    os.mkfifo(path) if text == "a pipe" else path.write_text(text)
    with pytest.raises(DustError, match=r"no import\.json that says what they are"):
        run(made, into)
