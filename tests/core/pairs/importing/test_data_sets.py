"""What the readers of published data sets state, leave out and refuse."""

import base64
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapter_room as room
import data_set_rooms as sets
import numpy as np
import pytest
from adapter_room import Miniature

from dust_core.errors import DustError
from dust_core.pairs.importing.adapters.conventions import in_metres, masked, seen_by, stretched
from dust_core.pairs.importing.adapters.exr import read_exr
from dust_core.pairs.importing.adapters.nerfstudio import Nerfstudio
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.importing.lens import Lens
from dust_core.pairs.shards.manifest import read_manifest
from dust_core.pairs.shards.reader import read_samples

Said = pytest.CaptureFixture[str]
Spoil = Callable[[Path], None]

# A map of 20 rows and 6 columns, row / 2 + column / 4 + 1, that the OpenEXR library 3.5 wrote.
OPENEXR = base64.b64decode(
    "di8xAQIAAABjaGFubmVscwBjaGxpc3QAEwAAAFkAAgAAAAAAAAABAAAAAQAAAABjb21wcmVzc2lvbgBjb21wcmVzc2lv"
    "bgABAAAAA2RhdGFXaW5kb3cAYm94MmkAEAAAAAAAAAAAAAAABQAAABMAAABkaXNwbGF5V2luZG93AGJveDJpABAAAAAA"
    "AAAAAAAAAAUAAAATAAAAbGluZU9yZGVyAGxpbmVPcmRlcgABAAAAAHBpeGVsQXNwZWN0UmF0aW8AZmxvYXQABAAAAAAA"
    "gD9zY3JlZW5XaW5kb3dDZW50ZXIAdjJmAAgAAAAAAAAAAAAAAHNjcmVlbldpbmRvd1dpZHRoAGZsb2F0AAQAAAAAAIA/"
    "dHlwZQBzdHJpbmcADQAAAHNjYW5saW5laW1hZ2UAQgEAAAAAAADKAQAAAAAAAAAAAACAAAAAeF5jYGBQeOBwIGFBQ8OE"
    "Ahi9IGFDAIw+4HDBAEY/UPggAKMZGDh+wGiBDxIvYLTCA40bMNrggsUJGO1wwGMHjA7YELECRicsyJgBowsmVHTA6IaG"
    "lhoY3VHRUwKjJxRMyYHRMzLmpOx3hMADDgccYPRggAftD9rDaDwQAIFGu8IQAAAAKwAAAHheY5hQMCVnRsaclAUJS2Jg"
    "9IqINSEwekPAFh8YvcNjj8tBe5IgAPKAL8I="
)


def run(made: Miniature, into: Path, **options: Any) -> None:
    sizes = {"side": 48, "max_overlap": 1.0, "pairs_per_frame": 9, "picture": "png"}
    import_(made.layout, made.source, into, **sizes | made.options | options)


def frames_in(folder: Path) -> int:
    return len({name for sample in read_samples(folder) for name in sample.about["images"]})


def find(folder: Path, name: str) -> Path:
    return next(folder.rglob(name))


def remove(name: str) -> Spoil:
    return lambda folder: find(folder, name).unlink()


def write(name: str, content: str) -> Spoil:
    return lambda folder: find(folder, name).write_text(content)


def cameras(edit: Callable[[Any], None]) -> Spoil:
    """Change transforms.json."""

    def spoil(folder: Path) -> None:
        path = find(folder, "transforms.json")
        content = json.loads(path.read_text())
        edit(content)
        path.write_text(json.dumps(content))

    return spoil


def annotations(edit: Callable[[Any], None]) -> Spoil:
    """Change the second frame of frame_annotations.jgz."""

    def spoil(folder: Path) -> None:
        path = find(folder, "frame_annotations.jgz")
        content = json.loads(gzip.decompress(path.read_bytes()))
        edit(content[1])
        path.write_bytes(gzip.compress(json.dumps(content).encode()))

    return spoil


def picture_of(name: str, width: int, height: int) -> Spoil:
    return lambda folder: room.save_image(
        find(folder, name), np.full((height, width, 3), 99, np.uint8)
    )


def piz(folder: Path) -> None:
    path = find(folder, "00000002.exr")
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"compression\0\x01\0\0\0\x03", b"compression\0\x01\0\0\0\x04")
    )


def cut_annotations(folder: Path) -> None:
    path = find(folder, "frame_annotations.jgz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-900]))


FAULTS: list[tuple[Callable[[Path], Miniature], Spoil, str, str]] = [
    (sets.scannet, write("1.txt", "-inf " * 16), "1.txt", "the pose holds NaN or infinity"),
    (sets.scannet, remove("1.png"), "1.png", "the depth is missing"),
    (sets.scannet, remove("1.jpg"), "1.jpg", "the image is missing"),
    (sets.scannet, picture_of("1.jpg", 640, 640), "1.jpg", "the picture is 640x640, ScanNet's are"),
    (sets.scannetpp_iphone, remove("frame_000010.png"), "frame_000010.png", "the depth is missing"),
    (sets.co3d, annotations(lambda frame: frame["image"].update(size=[10, 50])),
     "frame000001.jpg", "the camera is for pictures of 50x10"),
    (sets.co3d, annotations(lambda frame: frame["viewpoint"].update(intrinsics_format="pixels")),
     "entry 1", "intrinsics_format is pixels"),
    (sets.co3d, annotations(lambda frame: frame["viewpoint"].update(T=[1, 2])),
     "entry 1", "T has 3 numbers"),
    (sets.co3d, annotations(lambda frame: frame["depth"].pop("scale_adjustment")),
     "entry 1", "it lacks scale_adjustment"),
    (sets.dtu, remove("00000001_cam.txt"), "00000001_cam.txt", "the camera is missing"),
    (sets.dtu, write("00000001_cam.txt", "K"), "00000001_cam.txt", "no camera of MVSNet"),
    (sets.dtu, picture_of("rect_002_3_r5000.png", 300, 300), "depth_map_0001.pfm",
     "the picture is 300x300, its depth 96x72"),
    (sets.nerfstudio, cameras(lambda all_: all_["frames"][1].pop("depth_file_path")),
     "frame 1", "it lacks depth_file_path"),
    (sets.nerfstudio, cameras(lambda all_: all_["frames"][1].update(fl_x=9)),
     "frame 1", "the frame's fl_x is 9, the scene's 80.0"),
    (sets.nerfstudio_own_intrinsics, cameras(lambda all_: all_["frames"][1].update(w=50)),
     "3.png", "the camera is for pictures of 50x72"),
    (sets.nerfstudio_own_intrinsics, cameras(lambda all_: all_["frames"][1].update(k4=0.1)),
     "frame 1", "only fisheyes have it here"),
    (sets.arkitscenes, remove("41254_5000.200.png"), "41254_5000.200.png", "is missing"),
    (sets.arkitscenes, remove("41254_5000.200.pincam"), "41254_5000.200.pincam",
     "a camera is missing"),
    (sets.dust3r_blendedmvs, remove("00000002.exr"), "00000002.exr", "the depth is missing"),
    (sets.dust3r_blendedmvs, remove("00000002.npz"), "00000002.jpg", "it has no camera"),
    (sets.dust3r_blendedmvs, piz, "00000002.exr", "its OpenEXR compression is PIZ"),
    (sets.dust3r_co3d, remove("frame000002.jpg.geometric.png"), "geometric.png",
     "the depth is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "spoil", "place", "message"), FAULTS)
def test_a_frame_with_a_fault_is_left_out_and_stops_a_strict_import(
    make: Callable[[Path], Miniature], spoil: Spoil, place: str, message: str, tmp_path: Path
) -> None:
    made = make(tmp_path / "set")
    spoil(made.source)
    run(made, tmp_path / "shards")
    assert frames_in(tmp_path / "shards") == room.COUNT - 1
    report = json.loads((tmp_path / "shards" / "report.json").read_text())
    assert (report["found"], report["used"]) == (room.COUNT, room.COUNT - 1)
    with pytest.raises(DustError, match=message) as caught:
        run(made, tmp_path / "strict", strict=True)
    assert caught.value.where.endswith(place)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("make", "spoil", "message"),
    [
        (sets.scannet, remove("intrinsic_depth.txt"), "K of depth is missing"),
        (sets.scannet, write("extrinsic_color.txt", room.numbers(room.camera(2))),
         "the color camera is elsewhere than the poses"),
        (sets.scannetpp_iphone, lambda folder: shutil.rmtree(find(folder, "depth")),
         "the folder depth is missing"),
        (sets.scannetpp_iphone, remove("cameras.txt"), "cameras"),
        (sets.dtu, lambda folder: shutil.rmtree(find(folder, "Cameras")),
         "there are no cameras: Cameras/"),
        (sets.nerfstudio, write("transforms.json", "{}"), "it lacks frames"),
        (sets.nerfstudio, cameras(lambda all_: all_.update(camera_model="EQUIRECTANGULAR")),
         "the camera model EQUIRECTANGULAR is not one"),
        (sets.arkitscenes, write("lowres_wide.traj", "1 2 3"), "it holds no pose"),
        (sets.arkitscenes, write("splits.csv", "a,b\n1,2"), "no columns video_id and visit_id"),
        (sets.co3d, lambda folder: find(folder, "*.jgz").write_bytes(b"[]"),
         "the annotations cannot be read"),
        (sets.co3d, cut_annotations, "cut off"),
    ],
)  # fmt: skip
def test_a_recording_that_lacks_a_part_says_which(
    make: Callable[[Path], Miniature], spoil: Spoil, message: str, tmp_path: Path
) -> None:
    made = make(tmp_path / "set")
    spoil(made.source)
    with pytest.raises(DustError, match=message) as caught:
        run(made, tmp_path / "shards")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("scannet", "no folder in it holds pose, which marks a scan of ScanNet"),
        ("scannet++", "no folder in it holds colmap, which marks a device of ScanNet"),
        ("co3d", "no folder in it holds frame_annotations.jgz, which marks a category of CO3D"),
        ("dtu", r"no folder in it holds rect_\*.png, which marks a scan of DTU"),
        ("nerfstudio", "no folder in it holds transforms.json, which marks a scene of Nerfstudio"),
        ("arkitscenes", "no folder in it holds lowres_wide.traj, which marks a video of ARKitSc"),
        ("dust3r", r"no folder in it holds \*.npz, which marks pictures with cameras in .npz"),
    ],
)
def test_a_folder_of_another_layout_is_one_message(
    layout: str, expected: str, tmp_path: Path
) -> None:
    made = room.tum(tmp_path / "set")
    with pytest.raises(DustError, match=expected) as caught:
        import_(layout, made.source, tmp_path / "shards")
    assert caught.value.where == str(made.source)


def test_a_frame_of_co3d_that_was_never_located_is_no_fault(tmp_path: Path) -> None:
    made = sets.co3d(tmp_path / "set")
    annotations(lambda frame: frame.update(viewpoint=None))(made.source)
    run(made, tmp_path / "shards", strict=True)
    assert frames_in(tmp_path / "shards") == room.COUNT - 1


def test_the_mask_of_an_object_takes_the_rest_of_co3ds_depth_away(tmp_path: Path) -> None:
    made = sets.co3d(tmp_path / "set")
    path = find(made.source, "frame_annotations.jgz")
    frames = json.loads(gzip.decompress(path.read_bytes()))
    mask = np.zeros((room.HEIGHT, room.WIDTH), np.uint8)
    mask[:, 40:] = 200
    room.save_image(made.source / "mask.png", mask)
    for frame in frames:
        frame["mask"] = {"path": "mask.png"}
    path.write_bytes(gzip.compress(json.dumps(frames).encode()))
    run(made, tmp_path / "shards", foreground=True, side=96, mode="letterbox", min_overlap=0.01)
    sample = next(read_samples(tmp_path / "shards"))
    assert not sample.depths[0][:, :40].any()
    assert sample.depths[0][40, 40:].all()


def test_lenses_of_nerfstudio_are_in_the_order_of_opencv(tmp_path: Path) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    numbers = {"k1": 0.1, "k2": 0.02, "k3": 0.003, "k4": 0.0004, "p1": 0.5, "p2": 0.06}
    for model, expected in (
        ("OPENCV_FISHEYE", Lens("fisheye", (0.1, 0.02, 0.003, 0.0004))),
        ("OPENCV", Lens("radial", (0.1, 0.02, 0.5, 0.06, 0.003))),
    ):
        stated = numbers | {"camera_model": model, "k4": 0.0004 * (model != "OPENCV")}
        cameras(lambda all_, stated=stated: all_.update(stated))(made.source)
        recording = next(Nerfstudio().scenes(made.source)).read()
        assert recording.frames[0].camera.lens == expected


def test_pictures_of_nerfstudio_may_be_named_without_their_suffix(tmp_path: Path) -> None:
    made = sets.nerfstudio(tmp_path / "set")

    def without_suffix(all_: dict[str, Any]) -> None:
        for frame in all_["frames"]:
            frame["file_path"] = f"./{frame['file_path'].removesuffix('.png')}"

    cameras(without_suffix)(made.source)
    pictures = sorted((made.source / "room" / "images").iterdir())
    pictures[0].rename(pictures[0].with_suffix(".JPG"))
    recording = next(Nerfstudio().scenes(made.source)).read()
    assert not recording.left_out
    assert sorted(frame.image.suffix for frame in recording.frames)[:2] == [".JPG", ".png"]
    assert len(recording.frames) == len(pictures)


def test_videos_of_one_visit_are_one_scene(tmp_path: Path) -> None:
    made = sets.arkitscenes(tmp_path / "set")
    shutil.copytree(made.source / "Training" / "41254", made.source / "Training" / "40")
    copied = made.source / "Training" / "40"
    (copied / "41254_frames").rename(copied / "40_frames")
    made.options["visits"].write_text("video_id,visit_id,fold\n40,421,a\n41254,421.0,a\n")
    run(made, tmp_path / "shards")
    assert read_manifest(tmp_path / "shards").scenes == ("visit 421",)
    run(made, tmp_path / "apart", visits=None)
    assert read_manifest(tmp_path / "apart").scenes == ("40", "41254")


def test_lights_of_dtu_are_recordings_of_their_own(tmp_path: Path) -> None:
    made = sets.dtu(tmp_path / "set")
    for path in sorted(made.source.rglob("rect_*.png")):
        shutil.copy(path, path.with_name(path.name.replace("_3_", "_5_")))
    run(made, tmp_path / "shards")
    pairs = [sample.about["images"] for sample in read_samples(tmp_path / "shards")]
    assert len(pairs) == 20
    assert all(first.split("_")[2] == second.split("_")[2] for first, second in pairs)


def test_openexr_as_its_library_writes_it() -> None:
    rows, columns = np.mgrid[:20, :6]
    np.testing.assert_array_equal(read_exr(OPENEXR), rows / 2 + columns / 4 + 1)


def test_depth_of_other_intrinsics_is_the_nearest_pixels() -> None:
    """Twice the focal length sees the middle half, shifted by the principal point."""
    depth = np.arange(1.0, 21.0).reshape(4, 5)
    wide = np.array([[10.0, 0, 2], [0, 10, 1], [0, 0, 1]])
    near = np.array([[20.0, 0, 1], [0, 20, 1], [0, 0, 1]])
    seen = seen_by(depth, wide, near, (6, 3))
    np.testing.assert_array_equal(seen[1], [depth[1, 2], *depth[1, [2, 2, 3, 4, 4]]])
    assert not seen_by(depth, near, wide, (5, 4))[3, 4]


def test_a_stretched_picture_has_other_focal_lengths() -> None:
    """ScanNet's exporter makes pictures of 1296x968 into 640x480, which has another shape."""
    k = stretched(room.K, (1296, 968), (640, 480))
    np.testing.assert_allclose(k, sets.larger(room.K, 640 / 1296, 480 / 968))
    assert k[1, 1] / room.K[1, 1] == pytest.approx(1.0041 * k[0, 0] / room.K[0, 0], abs=1e-4)


def test_masks_and_units_of_maps(tmp_path: Path) -> None:
    room.save_image(tmp_path / "mask.png", np.array([[0, 9], [255, 0]], np.uint8))
    depth = in_metres(np.array([[1, 2], [-3, 4]]), 0.5, "here")
    np.testing.assert_array_equal(masked(depth, tmp_path / "mask.png"), [[0, 1], [0, 0]])
    with pytest.raises(DustError, match=r"the mask is \(2, 2\), its depth \(1, 2\)"):
        masked(depth[:1], tmp_path / "mask.png")
