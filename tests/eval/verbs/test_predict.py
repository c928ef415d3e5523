"""`dust predict`: what a user gets from two photographs."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from calls import dust
from PIL import Image

from dust_core.pairs.geometry import transform, unproject
from dust_core.pairs.pictures.photographs import read_photograph
from dust_eval.scene.files import write_pair
from dust_eval.scene.graph import Edge
from dust_eval.scene.pair import cameras, explained_share, pair_scene
from dust_eval.verbs.predict import summary

SIDE, FOCAL = 64, (70.0, 55.0)


def pose() -> np.ndarray:
    angle = np.radians(20)
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [np.cos(angle), 0, np.sin(angle)],
        [0, 1, 0],
        [-np.sin(angle), 0, np.cos(angle)],
    ]
    matrix[:3, 3] = [-0.8, 0.1, 0.3]
    return matrix


def true_edges() -> list[Edge]:
    """A wavy wall seen by two cameras with focal lengths of their own, each order at a scale."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    centre = (SIDE - 1) / 2
    own = []
    for number, focal in enumerate(FOCAL):
        depth = 3 + 0.4 * np.sin(columns / 7 + number) + 0.3 * np.cos(rows / 5)
        matrix = np.array([[focal, 0, centre], [0, focal, centre], [0, 0, 1]])
        own.append(unproject(depth, matrix))
    across = (transform(pose(), own[1]), transform(np.linalg.inv(pose()), own[0]))
    sure = np.full((2, SIDE, SIDE), 5.0)
    return [
        Edge(
            first,
            1 - first,
            scale * np.stack([own[first], across[first]]).reshape(2, SIDE, SIDE, 3),
            sure,
        )
        for first, scale in ((0, 2.0), (1, 0.7))
    ]


def test_pose_and_focal_lengths_are_those_of_the_cameras() -> None:
    focals, located = cameras(true_edges())
    assert focals == pytest.approx(FOCAL, rel=1e-3)
    expected = pose()
    expected[:3, 3] *= 2.0  # the first order's scale
    np.testing.assert_allclose(located, expected, atol=1e-2)


def test_a_pose_says_what_it_explains() -> None:
    edge = true_edges()[0]
    true = pose()
    true[:3, 3] *= 2.0
    assert explained_share(edge, true, FOCAL[1]) == 1
    given_up = np.eye(4)
    assert explained_share(edge, given_up, FOCAL[1]) < 0.5
    behind = true @ np.diag([1, 1, -1, 1])
    assert explained_share(edge, behind, FOCAL[1]) < 0.01


@pytest.mark.parametrize("model", ["model.pth", "model.onnx"])
@pytest.mark.parametrize("mode", ["crop", "letterbox"])
def test_two_photographs_become_a_cloud_pictures_and_cameras(
    photographs: tuple[Path, Path], models: Path, tmp_path: Path, model: str, mode: str
) -> None:
    side = ["--side", SIDE] if model.endswith(".pth") else []
    arguments = ("--model", models / model, "--out", tmp_path / "out", "--mode", mode, *side)
    assert dust("predict", *photographs, *arguments, "--min-confidence", "1.0") == 0
    facts = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert [(c["width"], c["height"]) for c in facts["cameras"]] == [(100, 60), (60, 100)]
    header = (tmp_path / "out" / "cloud.ply").read_bytes()[:200]
    assert f"element vertex {facts['points']}".encode() in header
    shown = SIDE * SIDE if mode == "crop" else SIDE * round(SIDE * 0.6)
    assert facts["points"] == pytest.approx(2 * shown, rel=0.05)
    glb = (tmp_path / "out" / "cloud.glb").read_bytes()
    assert struct.unpack("<4sII", glb[:12]) == (b"glTF", 2, len(glb))
    for name in ("depth_A", "depth_B", "confidence_A", "confidence_B"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.size == (SIDE, SIDE)
    raw = np.load(tmp_path / "out" / "prediction.npz")
    assert raw["points"].shape == (2, SIDE, SIDE, 3)


def test_a_graph_says_which_side_it_takes(
    photographs: tuple[Path, Path], models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = models / "model.onnx"
    assert dust("predict", *photographs, "--model", model, "--side", "128") == 2
    assert "takes images of 64x64, and no other" in capsys.readouterr().err
    assert dust("reconstruct", photographs[0].parent, "--model", model, "--side", "128") == 2
    assert "takes images of 64x64, and no other" in capsys.readouterr().err


def test_what_cannot_be_used_is_one_message(
    photographs: tuple[Path, Path], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photographs[1].read_bytes()[:300])
    for path, message in (
        (cut, "cannot read the picture"),
        (tmp_path / "no", "no such photograph"),
    ):
        arguments = ("--model", models / "model.pth", "--out", tmp_path / "out")
        assert dust("predict", photographs[0], path, *arguments) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_one_picture_named_twice_is_a_slip_and_a_copy_is_said(
    photographs: tuple[Path, Path], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, options = photographs[0], ("--model", models / "model.onnx", "--min-confidence", "1.0")
    again = first.parent / ".." / first.parent.name / first.name
    for second in (first, again):
        assert dust("predict", first, second, *options, "--out", tmp_path / "out") == 2
        assert "the same picture, 2 times" in capsys.readouterr().err
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    assert dust("predict", first, copy, *options, "--out", tmp_path / "out") == 0
    assert "a.png, copy.png: the same picture, which shows" in capsys.readouterr().out
    assert dust("predict", *photographs, *options, "--out", tmp_path / "out") == 0
    assert "the same picture" not in capsys.readouterr().out


@pytest.mark.parametrize("aspect", ["square", "native"])
@pytest.mark.parametrize("verb", ["predict", "reconstruct"])
def test_a_side_that_is_not_whole_patches_names_the_next(
    photographs: tuple[Path, Path],
    models: Path,
    verb: str,
    aspect: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--model", models / "model.pth", "--aspect", aspect)
    assert dust(verb, *photographs, *options, "--side", 100) == 2
    message = capsys.readouterr().err
    assert "--side: images of 100 pixels are not whole patches" in message
    assert "choose a multiple of 16, such as 96 or 112" in message
    assert dust(verb, *photographs, *options, "--side", 65) == 2
    assert "such as 64 or 80" in capsys.readouterr().err


def test_nothing_sure_enough_says_what_to_lower(
    photographs: tuple[Path, Path], models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--model", models / "model.onnx", "--out", tmp_path / "out")
    assert dust("predict", *photographs, *arguments, "--min-confidence", "900") == 1
    message = capsys.readouterr().err
    assert "no pixel reaches confidence 900; the largest is" in message
    assert "lower --min-confidence" in message
    assert not (tmp_path / "out").exists()


def test_the_page_warns_of_what_the_terminal_warns_of(
    photographs: tuple[Path, Path],
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dust_eval.scene.cloud.USUAL", 50_000.0)  # no pixel is that sure
    warning = "few pixels reach confidence 50000, so the cloud holds the more confident half"
    for own, is_unsure in (((), True), (("--min-confidence", "1.0"), False)):
        arguments = ("--model", models / "model.onnx", "--out", tmp_path / "out", *own)
        assert dust("predict", *photographs, *arguments) == 0
        assert (warning in capsys.readouterr().out) == is_unsure
        page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
        assert (f'<p class="warning">F{warning[1:]}' in page) == is_unsure


def test_a_pose_that_pnp_does_not_find_is_said_and_not_invented(
    photographs: tuple[Path, Path], tmp_path: Path
) -> None:
    squares = [read_photograph(path, SIDE) for path in photographs]
    edges = true_edges()
    edges[0].points[1] = (0, 0, 3)  # no camera sees one point in all its pixels
    scene = pair_scene(squares, edges, None)
    assert "PnP found no camera that sees B's points" in summary(scene, tmp_path)[1]
    write_pair(tmp_path, scene, "model.pth")
    facts = json.loads((tmp_path / "prediction.json").read_text())
    assert (facts["A_from_B"], facts["A_from_B_explains"]) == (None, None)


def test_a_summary_holds_what_was_predicted(photographs: tuple[Path, Path], tmp_path: Path) -> None:
    squares = [read_photograph(path, SIDE) for path in photographs]
    lines = summary(pair_scene(squares, true_edges(), None), tmp_path)
    assert "focal lengths: 70 and 55 pixels" in lines[0]
    assert "turned by 20.0 degrees" in lines[1] and "explains 100% of B's points" in lines[1]
    assert f"{2 * SIDE * SIDE:,} points of confidence 3 and more" in lines[2]
