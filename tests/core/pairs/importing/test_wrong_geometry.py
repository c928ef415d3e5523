"""Wrong units, axes and directions of poses, as a newcomer's table has them, and what is said."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import adapter_room as room
import numpy as np
import pytest

from dust_core.cli import main

COUNT = 9
K = np.array([[150.0, 0, 47.5], [0, 150.0, 47.5], [0, 0, 1]])
OPENGL = np.diag([1.0, -1, -1, 1])


def camera(number: int) -> np.ndarray:
    """cam_to_world of a camera that walks to the right and turns, towards the far wall."""
    turn = 0.03 * number
    pose = np.eye(4)
    pose[:3, :3] = [
        [np.cos(turn), 0, np.sin(turn)],
        [0, 1, 0],
        [-np.sin(turn), 0, np.cos(turn)],
    ]
    pose[:3, 3] = [0.15 * number - 0.7, 0.05 * number, 0.02 * number]
    return pose


def write(
    folder: Path,
    pose: Callable[[np.ndarray], np.ndarray] = lambda pose: pose,
    depth_scale: float = 1.0,
    image: Callable[[np.ndarray, int], np.ndarray] = lambda image, _: image,
) -> Path:
    """The table of a room whose depths, poses or pictures are changed."""
    folder.mkdir()
    rows = [("scene", "image", "depth", "K", "cam_to_world")]
    for number in range(COUNT):
        colours, depth = room.view(camera(number), K, (96, 96))
        room.save_image(folder / f"{number}.png", image(colours, number))
        np.save(folder / f"{number}.npy", (depth_scale * depth).astype(np.float32))
        cells = [" ".join(map(repr, m.ravel().tolist())) for m in (K, pose(camera(number)))]
        rows.append(("room", f"{number}.png", f"{number}.npy", *cells))
    with (folder / "frames.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder / "frames.csv"


def dust(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["data", *map(str, words)])
    return int(ended.value.code or 0)


def checked(table: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code of `dust data check`, and its lines."""
    shards = table.parent / "shards"
    words = ("--side", 96, "--picture", "png", "--max-overlap", 1)
    assert dust("import", "manifest", table, shards, *words) == 0
    capsys.readouterr()
    code = dust("check", shards)
    return code, capsys.readouterr().out.splitlines()


def scaled(pose: np.ndarray, factor: float) -> np.ndarray:
    changed = pose.copy()
    changed[:3, 3] *= factor
    return changed


WRONG: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "depth in millimetres": (lambda pose: pose, 1000.0),
    "depth in centimetres": (lambda pose: pose, 100.0),
    "positions in kilometres": (lambda pose: scaled(pose, 0.001), 1.0),
    "world to camera": (np.linalg.inv, 1.0),
    "OpenGL's axes": (lambda pose: pose @ OPENGL, 1.0),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_geometry_is_one_message_for_the_set(
    wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pose, scale = WRONG[wrong]
    code, lines = checked(write(tmp_path / "set", pose, scale), capsys)
    assert code == 1
    (said,) = [line for line in lines if "do not explain the pictures" in line]
    assert said.startswith(f"fault: {tmp_path / 'set/shards'}: ")
    for cause in ("both in metres", "camera to world", "OpenCV's", "OpenGL's", "of 255 without"):
        assert cause in said


def test_the_right_geometry_has_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = checked(write(tmp_path / "set"), capsys)
    assert code == 0
    assert len(lines) == 1
    assert " pairs agree in depth; medians of the warp: covisible " in lines[0]


def test_the_count_leaves_out_the_pairs_whose_depths_disagree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = checked(write(tmp_path / "set", np.linalg.inv), capsys)
    pairs = json.loads((tmp_path / "set/shards/manifest.json").read_text())["pairs"]
    disagreeing = sum("depth is off by" in line for line in lines)
    assert code == 1
    assert disagreeing > 0
    assert lines[-2].startswith(f"{pairs - disagreeing} of {pairs} pairs agree in depth; ")
    assert lines[-1] == f"{disagreeing + 1} faults"


def noisy(image: np.ndarray, number: int) -> np.ndarray:
    noise = np.random.default_rng(number).normal(0, 8, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def plain(image: np.ndarray, number: int) -> np.ndarray:
    return noisy(np.full_like(image, 128), number)


def darker(image: np.ndarray, number: int) -> np.ndarray:
    """Flat colours, every second picture darker by more than they vary."""
    return (130 + (image - 127.0) / 4 - 60 * (number % 2)).astype(np.uint8)


@pytest.mark.parametrize("image", [noisy, plain, darker])
def test_noise_plain_walls_and_another_exposure_are_no_fault(
    image: Callable[[np.ndarray, int], np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, lines = checked(write(tmp_path / "set", image=image), capsys)
    assert code == 0, lines


@pytest.mark.parametrize("metres", [1.0, 0.001])
def test_views_that_hardly_differ_are_not_judged(
    metres: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nearly one place, a unit cannot be told from another, and noise is all that differs."""
    still = camera(4)
    colours, depth = room.view(still, K, (96, 96))
    table = write(
        tmp_path / "set",
        lambda pose: scaled(still, metres),
        image=lambda _, number: noisy(colours, number),
    )
    for number in range(COUNT):
        np.save(tmp_path / "set" / f"{number}.npy", depth.astype(np.float32))
    code, lines = checked(table, capsys)
    assert code == 0, lines


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_a_mistyped_path_is_said(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"nope{suffix}"
    assert dust("import", "manifest", path, tmp_path / "shards") == 2
    said = capsys.readouterr().err
    assert f"{path}: there is no such file" in said.replace("\n", "")
    assert "check the path" in said
    assert "complete the data set" not in said


def test_a_folder_is_no_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write(tmp_path / "set")
    assert dust("import", "manifest", table.parent, tmp_path / "shards") == 2
    said = capsys.readouterr().err.replace("\n", "")
    assert "it is a folder; the layout manifest reads a table of frames" in said
    assert f"give {table}" in said
    (tmp_path / "set/other.csv").touch()
    assert dust("import", "manifest", table.parent, tmp_path / "shards") == 2
    assert "give the path of the table of frames, a .csv or a .json" in capsys.readouterr().err


def test_another_split_is_refused_with_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--split", "holdout")
    assert dust("import", "manifest", tmp_path / "x.csv", tmp_path / "shards", *words) == 2
    said = capsys.readouterr().err
    for split in ("training", "validation", "calibration", "evaluation"):
        assert split in said
