"""`dust score`: the quality of a network on any set of pairs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calls import dust
from PIL import Image

from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.onnx.export import export_onnx
from dust_core.pairs.geometry import transform, unproject
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import encode
from dust_core.pairs.shards.tars import write_shards
from dust_eval.measure.samples import set_samples
from dust_eval.quality import measure_quality
from dust_eval.quality.pictures import BAND, compare, label
from dust_eval.quality.workload import QualityReport, Sample
from dust_eval.runtimes import PairOutput, RuntimeOptions, load_any
from dust_eval.verbs.score import _caption


def test_a_set_is_scored_as_the_workload_is(
    miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, shards = miniature / "artifacts/ci/teacher_fp32.pth", miniature / "data" / "workload"
    assert dust("score", str(model), str(shards), "--pairs", "3", "--out", str(tmp_path)) == 0
    scores = json.loads((tmp_path / "score.json").read_text())
    network = load_any(model, RuntimeOptions(threads=2))
    own = measure_quality(network, set_samples(shards, 3), chamfer_points=20_000, seed=42)
    assert scores["mean"] == pytest.approx(own.aggregate)
    assert len(scores["pairs"]) == 3
    said = capsys.readouterr().out
    assert "mean" in said and "rmse, m" in said and "chamfer, m" in said
    with Image.open(tmp_path / "pairs.png") as picture:
        assert picture.size == (6 * 256, 3 * (256 + BAND) + BAND)


def test_the_picture_names_its_columns_and_its_rows() -> None:
    rows = Image.new("RGB", (6 * 100, 2 * 50), (200, 0, 0))
    drawn = np.asarray(label(rows, ["best of 2: delta1 0.9", "worst of 2: delta1 0.1"]))
    assert drawn.shape == (BAND + 2 * (BAND + 50), 600, 3)
    for column in range(6):
        name = drawn[:BAND, column * 100 : (column + 1) * 100]
        assert (name.sum(-1) < 200).sum() > 20, f"column {column} has no name"
        assert (name[:, [0, -1]] == 255).all(), "a name is wider than its column"
    for row in range(2):
        top = BAND + row * (BAND + 50)
        assert (drawn[top : top + BAND, :200].sum(-1) < 200).sum() > 20
        assert (drawn[top + BAND : top + BAND + 50] == (200, 0, 0)).all()


def test_a_caption_says_how_good_a_pair_is() -> None:
    report = QualityReport(("pair 0", "pair 1", "pair 2"), {"delta1": (0.5, 0.9, 0.1)}, 0, {})
    captions = [_caption([1, 0, 2], report, pair) for pair in (1, 0, 2)]
    assert captions == [
        "best of 3: delta1 0.9000   pair 1",
        "place 2 of 3: delta1 0.5000   pair 0",
        "worst of 3: delta1 0.1000   pair 2",
    ]


def test_the_truth_looks_like_the_truth(miniature: Path) -> None:
    """Where the prediction is right, each predicted depth is the picture of the true one."""
    (sample,) = set_samples(miniature / "data" / "workload", 1)
    picture = np.asarray(compare(Oracle(sample), [sample]))
    side = len(sample.truth.depth_1) // 2
    tiles = [picture[:, n * side : (n + 1) * side].astype(int) for n in range(6)]
    assert np.abs(tiles[2] - tiles[3]).mean() < 1
    assert np.abs(tiles[4] - tiles[5]).mean() < 1
    assert np.abs(tiles[2] - tiles[4]).mean() > 1, "both views have the same depth: a weak test"


def test_a_pair_without_depth_is_named(
    miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = list(read_samples(miniature / "data" / "workload"))[:2]
    blank = replace(whole[1], depths=(whole[1].depths[0], 0 * whole[1].depths[1]))
    members = [encode(sample, picture="png") for sample in (whole[0], blank)]
    write_shards(members, tmp_path, split="training", licence="none", pairs_per_shard=2)
    assert dust("score", str(miniature / "artifacts/ci/teacher_fp32.pth"), str(tmp_path)) == 1
    message = capsys.readouterr().err
    assert "error: pair 1, room/workload" in message
    assert "view 2 has no known depth" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"some text", "neither a checkpoint, nor a graph, nor an engine"),
    ],
)
def test_a_file_that_no_runtime_reads_is_one_message(
    content: bytes,
    message: str,
    miniature: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    assert dust("score", str(tmp_path / "model.pt"), str(miniature / "data" / "workload")) == 2
    assert message in capsys.readouterr().err


def test_a_graph_of_another_size_is_one_message(
    miniature: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = load_checkpoint(miniature / "artifacts/ci/teacher_fp32.pth").network
    export_onnx(network, tmp_path / "small.onnx", height=64, width=64)
    assert dust("score", str(tmp_path / "small.onnx"), str(miniature / "data" / "workload")) == 2
    message = capsys.readouterr().err
    assert "the graph takes images of 64x64, the set has 512x512" in message


class Oracle:
    """Predicts the truth, at half its scale."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def __call__(self, image1: np.ndarray, image2: np.ndarray) -> PairOutput:
        truth = self.sample.truth
        first = unproject(truth.depth_1, truth.intrinsics_1)
        second = transform(truth.view1_from_view2, unproject(truth.depth_2, truth.intrinsics_2))
        shape = truth.depth_1.shape
        points = [(0.5 * view).reshape(1, *shape, 3) for view in (first, second)]
        sure = np.ones((1, *shape))
        return PairOutput(points[0], sure, points[1], sure)
