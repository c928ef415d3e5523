"""Every runtime computes what torch computes, in the precision that it was asked for."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx import export
from dust_core.network.onnx.export import export_onnx
from dust_eval.runtimes import (
    PairModel,
    PairOutput,
    RuntimeOptions,
    graph_model,
    load_any,
    load_graph,
    load_model,
)

SIDE = 64
IMAGES = tuple(np.random.default_rng(7).uniform(-1, 1, (2, 1, 3, SIDE, SIDE)).astype(np.float32))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny network as a checkpoint and as a graph."""
    torch.manual_seed(1)
    shape = {"enc_dim": 64, "enc_depth": 3, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear")).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("network")
    save_checkpoint(network, folder / "tiny.pth")
    export_onnx(network, folder / "tiny.onnx", height=SIDE, width=SIDE)
    return {".pth": folder / "tiny.pth", ".onnx": folder / "tiny.onnx"}


def loaded(files: dict[str, Path], runtime: str, precision: str = "fp32") -> PairModel:
    path = files[".pth" if runtime == "torch" else ".onnx"]
    return load_model(runtime, path, RuntimeOptions(precision=precision, threads=1))  # type: ignore[arg-type]


def distance(output: PairOutput, expected: PairOutput) -> float:
    """The largest difference of any output, relative to the output's largest value."""
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(output, expected, strict=True)
    )


def has_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_in_fp32_a_runtime_agrees_with_torch(files: dict[str, Path], runtime: str) -> None:
    expected = loaded(files, "torch")(*IMAGES)
    output = loaded(files, runtime)(*IMAGES)
    assert output.pts3d_1.shape == (1, SIDE, SIDE, 3) and output.conf_2.shape == (1, SIDE, SIDE)
    assert {part.dtype for part in output} == {np.dtype(np.float32)}
    assert distance(output, expected) < 1e-4


def test_views_are_not_exchanged(files: dict[str, Path]) -> None:
    for runtime in ("torch", "openvino", "onnxruntime"):
        model = loaded(files, runtime)
        forward, backward = model(*IMAGES), model(*IMAGES[::-1])
        assert distance(forward, backward) > 1e-2


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bf16_is_narrow_where_it_is_asked_for_and_only_there(
    files: dict[str, Path], runtime: str
) -> None:
    if runtime == "openvino" and not has_bf16():
        pytest.skip("this processor has no bf16")
    expected = loaded(files, "torch")(*IMAGES)
    narrow = distance(loaded(files, runtime, "bf16")(*IMAGES), expected)
    assert 1e-4 < narrow < 0.2
    # A narrow model that was loaded before leaves a wide one as it is.
    assert distance(loaded(files, runtime)(*IMAGES), expected) < 1e-4


def test_openvino_is_pinned(files: dict[str, Path]) -> None:
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16" if has_bf16() else "f32")):
        compiled = loaded(files, "openvino", precision).graph.compiled  # type: ignore[attr-defined]
        assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == hint
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert compiled.get_property("NUM_STREAMS") == 1


def test_a_model_says_what_it_computes_in_where_bf16_is_absent(files: dict[str, Path]) -> None:
    assert loaded(files, "openvino").precision == "fp32"
    narrow = loaded(files, "openvino", "bf16")
    assert narrow.precision == ("bf16" if has_bf16() else "fp32")
    same = distance(narrow(*IMAGES), loaded(files, "openvino")(*IMAGES)) == 0
    assert same == (narrow.precision == "fp32")


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_inputs_and_outputs_are_bound_by_name(
    files: dict[str, Path], tmp_path: Path, runtime: str
) -> None:
    model = onnx.load(files[".onnx"])
    for ports in (model.graph.input, model.graph.output):
        reversed_ports = list(ports)[::-1]
        del ports[:]
        ports.extend(reversed_ports)
    onnx.save(model, tmp_path / "turned.onnx")
    turned = load_model(runtime, tmp_path / "turned.onnx", RuntimeOptions(threads=1))
    assert turned.size == (SIDE, SIDE)
    assert distance(turned(*IMAGES), loaded(files, runtime)(*IMAGES)) < 1e-5


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ({"image": [1, 3, 64, 64]}, {}, "the graph has the inputs image; a network has image1, im"),
        ({}, {"conf_2": None}, r"outputs .*; a network has pts3d_1, conf_1, pts3d_2, conf_2"),
        (
            {"image1": [1, 1, 64, 64], "image2": [1, 1, 64, 64]},
            {},
            "image1 has the shape 1x1x64x64, not a batch of images with 3 colours",
        ),
        (
            {"image1": [1, 3, 64, 64], "image2": [1, 3, 64, 32]},
            {},
            "image2 has the shape 1x3x64x32, not 1x3x64x64, to go with image1",
        ),
        ({}, {"conf_1": [1, 32, 64]}, "conf_1 has the shape 1x32x64, not 1x64x64"),
    ],
)
def test_a_graph_that_is_no_networks_is_refused_when_it_is_loaded(
    tmp_path: Path,
    runtime: str,
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int] | None],
    message: str,
) -> None:
    path = tmp_path / "odd.onnx"
    images = inputs or {"image1": [1, 3, 64, 64], "image2": [1, 3, 64, 64]}
    points, confidences = [1, 64, 64, 3], [1, 64, 64]
    shapes = {"pts3d_1": points, "conf_1": confidences, "pts3d_2": points, "conf_2": confidences}
    write_constant_graph(path, images, {name: s for name, s in (shapes | outputs).items() if s})
    with pytest.raises(DustError, match=message) as refused:
        load_model(runtime, path, RuntimeOptions(threads=1))
    assert refused.value.where == str(path)


def write_constant_graph(
    path: Path, inputs: dict[str, list[int]], outputs: dict[str, list[int]]
) -> None:
    """A graph whose outputs are the sum of its inputs, spread over their shapes."""
    nodes = [helper.make_node("ReduceSum", [name], [f"{name}.sum"], keepdims=0) for name in inputs]
    nodes.append(helper.make_node("Sum", [f"{name}.sum" for name in inputs], ["sum"]))
    shapes = []
    for name, shape in outputs.items():
        shapes.append(numpy_helper.from_array(np.array(shape), f"{name}.shape"))
        nodes.append(helper.make_node("Expand", ["sum", f"{name}.shape"], [name]))
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
        shapes,
    )
    opset = [helper.make_opsetid("", 19)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_graph_of_any_inputs_runs_by_name(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "any.onnx"
    write_constant_graph(path, {"left": [2], "right": [3]}, {"total": [1, 4]})
    graph = load_graph(runtime, path, RuntimeOptions(threads=1))
    assert (graph.inputs, graph.outputs["total"]) == ({"left": (2,), "right": (3,)}, (1, 4))
    graph.bind({"right": np.full(3, 10, np.float32), "left": np.full(2, 1, np.float32)})
    graph.execute()
    (total,) = graph.read(["total"])
    assert total.tolist() == [[32.0] * 4]


def test_the_names_are_those_that_export_gives() -> None:
    assert (graph_model.INPUTS, graph_model.OUTPUTS) == (export.INPUTS, export.OUTPUTS)


def test_outputs_of_one_call_survive_the_next(files: dict[str, Path]) -> None:
    for runtime in ("torch", "openvino", "onnxruntime"):
        model = loaded(files, runtime)
        first = model(*IMAGES)
        kept = first.pts3d_1.copy()
        model(*IMAGES[::-1])
        np.testing.assert_array_equal(first.pts3d_1, kept)


def test_onnxruntime_refuses_a_precision_that_it_does_not_choose(files: dict[str, Path]) -> None:
    with pytest.raises(DustError, match="runs a graph in its own types, not in bf16"):
        loaded(files, "onnxruntime", "bf16")


def test_an_unknown_runtime_and_another_file_are_named(files: dict[str, Path]) -> None:
    options = RuntimeOptions(threads=1)
    with pytest.raises(DustError, match="no runtime is called 'tflite'") as unknown:
        load_model("tflite", files[".onnx"], options)
    assert "onnxruntime" in unknown.value.fix
    with pytest.raises(DustError, match=r"torch reads \.pth files"):
        load_model("torch", files[".onnx"], options)
    with pytest.raises(DustError, match="no such file"):
        load_model("openvino", files[".onnx"].with_name("absent.onnx"), options)


def test_a_hub_folder_is_a_checkpoint(files: dict[str, Path], tmp_path: Path) -> None:
    network = load_checkpoint(files[".pth"]).network
    shape = {"enc_embed_dim": 64, "enc_depth": 3, "enc_num_heads": 2}
    shape |= {"dec_embed_dim": 32, "dec_depth": 2, "dec_num_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(shape | {"head_type": "linear"}))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    output = load_any(tmp_path, RuntimeOptions(threads=1))(*IMAGES)
    assert distance(output, loaded(files, "torch")(*IMAGES)) == 0


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(DustError) as refused:
        load_model(runtime, path, RuntimeOptions(threads=1))
    assert refused.value.where == str(path)


@pytest.mark.parametrize(
    ("runtime", "extra"), [("openvino", "runtimes"), ("onnxruntime", "runtimes")]
)
def test_a_runtime_that_is_not_installed_says_what_brings_it(
    files: dict[str, Path], runtime: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    monkeypatch.delitem(sys.modules, f"dust_eval.runtimes.{runtime}_runtime", raising=False)
    with pytest.raises(DustError, match=f"needs the module {runtime}") as refused:
        loaded(files, runtime)
    assert f"'dust-eval[{extra}]'" in refused.value.fix
