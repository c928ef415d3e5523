"""A scene encodes each image once, or both images of every pair, as its protocol says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.workload import PairGraph, Scene
from dust_core.errors import DustError
from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.parts import write_parts
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.exported import encoding_once, exported, exported_parts
from dust_eval.runtimes import EncodesOnce, PairOutput, RuntimeOptions, load_model, load_split
from dust_eval.scene.graph import CannotAlign, predict_edges, require_finite, swin_pairs
from dust_eval.scene.measure import SceneTime, time_scene

ROOT = Path(__file__).parents[3]
SIDE, IMAGES, PAIRS = 64, 3, swin_pairs(3, 2)
PHOTOGRAPHS = list(
    np.random.default_rng(3).uniform(-1, 1, (IMAGES, 1, 3, SIDE, SIDE)).astype(np.float32)
)
OPTIONS = RuntimeOptions(threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.pth, whole.onnx, encoder.onnx and decoder.onnx of one network."""
    torch.manual_seed(2)
    shape = {"enc_dim": 64, "enc_depth": 2, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear")).eval()
    folder = tmp_path_factory.mktemp("network")
    save_checkpoint(network, folder / "model.pth")
    export_onnx(network, folder / "whole.onnx", height=SIDE, width=SIDE)
    write_parts(folder / "whole.onnx", folder / "encoder.onnx", folder / "decoder.onnx")
    return folder


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_encoder_and_decoder_apart_give_what_the_whole_graph_gives(
    folder: Path, runtime: str
) -> None:
    whole = load_model(runtime, folder / "whole.onnx", OPTIONS)
    split = load_split(runtime, folder / "encoder.onnx", folder / "decoder.onnx", OPTIONS)
    by_pair = predict_edges(whole, PHOTOGRAPHS, PAIRS, encode_once=False)
    once = predict_edges(split, PHOTOGRAPHS, PAIRS, encode_once=True)
    assert [(edge.first, edge.second) for edge in once] == PAIRS
    for ours, theirs in zip(once, by_pair, strict=True):
        scale = np.abs(theirs.points).max()
        np.testing.assert_allclose(ours.points / scale, theirs.points / scale, atol=1e-5)
        np.testing.assert_allclose(ours.confidences, theirs.confidences, rtol=1e-5)


def test_torch_obeys_both_ways_and_they_agree(folder: Path) -> None:
    model = load_model("torch", folder / "model.pth", OPTIONS)
    once = predict_edges(model, PHOTOGRAPHS, PAIRS, encode_once=True)
    by_pair = predict_edges(model, PHOTOGRAPHS, PAIRS, encode_once=False)
    for ours, theirs in zip(once, by_pair, strict=True):
        np.testing.assert_allclose(ours.points, theirs.points, rtol=1e-4, atol=1e-5)


class Counting:
    """Counts what is encoded and decoded; predicts a wall at the images' first pixel."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, image1: np.ndarray, image2: np.ndarray) -> PairOutput:
        self.calls.append("pair")
        return _wall(float(image1[0, 0, 0, 0]))

    def encode(self, images: Sequence[np.ndarray]) -> list[float]:
        self.calls += ["encode"] * len(images)
        return [float(image[0, 0, 0, 0]) for image in images]

    def decode(self, first: Any, second: Any) -> PairOutput:
        self.calls.append("decode")
        return _wall(first)


def _wall(shift: float) -> PairOutput:
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    depth = np.full((SIDE, SIDE), 2 + 0.1 * shift)
    points = np.stack([columns / SIDE * depth, rows / SIDE * depth, depth], -1)[None]
    confidence = np.full((1, SIDE, SIDE), 2.0, np.float32)
    confidence[:, : SIDE // 4] = 5.0
    return PairOutput(points, confidence, points, confidence)


@pytest.fixture(scope="module")
def task() -> ResolvedTask:
    return resolve(load_specs(ROOT / "specs"), "P0-2", "ci")


def protocol(task: ResolvedTask, **changes: object) -> Scene:
    return task.workload.scene.model_copy(update={"repeats": 1} | changes)


def graph(task: ResolvedTask) -> PairGraph:
    return task.workload.pair_graph


@pytest.mark.parametrize(
    ("once", "calls"),
    [(True, {"encode": 3, "decode": 6, "pair": 0}), (False, {"encode": 0, "decode": 0, "pair": 6})],
)
def test_the_protocol_decides_how_often_an_image_is_encoded(
    task: ResolvedTask, once: bool, calls: dict[str, int]
) -> None:
    model = Counting()
    time_scene(model, PHOTOGRAPHS, protocol(task, encode_once=once), graph(task))
    assert {name: model.calls.count(name) for name in calls} == calls


def test_the_cloud_of_a_timed_scene_holds_what_reaches_the_least_confidence(
    task: ResolvedTask,
) -> None:
    def points(least: float) -> int:
        alignment = task.workload.scene.alignment.model_copy(update={"min_confidence": least})
        changed = protocol(task, alignment=alignment)
        return time_scene(Counting(), PHOTOGRAPHS, changed, graph(task)).points

    every = IMAGES * SIDE * SIDE
    assert (points(1.0), points(3.0), points(9.0)) == (every, every // 4, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("init", "identity"),
        ("solver", "adam"),
        ("focals", "shared"),
        ("distance", "l2"),
        ("weight", "conf"),
    ],
)
def test_an_alignment_that_is_not_built_is_an_error(
    task: ResolvedTask, field: str, value: str
) -> None:
    alignment = task.workload.scene.alignment.model_copy(update={field: value})
    with pytest.raises(DustError, match=f"scene.alignment.{field} is '{value}', and only"):
        time_scene(Counting(), PHOTOGRAPHS, protocol(task, alignment=alignment), graph(task))


def test_another_graph_of_pairs_is_an_error(task: ResolvedTask) -> None:
    star = graph(task).model_copy(update={"kind": "star"})
    with pytest.raises(DustError, match=r"pair_graph\.kind is 'star', and only 'swin' is built"):
        time_scene(Counting(), PHOTOGRAPHS, protocol(task), star)


def test_one_order_of_each_pair_halves_the_work(task: ResolvedTask) -> None:
    model = Counting()
    time_scene(model, PHOTOGRAPHS, protocol(task, symmetric=False), graph(task))
    assert model.calls.count("decode") == 3


def test_a_graph_of_whole_pairs_cannot_encode_once(folder: Path) -> None:
    whole = load_model("onnxruntime", folder / "whole.onnx", OPTIONS)
    with pytest.raises(DustError, match="it is one graph of whole pairs"):
        predict_edges(whole, PHOTOGRAPHS, PAIRS, encode_once=True)


def test_two_graphs_cannot_run_whole_pairs(folder: Path) -> None:
    split = load_split("onnxruntime", folder / "encoder.onnx", folder / "decoder.onnx", OPTIONS)
    with pytest.raises(DustError, match="cannot run whole pairs"):
        predict_edges(split, PHOTOGRAPHS, PAIRS, encode_once=False)


def test_a_prediction_that_is_no_number_stops_the_scene(task: ResolvedTask) -> None:
    class Broken(Counting):
        def decode(self, first: Any, second: Any) -> PairOutput:
            output = super().decode(first, second)
            output.pts3d_2[0, 3, 3, 2] = np.nan
            return output

    with pytest.raises(CannotAlign, match="predicts NaN or infinity"):
        time_scene(Broken(), PHOTOGRAPHS, protocol(task), graph(task))
    edges = predict_edges(Broken(), PHOTOGRAPHS, PAIRS, encode_once=True)
    with pytest.raises(DustError, match=r"student\.onnx: the network predicts NaN"):
        require_finite(edges, "student.onnx")


def test_parts_are_written_once_and_again_for_other_weights(
    folder: Path, task: ResolvedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = exported_parts(task, folder / "model.pth")
    before = [part.stat().st_mtime_ns for part in parts]
    again = exported_parts(task, folder / "model.pth")
    assert [part.stat().st_mtime_ns for part in again] == before
    torch.manual_seed(3)
    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=1, head="linear"))
    save_checkpoint(network, tmp_path / "model.pth")
    assert not set(exported_parts(task, tmp_path / "model.pth")) & set(parts)


def test_checkpoints_and_graphs_can_be_cut_and_an_engine_cannot(
    folder: Path, task: ResolvedTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_model("onnxruntime", exported(task, folder / "model.pth"), OPTIONS)
    assert isinstance(encoding_once(task, folder / "model.pth", whole), EncodesOnce)
    assert isinstance(encoding_once(task, folder / "whole.onnx", whole), EncodesOnce)
    assert encoding_once(task, folder / "whole.trt", whole) is None


def test_a_part_cannot_be_cut_again(folder: Path, tmp_path: Path) -> None:
    for part in ("encoder.onnx", "decoder.onnx"):
        with pytest.raises(DustError, match="no place where both images are encoded") as caught:
            write_parts(folder / part, tmp_path / "a.onnx", tmp_path / "b.onnx")
        assert caught.value.where == str(folder / part)
    assert not list(tmp_path.iterdir())


def test_a_scene_of_a_graph_is_timed(
    miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(miniature)
    task = resolve(load_specs(Path("specs")), "P0-2", "ci")
    whole = tmp_path / "student_int8.onnx"
    torch.manual_seed(0)
    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
    config = Dust3rConfig.uniform(**shape, dec_heads=1, head="linear", patch_size=32)
    export_onnx(Dust3r(config), whole)
    subject = Subject(path=whole, computed="fp32", scene=True)
    measured = evaluate(task, {"graph": subject})["graph"].measured
    assert (measured.t_scene_s is None) == ("t_scene_s" in measured.reasons)
    assert "could not be aligned" in measured.reasons.get("t_scene_s", "could not be aligned")


def test_a_record_says_what_went_wrong_in_a_timed_scene() -> None:
    good = SceneTime(seconds=1.0, points=7, not_located=())
    assert good.remarks() == []
    assert good.counts() == {"scene_points": 7, "scene_cameras_not_located": 0}
    poor = SceneTime(seconds=1.0, points=0, not_located=(0, 3))
    assert poor.counts()["scene_cameras_not_located"] == 2
    assert poor.remarks() == [
        "PnP found no camera for image 1, 4 of the timed scene",
        "no pixel of the timed scene reaches the protocol's least confidence",
    ]
