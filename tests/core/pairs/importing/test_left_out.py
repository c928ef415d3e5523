"""What readers take, what they leave out, and what they say of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapter_room as room
import numpy as np
import pytest
from adapter_room import Miniature
from PIL import Image

from dust_core.errors import DustError
from dust_core.pairs.importing.adapters.seven_scenes import SevenScenes
from dust_core.pairs.importing.adapters.tum_cameras import RECORDERS
from dust_core.pairs.importing.choose import Selection
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.importing.importer import Settings, samples
from dust_core.pairs.importing.tally import Tally
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.reader import read_samples

Said = pytest.CaptureFixture[str]


def run(made: Miniature, into: Path, **options: Any) -> None:
    sizes = {"side": 48, "max_overlap": 1.0, "pairs_per_frame": 9, "picture": "png"}
    import_(made.layout, made.source, into, **sizes | made.options | options)


def images_in(folder: Path) -> set[str]:
    return {name for sample in read_samples(folder) for name in sample.about["images"]}


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def edited(folder: Path, name: str, edit: Callable[[str], str]) -> None:
    (path,) = folder.rglob(name)
    path.write_text(edit(path.read_text()))


def nan_pose(folder: Path) -> None:
    edited(folder, "frame-000002.pose.txt", lambda _: "nan " * 16)


def infinite_pose(folder: Path) -> None:
    edited(folder, "frame-000002.pose.txt", lambda _: "-inf " * 16)


def no_depth(folder: Path) -> None:
    next(folder.rglob("frame-000002.depth.png")).unlink()


def cut_depth(folder: Path) -> None:
    path = next(folder.rglob("frame-000002.depth.png"))
    path.write_bytes(path.read_bytes()[:200])


def no_colour(folder: Path) -> None:
    next(folder.rglob("frame-000002.color.png")).unlink()


def cut_colour(folder: Path) -> None:
    path = next(folder.rglob("frame-000002.color.png"))
    path.write_bytes(path.read_bytes()[:2000])


def unknown_depth(folder: Path) -> None:
    room.save_depth(next(folder.rglob("frame-000002.depth.png")), np.zeros((72, 96)), 1)


def eight_bits(folder: Path) -> None:
    room.save_image(next(folder.rglob("frame-000002.depth.png")), np.ones((72, 96), np.uint8))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (nan_pose, "the pose holds NaN or infinity"),
        (infinite_pose, "the pose holds NaN or infinity"),
        (no_depth, "the depth is missing"),
        (cut_depth, "the depth cannot be read"),
        (no_colour, "the image is missing"),
        (cut_colour, "cannot read the picture"),
        (unknown_depth, "no depth is known"),
        (eight_bits, "the depth has 8 bits"),
    ],
)
def test_one_lost_frame_is_left_out_and_named(
    spoil: Callable[[Path], None], reason: str, tmp_path: Path, capsys: Said
) -> None:
    made = room.seven_scenes(tmp_path / "set")
    spoil(made.source)
    run(made, tmp_path / "shards")
    assert images_in(tmp_path / "shards") == {f"seq-01/frame-00000{n}" for n in (0, 1, 3, 4)}
    said = capsys.readouterr().err
    assert "frames: 5 found, 4 used, 1 left out, 0 in no pair" in said
    assert f"left out, 1 frame: {reason}" in said
    assert "room: seq-01/frame-000002" in said
    (without,) = report(tmp_path / "shards")["left_out"]
    assert without["what"].startswith(reason)
    assert without["fix"]
    with pytest.raises(DustError, match=reason):
        run(made, tmp_path / "strict", strict=True)


def test_one_lost_scene_is_left_out_and_named(tmp_path: Path, capsys: Said) -> None:
    made = room.seven_scenes(tmp_path / "set")
    broken = made.source / "office" / "seq-01"
    broken.mkdir(parents=True)
    (broken / "frame-000000.color.png").write_bytes(b"")
    (broken / "intrinsics.K.txt").write_text("1 2 3")
    made.options.clear()
    (made.source / "room" / "seq-01" / "intrinsics.K.txt").write_text(room.numbers(room.K))
    run(made, tmp_path / "shards")
    said = capsys.readouterr().err
    assert "left out, 1 scene: K has 9 numbers, this file 3 (office)" in said
    with pytest.raises(DustError, match="K has 9 numbers"):
        run(made, tmp_path / "strict", strict=True)


def test_a_report_names_three_of_many(tmp_path: Path, capsys: Said) -> None:
    made = room.tum(tmp_path / "set")
    edited(made.source, "depth.txt", lambda text: "\n".join(text.split("\n")[:3]))
    run(made, tmp_path / "shards")
    assert (
        "left out, 4 frames: no depth within 0.02 s of the colour image "
        "(room: 2; room: 3; room: 4; and 1 more)"
    ) in capsys.readouterr().err


@pytest.mark.parametrize("keep", ["nothing", "blank", "points"])
def test_colmaps_second_lines_may_be_left_out(keep: str, tmp_path: Path) -> None:
    def edit(text: str) -> str:
        head, *lines = text.rstrip("\n").split("\n")
        second = {"nothing": [], "blank": [""], "points": ["1.5 2.5 -1 " * 4]}[keep]
        return "\n".join([head, *(line for image in lines[::2] for line in (image, *second))])

    made = room.colmap_text(tmp_path / "set")
    edited(made.source, "images.txt", edit)
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 5
    assert report(tmp_path / "shards")["left_out"] == []


def test_a_line_of_colmap_that_is_nothing_is_named(tmp_path: Path, capsys: Said) -> None:
    made = room.colmap_text(tmp_path / "set")
    edited(
        made.source,
        "images.txt",
        lambda text: "# Number of images: 6\n" + text.replace("2 0.9", "2 oops 0.9"),
    )
    run(made, tmp_path / "shards")
    said = capsys.readouterr().err
    assert "left out, 1 line: not a number: could not convert string to float: 'oops'" in said
    assert "left out, 1 frame: it is not in the model (room: left/1.png)" in said
    assert "left out, 1 file: it states 6 images and holds" in said


def test_the_largest_of_colmaps_models_is_taken(tmp_path: Path, capsys: Said) -> None:
    made = room.colmap_text(tmp_path / "set")
    sparse = made.source / "room" / "dense" / "sparse"
    for name, lines in (("0", 5), ("1", None), ("2", 3)):
        (sparse / name).mkdir()
        for part in ("cameras.txt", "images.txt"):
            text = (sparse / part).read_text().split("\n")
            kept = text if part == "cameras.txt" else text[:lines]
            (sparse / name / part).write_text("\n".join(kept))
    for part in ("cameras.txt", "images.txt"):
        (sparse / part).unlink()
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 5
    assert (
        "room: the model sparse/1 (5 images) is taken, left out: sparse/0 (2 images), "
        "sparse/2 (1 images)"
    ) in capsys.readouterr().err


def test_pictures_of_half_the_size_of_colmaps_camera(tmp_path: Path, capsys: Said) -> None:
    made = room.colmap_binary(tmp_path / "set")
    path = next(made.source.rglob("cameras.bin"))
    content = bytearray(path.read_bytes())
    content[16:32] = np.array([2 * room.WIDTH, 2 * room.HEIGHT], "<u8").tobytes()
    content[32:64] = (2 * np.frombuffer(content[32:64], "<f8")).tobytes()
    path.write_bytes(content)
    run(made, tmp_path / "shards")
    sample = next(read_samples(tmp_path / "shards"))
    assert sample.intrinsics[0][0, 0] == pytest.approx(room.K[0, 0] * 48 / room.HEIGHT)
    assert check_set(tmp_path / "shards").faults == []
    assert "5 frames: cameras for 192x144 are scaled to the pictures" in capsys.readouterr().err


@pytest.mark.parametrize("sign", ["\t", ",", ", ", "   "])
def test_lists_of_tum_are_parted_by_any_sign(sign: str, tmp_path: Path) -> None:
    made = room.tum(tmp_path / "set")
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        edited(made.source, name, lambda text: "\ufeff" + text.replace(" ", sign))
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 5


def test_lost_poses_of_tum_are_lines_left_out(tmp_path: Path, capsys: Said) -> None:
    made = room.tum(tmp_path / "set")
    edited(
        made.source, "groundtruth.txt", lambda text: text + "1305031102.1 nan 0 0 0 0 0 1\n1 2 3"
    )
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 5
    assert "left out, 2 lines: no pose: " in capsys.readouterr().err


def test_markers_poses_of_bonn_become_the_cameras(tmp_path: Path) -> None:
    """The data set's own formula, turned round, gives what its files hold for known cameras."""
    marker = RECORDERS["bonn"]
    camera_on_marker = np.linalg.inv(
        marker.cam_to_world(np.eye(4))
    )  # T_ros T_ros T_m is T_m, so this is its inverse
    axes = np.array([[-1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    stored = axes @ room.camera(1) @ camera_on_marker @ axes
    np.testing.assert_allclose(marker.cam_to_world(stored), room.camera(1), atol=1e-12)
    assert np.linalg.det(stored[:3, :3]) == pytest.approx(1)
    # The published numbers: the camera looks out 12 mm beside the marker.
    np.testing.assert_allclose(
        marker.cam_to_world(np.eye(4))[:3, 3], [0.0113, -0.0098, 0.0111], atol=1e-12
    )
    assert marker.cam_to_world(np.eye(4))[0, 0] == pytest.approx(1.0157 / 1.0593, abs=1e-4)


@pytest.mark.parametrize(
    "recode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode(),
    ],
    ids=["byte order mark", "utf-16", "semicolons", "tabs"],
)
def test_a_manifest_as_spreadsheets_write_it(
    recode: Callable[[str], bytes], tmp_path: Path
) -> None:
    made = room.manifest_csv(tmp_path / "set")
    made.source.write_bytes(recode(made.source.read_text()))
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 5


def test_a_row_of_too_many_fields_is_left_out(tmp_path: Path, capsys: Said) -> None:
    made = room.manifest_csv(tmp_path / "set")
    lines = made.source.read_text().split("\n")
    made.source.write_text("\n".join([*lines[:2], lines[2] + ",9", *lines[3:]]))
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 4
    assert "1 frame: it has more fields than the heading has columns" in capsys.readouterr().err


def test_pictures_of_half_the_size_of_middleburys_calibration(tmp_path: Path, capsys: Said) -> None:
    """The disparity stays as it is: the depth that it gives is scaled to the pictures."""
    made = room.middlebury(tmp_path / "set")
    for path in made.source.rglob("im?.png"):
        with Image.open(path) as picture:
            half = np.asarray(picture.resize((room.WIDTH // 2, room.HEIGHT // 2)))
        room.save_image(path, half)
    run(made, tmp_path / "shards")
    (sample,) = read_samples(tmp_path / "shards")
    truth = room.view(made.poses["im0"], sample.intrinsics[0], (48, 48))[1]
    known = sample.depths[0] > 0
    assert np.median(np.abs(sample.depths[0] / truth - 1)[known]) < 0.01
    assert "2 frames: cameras for 96x72 are scaled to the pictures" in capsys.readouterr().err


def test_a_manifest_states_size_and_lens(tmp_path: Path) -> None:
    made = room.manifest_json(tmp_path / "set")
    rows = json.loads(made.source.read_text())
    for row in rows:
        row |= {"width": 192, "height": 144, "K": (np.diag([2, 2, 1]) @ room.K).tolist()}
    made.source.write_text(json.dumps(rows))
    run(made, tmp_path / "shards")
    assert next(read_samples(tmp_path / "shards")).intrinsics[0][0, 0] == pytest.approx(
        room.K[0, 0] * 48 / room.HEIGHT
    )
    rows[0]["height"] = 100
    rows[1]["distortion"] = "0 0 0"
    made.source.write_text(json.dumps(rows))
    run(made, tmp_path / "shards")
    assert len(images_in(tmp_path / "shards")) == 3


@pytest.mark.parametrize(
    ("fy", "message"),
    [("-82", "fy is negative .-82.: y points up in this camera, as in ICL-NUIM")],
)
def test_a_negative_focal_length_is_explained(fy: str, message: str, tmp_path: Path) -> None:
    made = room.tum(tmp_path / "set")
    with pytest.raises(DustError, match=message):
        run(made, tmp_path / "shards", intrinsics=f"80,{fy},46.3,36.9")


def test_going_on_leaves_out_the_same_frames(tmp_path: Path) -> None:
    """A frame whose picture is damaged belongs to no pair, also where pairs are written already."""
    made = room.seven_scenes(tmp_path / "set")
    cut_colour(made.source)
    layout = SevenScenes(room.K)
    settings = Settings(side=48, selection=Selection(0.25, 1.0))
    whole, rest = (
        list(samples(layout, made.source, settings, Tally(), skip=skip)) for skip in (0, 3)
    )
    assert rest == [{}, {}, {}, *whole[3:]]
    assert len(whole) > 4


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    made = room.seven_scenes(tmp_path / "set")
    for path in sorted(made.source.rglob("frame-*")):
        number, rest = path.name[6:].split(".", 1)
        path.rename(path.with_name(f"frame-{8 + int(number)}.{rest}"))
    run(made, tmp_path / "shards", window=1)
    pairs = [tuple(sample.about["images"]) for sample in read_samples(tmp_path / "shards")]
    assert pairs == [(f"seq-01/frame-{n}", f"seq-01/frame-{n + 1}") for n in range(8, 12)]
