"""`dust predict` on more than two pictures, and the folder that it writes to."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from calls import dust
from PIL import Image

from dust_eval.verbs.predict_folder import remove_earlier


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures whose names are out of order as text, one of them damaged, and a note."""
    rng = np.random.default_rng(1)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in (1, 2, 9, 10):
        image = Image.fromarray(rng.integers(0, 255, (60, 100, 3), np.uint8))
        image.save(pictures / f"frame {number}.png")
    (pictures / "frame 3.png").write_bytes((pictures / "frame 2.png").read_bytes()[:400])
    (pictures / "notes.txt").write_text("a note")
    return pictures


def rows(out: Path) -> list[dict[str, object]]:
    pairs = json.loads((out / "pairs.json").read_text())["pairs"]
    for pair in pairs:
        facts = json.loads((out / pair["folder"] / "prediction.json").read_text())
        assert [camera["image"] for camera in facts["cameras"]] == pair["images"]
        assert facts["points"] == pair["points"]
    return pairs


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], [(1, 2), (2, 9), (9, 10)]),
        (["--pairs", "all"], [(1, 2), (1, 9), (1, 10), (2, 9), (2, 10), (9, 10)]),
    ],
)
def test_pairs_of_a_folder_are_written_each_by_name(
    options: list[str],
    expected: list[tuple[int, int]],
    folder: Path,
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("--model", models / "model.onnx", "--out", tmp_path / "out", *options)
    assert dust("predict", folder, *arguments, "--min-confidence", "1.0") == 0
    made = rows(tmp_path / "out")
    assert [pair["images"] for pair in made] == [
        [f"frame {number}.png" for number in pair] for pair in expected
    ]
    assert made[0]["folder"] == "1_frame-1_frame-2"
    said = capsys.readouterr().out
    assert "left out, a text: notes.txt" in said and "frame 3.png" in said
    assert f"pairs.json: {len(expected)} pairs" in said and "MB of memory" in said


def test_more_pairs_than_the_limit_are_refused_at_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", tmp_path / "none.pth", "--pairs", "all", "--limit", "9")
    assert dust("predict", folder, *arguments) == 2
    assert "5 pictures make 10 pairs, at most 9 are made" in capsys.readouterr().err


def test_frames_of_a_video_are_paired_in_turn(models: Path, tmp_path: Path) -> None:
    video = cv2.VideoWriter(
        str(tmp_path / "walk.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64)
    )
    for number in range(9):
        video.write(np.full((64, 96, 3), 20 * number, np.uint8))
    video.release()
    arguments = ("--model", models / "model.onnx", "--out", tmp_path / "out", "--every", "4")
    assert dust("predict", tmp_path / "walk.avi", *arguments, "--min-confidence", "1.0") == 0
    assert [pair["images"] for pair in rows(tmp_path / "out")] == [
        ["walk-000000", "walk-000004"],
        ["walk-000004", "walk-000008"],
    ]


def test_pairs_that_are_not_sure_end_in_one_message(
    folder: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", models / "model.onnx", "--out", tmp_path / "out")
    assert dust("predict", folder, *arguments, "--min-confidence", "900") == 1
    assert "no pixel reaches confidence 900; the largest is" in capsys.readouterr().err


def paths(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_used_folder_holds_the_new_prediction_alone(
    folder: Path,
    photographs: tuple[Path, Path],
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(out: str, *sources: object) -> set[str]:
        arguments = ("--model", models / "model.onnx", "--out", tmp_path / out)
        assert dust("predict", *sources, *arguments, "--min-confidence", "1.0") == 0
        return paths(tmp_path / out)

    three = sorted(folder.glob("frame*.png"))[:3]
    two_alone, three_alone = run("two", *photographs), run("three", *three)
    assert "earlier" not in capsys.readouterr().out
    (tmp_path / "two" / "notes.txt").write_text("mine")
    assert run("two", *three) == three_alone | {"notes.txt"}
    assert "an earlier prediction is removed, pairs: 1" in capsys.readouterr().out
    kept = next(path for path in (tmp_path / "two").iterdir() if path.is_dir()) / "mine.txt"
    kept.write_text("mine")
    mine = {"notes.txt", kept.parent.name, f"{kept.parent.name}/mine.txt"}
    assert run("two", *photographs) == two_alone | mine


def test_a_list_of_somebody_else_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "prediction.json").write_text("{}")
    deep = "[" * 100_000
    for listed in ("[]", "{", deep, '{"pairs": [{"folder": ".."}, {"folder": "../out"}]}'):
        (tmp_path / "out" / "pairs.json").write_text(listed)
        assert remove_earlier(tmp_path / "out") == 0
    assert paths(tmp_path) == {"out", "prediction.json", "out/pairs.json"}


def test_a_pipe_in_the_place_of_the_list_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.json")
    assert remove_earlier(tmp_path) == 0


def test_a_file_in_the_place_of_the_folder_is_said_before_anything_is_loaded(
    photographs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in (photographs[0], photographs[0] / "below"):
        assert dust("predict", *photographs, "--model", tmp_path / "none.pth", "--out", out) == 2
        assert f"{photographs[0]}: it is a file, not a folder" in capsys.readouterr().err


def test_the_folder_of_the_photographs_is_not_written_to(
    photographs: tuple[Path, Path],
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = paths(tmp_path)
    arguments = ("--model", models / "model.onnx", "--out", photographs[0].parent)
    assert dust("predict", *photographs, *arguments) == 2
    assert "the photographs are in this folder" in capsys.readouterr().err
    assert paths(tmp_path) == before
