"""Every rule on Q/DQ graphs, by a graph that breaks it alone."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.rules import RULES
from dust_core.declared.checks.subjects import Graph
from dust_core.declared.specs.models.quant import Policy
from dust_core.declared.specs.names import KEEP_FAMILIES
from dust_core.network.model import Dust3r, Dust3rConfig

TINY = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=32, dec_depth=1, dec_heads=2, head="linear"
)
POLICY = Policy.model_validate(
    {
        "weights": {"bits": 8, "granularity": "per_channel"},
        "activations": {"bits": 8, "granularity": "per_tensor"},
        "keep_list": list(KEEP_FAMILIES),
        "attention_products": False,
        "calibrator": "max",
        "percentile": 99.99,
        "smoothing": None,
        "bias_correction": False,
    }
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network, path = Dust3r(TINY).eval(), tmp_path_factory.mktemp("graph") / "student_int8.onnx"
    image = 2 * torch.rand(1, 3, 32, 32) - 1
    with torch.no_grad():
        quantize(network, POLICY, lambda model: model(image, image.flip(-1)))
    export_int8(network, path, Origin("KQ_INT8_run1"), height=32, width=32)
    return path


def broken_rules(path: Path) -> set[str]:
    """The ids of the rules that a graph breaks."""
    return {finding.rule for rule in RULES for finding in rule.check(Graph(path.name, path))}


def test_what_we_export_breaks_none(good: Path) -> None:
    assert broken_rules(good) == set()


def first(model: onnx.ModelProto, kind: str, **wanted: bool) -> onnx.NodeProto:
    """The first node of a kind; of dequantizers the first of a weight, or of an activation."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return next(
        node
        for node in model.graph.node
        if node.op_type == kind
        and (not wanted or (node.input[0] in weights) == wanted["of_weight"])
    )


def replace_constant(model: onnx.ModelProto, name: str, values: np.ndarray) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(values, name))


def other_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 17


def dynamic_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def shifted_zero(model: onnx.ModelProto) -> None:
    node = first(model, "DequantizeLinear", of_weight=True)
    zeros = next(t for t in model.graph.initializer if t.name == node.input[2])
    replace_constant(model, node.input[2], np.ones_like(numpy_helper.to_array(zeros)))


def zero_scale(model: onnx.ModelProto) -> None:
    node = first(model, "DequantizeLinear", of_weight=True)
    scales = next(t for t in model.graph.initializer if t.name == node.input[1])
    values = numpy_helper.to_array(scales).copy()
    values[0] = 0
    replace_constant(model, node.input[1], values)


def wrong_axis(model: onnx.ModelProto) -> None:
    first(model, "DequantizeLinear", of_weight=True).attribute[0].i = 0


def half_a_product(model: onnx.ModelProto) -> None:
    node = first(model, "DequantizeLinear", of_weight=False)
    quantize_node = next(n for n in model.graph.node if node.input[0] in n.output)
    product = next(
        n for n in model.graph.node if n.op_type == "MatMul" and node.output[0] in n.input
    )
    product.input[0] = quantize_node.input[0]


def quantized_bias(model: onnx.ModelProto) -> None:
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.ones(4, np.int8), "bias8"),
            numpy_helper.from_array(np.float32(0.1), "bias8.scale"),
            numpy_helper.from_array(np.int8(0), "bias8.zero"),
        ]
    )
    inputs = ["bias8", "bias8.scale", "bias8.zero"]
    model.graph.node.insert(0, helper.make_node("DequantizeLinear", inputs, ["bias"], "bias"))


def quantized_norm(model: onnx.ModelProto) -> None:
    node = first(model, "DequantizeLinear", of_weight=False)
    later = [norm for norm in model.graph.node if norm.op_type == "LayerNormalization"][-1]
    later.input[0] = node.output[0]


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("QDQ002", other_opset),
        ("QDQ003", dynamic_batch),
        ("QDQ004", shifted_zero),
        ("QDQ005", zero_scale),
        ("QDQ006", wrong_axis),
        ("QDQ007", half_a_product),
        ("QDQ008", quantized_bias),
        ("QDQ009", quantized_norm),
    ],
)
def test_a_graph_broken_in_one_way_breaks_that_rule(
    good: Path, tmp_path: Path, rule: str, spoil: Callable[[onnx.ModelProto], None]
) -> None:
    model = onnx.load(good)
    spoil(model)
    path = tmp_path / good.name
    onnx.save(model, path)
    assert broken_rules(path) == {rule}


def test_a_file_that_is_no_graph_or_a_float_one_under_an_int8_name(
    good: Path, tmp_path: Path
) -> None:
    readable = RULES[0]
    path = tmp_path / "student_int8.onnx"
    path.write_bytes(good.read_bytes()[:999])
    assert [finding.rule for finding in readable.check(Graph(path.name, path))] == ["QDQ001"]
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    relu = helper.make_node("Relu", ["x"], ["y"])
    graph = helper.make_graph([relu], "float", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph), path)
    assert [finding.found for finding in readable.check(Graph(path.name, path))] == [
        "no DequantizeLinear"
    ]
    shutil.copy(path, tmp_path / "exported.onnx")
    assert broken_rules(tmp_path / "exported.onnx") == set()


def test_a_graph_that_changed_under_its_name_is_read_again(good: Path, tmp_path: Path) -> None:
    """Also where its size and its time are the same."""
    path = tmp_path / good.name
    shutil.copy(good, path)
    assert broken_rules(path) == set()
    model = onnx.load(good)
    zero = next(n.input[2] for n in model.graph.node if n.op_type == "QuantizeLinear")
    replace_constant(model, zero, np.array(1, np.int8))
    before = path.stat()
    onnx.save(model, path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert broken_rules(path) == {"QDQ004"}


@pytest.mark.parametrize(
    "exp_id", ["", "[/x]", "\x1b[31m", "K_T3B05_run3", f"KQ_INT8_run{'9' * 5000}", "KQ_INT8"]
)
def test_odd_metadata_keep_everything_in_float(good: Path, tmp_path: Path, exp_id: str) -> None:
    model = onnx.load(good)
    for entry in model.metadata_props:
        entry.value = exp_id
    onnx.save(model, tmp_path / good.name)
    assert broken_rules(tmp_path / good.name) == set()


@pytest.mark.parametrize(
    "scale", [np.array([b"a"], object), np.zeros((), np.float32), np.zeros((0,), np.float32)]
)
def test_an_odd_scale_is_a_finding(good: Path, tmp_path: Path, scale: np.ndarray) -> None:
    model = onnx.load(good)
    name = first(model, "DequantizeLinear", of_weight=True).input[1]
    replace_constant(model, name, scale)
    onnx.save(model, tmp_path / good.name)
    assert broken_rules(tmp_path / good.name)


def test_a_graph_with_weights_outside_its_folder_is_a_finding(good: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / good.name
    onnx.save(onnx.load(good), path, save_as_external_data=True, location="a.data")
    assert broken_rules(path) == set()
    (path.parent / "a.data").rename(tmp_path / "a.data")
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "../a.data" if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    assert broken_rules(path) >= {"QDQ001"}
