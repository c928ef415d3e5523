from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dust_compress.engine.half import write_half
from dust_core.errors import DustError

KINDS = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16", TensorProto.INT8: "int8"}


def _run(path: Path) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    shape = session.get_inputs()[0].shape
    names = [entry.name for entry in session.get_inputs()]
    return session.run(
        None, {name: random.uniform(-1, 1, shape).astype(np.float32) for name in names}
    )


def _kinds(path: Path) -> dict[str, set[str]]:
    """The types of what each kind of operator puts out."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True)
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    types |= {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    computed: dict[str, set[str]] = {}
    for node in model.graph.node:
        computed.setdefault(node.op_type, set()).add(KINDS[types[node.output[0]]])
    return computed


@pytest.mark.parametrize(("graph", "tolerance"), [("float_graph", 2e-3), ("int8_graph", 2e-2)])
def test_the_variant_computes_the_same(
    graph: str, tolerance: float, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    source, half = request.getfixturevalue(graph), tmp_path / "half.onnx"
    write_half(source, half)
    for wide, narrow in zip(_run(source), _run(half), strict=True):
        assert narrow.dtype == np.float32
        assert np.linalg.norm(narrow - wide) <= tolerance * np.linalg.norm(wide)


def test_products_and_scales_are_fp16_and_post_processing_is_not(
    int8_graph: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half.onnx"
    write_half(int8_graph, half)
    kinds = _kinds(half)
    narrow = ("MatMul", "LayerNormalization", "Softmax", "DequantizeLinear", "Erf")
    assert {name: kinds[name] for name in narrow} == {name: {"fp16"} for name in narrow}
    assert kinds["Exp"] == kinds["Tanh"] == kinds["Sqrt"] == {"fp32"}
    assert kinds["QuantizeLinear"] == {"int8"}
    assert _float32_bytes(half) < 0.05 * _float32_bytes(int8_graph)


def test_a_scale_that_fp16_cannot_hold_stays_in_float32(int8_graph: Path, tmp_path: Path) -> None:
    model = onnx.load(int8_graph)
    scales = {node.input[1] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    finest = next(tensor for tensor in model.graph.initializer if tensor.name in scales)
    tiny = np.full_like(numpy_helper.to_array(finest), 3e-8)  # FP16 would have 0 or twice that
    finest.CopyFrom(numpy_helper.from_array(tiny, finest.name))
    source, half = tmp_path / "source.onnx", tmp_path / "half.onnx"
    onnx.save(model, source)
    write_half(source, half)
    assert _kinds(half)["DequantizeLinear"] == {"fp16", "fp32"}
    kept = next(
        tensor for tensor in onnx.load(half).graph.initializer if tensor.name == finest.name
    )
    assert numpy_helper.to_array(kept).min() == np.float32(3e-8)
    for wide, narrow in zip(_run(source), _run(half), strict=True):
        assert np.linalg.norm(narrow - wide) <= 2e-2 * np.linalg.norm(wide)


def test_a_weight_beyond_fp16_is_named(float_graph: Path, tmp_path: Path) -> None:
    model = onnx.load(float_graph)
    weight = next(t for t in model.graph.initializer if t.name.startswith("patch_embed.proj.w"))
    weight.CopyFrom(numpy_helper.from_array(np.full(weight.dims, 7e4, np.float32), weight.name))
    path = tmp_path / "a.onnx"
    onnx.save(model, path)
    with pytest.raises(
        DustError, match=r"a\.onnx: patch_embed\.proj\.weight\S* reaches 7e\+04.*65504"
    ):
        write_half(path, tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()


def test_a_graph_without_a_mark_for_post_processing_is_refused(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", values[:1], values[1:])
    onnx.save(helper.make_model(graph), tmp_path / "exp.onnx")
    with pytest.raises(DustError, match="no cast to float32 marks where post-processing begins"):
        write_half(tmp_path / "exp.onnx", tmp_path / "half.onnx")


def _float32_bytes(path: Path) -> int:
    stored = onnx.load(path).graph.initializer
    return sum(len(tensor.raw_data) for tensor in stored if tensor.data_type == TensorProto.FLOAT)
