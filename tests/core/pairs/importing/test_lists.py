"""What lists of frames may hold, and what an import that makes nothing says and leaves."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adapter_room as room
import data_set_rooms as sets
import pytest
from adapter_room import Miniature

from dust_core.errors import DustError
from dust_core.pairs.importing.commands import import_
from dust_core.pairs.shards.check import check_set
from dust_core.pairs.shards.reader import read_samples

Said = pytest.CaptureFixture[str]
Frames = list[dict[str, Any]]


def run(made: Miniature, into: Path, **options: Any) -> None:
    sizes = {"side": 48, "max_overlap": 1.0, "pairs_per_frame": 9, "picture": "png"}
    import_(made.layout, made.source, into, **sizes | made.options | options)


def listed(folder: Path, edit: Callable[[Frames], object]) -> Path:
    """Change the frames of transforms.json."""
    (path,) = folder.rglob("transforms.json")
    content = json.loads(path.read_text())
    edit(content["frames"])
    path.write_text(json.dumps(content))
    return path


def pairs_in(folder: Path) -> list[list[str]]:
    return [sample.about["images"] for sample in read_samples(folder)]


def test_a_frame_that_is_listed_twice_is_used_once(tmp_path: Path, capsys: Said) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    run(made, tmp_path / "once")
    listed(made.source, lambda frames: frames.append(frames[0]))
    run(made, tmp_path / "shards")
    assert "left out, 1 frame: the frame is listed twice" in capsys.readouterr().err
    assert pairs_in(tmp_path / "shards") == pairs_in(tmp_path / "once")


def test_a_list_without_frames_is_called_so(tmp_path: Path) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    listed(made.source, lambda frames: frames.clear())
    with pytest.raises(DustError, match="it lists no frame"):
        run(made, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_a_scene_that_cannot_be_read_is_counted_once(tmp_path: Path, capsys: Said) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    shutil.copytree(made.source, tmp_path / "both" / "good")
    (tmp_path / "both" / "bad").mkdir()
    (tmp_path / "both" / "bad" / "transforms.json").write_text("{")
    run(Miniature(made.layout, tmp_path / "both", made.options, {}), tmp_path / "shards")
    said = capsys.readouterr().err
    assert "left out, 1 scene: the cameras cannot be read" in said
    assert "no pair within the bounds" not in said


def test_a_pose_of_nan_is_called_so(tmp_path: Path, capsys: Said) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    pose = [[float("nan")] * 4] * 4
    listed(made.source, lambda frames: frames[0].update(transform_matrix=pose))
    listed(made.source, lambda frames: frames[1].update(transform_matrix=[[0.123456789] * 9] * 4))
    run(made, tmp_path / "shards")
    said = capsys.readouterr().err
    assert "a pose holds NaN or infinity" in said
    assert "a pose has 16 numbers, not [[0.123456789, 0.123456789" in said
    assert " ... (" in said


def test_paths_as_windows_writes_them(tmp_path: Path) -> None:
    made = sets.nerfstudio(tmp_path / "set")

    def turn(frames: Frames) -> None:
        for frame in frames:
            for key in ("file_path", "depth_file_path"):
                frame[key] = frame[key].replace("/", "\\")

    run(made, tmp_path / "before")
    listed(made.source, turn)
    run(made, tmp_path / "shards")
    assert len(pairs_in(tmp_path / "shards")) == len(pairs_in(tmp_path / "before"))
    assert not check_set(tmp_path / "shards").faults


def test_the_file_in_place_of_its_folder_is_told_apart(tmp_path: Path) -> None:
    made = sets.nerfstudio(tmp_path / "set")
    path = listed(made.source, lambda _: None)
    with pytest.raises(DustError, match="it is a file; a scene of Nerfstudio is named") as caught:
        import_("nerfstudio", path, tmp_path / "shards")
    assert caught.value.fix == f"give {path.parent}"


def test_annotations_of_co3d_may_be_unpacked(tmp_path: Path) -> None:
    made = sets.co3d(tmp_path / "set")
    run(made, tmp_path / "packed")
    (path,) = made.source.rglob("frame_annotations.jgz")
    path.write_bytes(gzip.decompress(path.read_bytes()))
    run(made, tmp_path / "shards")
    assert pairs_in(tmp_path / "shards") == pairs_in(tmp_path / "packed")


@pytest.mark.parametrize(("into", "jobs"), [("there", 1), ("new", 2)])
def test_an_import_that_makes_nothing_leaves_nothing(tmp_path: Path, into: str, jobs: int) -> None:
    made = room.seven_scenes(tmp_path / "set")
    for path in made.source.rglob("*.pose.txt"):
        path.write_text("nan " * 16)
    (tmp_path / "there").mkdir()
    with pytest.raises(DustError, match="no two frames can be compared"):
        run(made, tmp_path / into, jobs=jobs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "there"]
    assert not list((tmp_path / "there").iterdir())


def test_a_target_that_cannot_be_one_is_refused_at_once(tmp_path: Path) -> None:
    made = room.seven_scenes(tmp_path / "set")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DustError, match="it is a file, not a folder"):
        run(made, tmp_path / "file" / "shards")
    (tmp_path / "pairs-000000.tar").write_bytes(b"another's")
    with pytest.raises(DustError, match=r"it holds shards, and no import\.json"):
        run(made, tmp_path)
