"""Values that are no number are counted, each once, wherever they are."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from dust_core.errors import DustError
from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx
from dust_eval.measure.resources import non_finite_weights
from dust_eval.quality import PairTruth, QualityReport, Sample, measure_quality
from dust_eval.runtimes import PairOutput

SIDE = 8
PARTS = PairOutput._fields
BAD = (np.nan, np.inf, -np.inf)


def truth() -> PairTruth:
    depth = np.full((SIDE, SIDE), 2.0)
    depth[0] = 0  # unknown
    intrinsics = np.array([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2], [0, 0, 1.0]])
    return PairTruth(depth, depth, intrinsics, intrinsics, np.eye(4))


def prediction(*, depth: float = 2.0) -> PairOutput:
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    points = np.stack([columns, rows, np.full_like(rows, depth)], -1)[None]
    confidences = np.full((1, SIDE, SIDE), 3, np.float32)
    return PairOutput(points, confidences, points.copy(), confidences.copy())


def report(*predictions: PairOutput) -> QualityReport:
    """Quality of a network that predicts these, pair by pair."""
    images = (np.zeros((1, 3, SIDE, SIDE), np.float32),) * 2
    samples = [Sample(f"pair {index}", images, truth()) for index in range(len(predictions))]
    outputs = iter(predictions)
    model: Any = lambda *_: next(outputs)  # noqa: E731
    return measure_quality(model, samples, chamfer_points=1000, seed=0)


@given(
    spots=st.dictionaries(
        st.tuples(st.sampled_from(PARTS), st.integers(0, SIDE * SIDE - 1)),
        st.sampled_from(BAD),
        max_size=12,
    )
)
@settings(deadline=None, max_examples=50)
def test_each_value_of_a_prediction_counts(spots: dict[tuple[str, int], float]) -> None:
    broken = prediction()
    for (part, place), value in spots.items():
        getattr(broken, part).reshape(-1)[place] = value
    counted = report(prediction(), broken)
    assert counted.non_finite == len(spots)
    assert bool(counted.per_pair) == (not spots)
    assert list(counted.unscored) == (["pair 1"] if spots else [])


def test_values_of_all_pairs_are_counted_and_the_first_is_named() -> None:
    broken = [prediction(), prediction()]
    broken[0].conf_2[0, 0, :3] = np.nan
    broken[1].pts3d_1[0, 5, 5, 1] = np.inf
    counted = report(prediction(), *broken)
    assert counted.non_finite == 4
    assert counted.why_unscored == (
        "2 of 3 pairs cannot be scored; pair 1: 3 predicted values are NaN or infinite"
    )


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_prediction_that_overflows_at_the_truths_scale_is_not_scored() -> None:
    huge = prediction()
    huge.pts3d_2[...] = np.float32(3e38)
    huge.pts3d_1[..., 2] = np.float32(1e-3)
    counted = report(huge)
    assert counted.per_pair == {}
    assert "cloud holds NaN or infinity" in counted.why_unscored


def test_a_network_that_sees_nothing_ahead_is_not_scored_and_has_no_nan() -> None:
    counted = report(prediction(depth=-2.0))
    assert (counted.non_finite, counted.per_pair) == (0, {})
    assert "no predicted depth is positive" in counted.why_unscored


def test_a_prediction_of_another_size_is_an_error() -> None:
    small = PairOutput(*(part[:, : SIDE // 2] for part in prediction()))
    with pytest.raises(DustError, match=r"pair 0: the prediction cannot be scored: points_1 is"):
        report(small)


@pytest.fixture(scope="module")
def network() -> Dust3r:
    torch.manual_seed(0)
    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
    return Dust3r(Dust3rConfig.uniform(**shape, dec_heads=1, head="linear")).eval()


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_weight_of_a_checkpoint_counts(network: Dust3r, tmp_path: Path, count: int) -> None:
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    spread(count, [tensor.view(-1).numpy() for tensor in state.values()])
    broken = Dust3r(network.config)
    broken.load_state_dict(state)
    save_checkpoint(broken, tmp_path / "broken.pth")
    assert non_finite_weights(tmp_path / "broken.pth") == count


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_weight_of_a_graph_counts(network: Dust3r, tmp_path: Path, count: int) -> None:
    path = tmp_path / "graph.onnx"
    export_onnx(network, path, height=32, width=32)
    model = onnx.load(path)
    floats = [tensor for tensor in model.graph.initializer if tensor.data_type == 1]
    arrays = [numpy_helper.to_array(tensor).copy() for tensor in floats]
    spread(count, [array.reshape(-1) for array in arrays])
    for tensor, array in zip(floats, arrays, strict=True):
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(model, path)
    assert non_finite_weights(path) == count


def spread(count: int, arrays: list[np.ndarray]) -> None:
    """Put that many values that are no number into the two largest arrays, in turn."""
    largest = sorted(arrays, key=len)[-2:]
    for index in range(count):
        largest[index % 2][index // 2] = BAD[index % 3]


def test_an_engine_shows_no_weights() -> None:
    assert non_finite_weights(Path("student_int8.trt")) == 0
