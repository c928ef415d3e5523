"""What is exported is written so that runtimes fuse it, and the network stays as it is."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.model.blocks import CrossAttention, SelfAttention
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.form import export_form
from dust_core.network.onnx.graph import read_graph, write_graph
from dust_core.network.onnx.selection import fold_selections

SHAPE = {"enc_dim": 32, "enc_depth": 2, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
CONFIG = Dust3rConfig.uniform(**SHAPE, dec_heads=2, head="linear")
ATTENTIONS = 2 + 2 * 2 * 2  # of the encoder; of two decoders, to themselves and to each other


def network() -> Dust3r:
    torch.manual_seed(0)
    return Dust3r(CONFIG).eval()


def attentions(made: Dust3r) -> list[torch.nn.Module]:
    return [module for module in made.modules() if hasattr(module, "attend")]


def test_the_form_computes_the_same_and_leaves_the_network_as_it_was() -> None:
    made = network()
    before, images = attentions(made), torch.rand(2, 1, 3, 64, 96)
    with torch.inference_mode():
        expected = made(*images)
        with export_form(made):
            assert not any(type(m) in (SelfAttention, CrossAttention) for m in attentions(made))
            for computed, value in zip(made(*images), expected, strict=True):
                torch.testing.assert_close(computed, value, rtol=1e-4, atol=1e-5)
        assert all(map(torch.equal, made(*images), expected))
    assert attentions(made) == before


def test_a_failure_in_the_form_leaves_the_network_as_it_was() -> None:
    made = network()
    before = attentions(made)
    with pytest.raises(ZeroDivisionError), export_form(made):
        raise ZeroDivisionError
    assert attentions(made) == before


def test_no_selection_and_no_second_move_stays_between_two_products(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    export_onnx(network(), path, height=64, width=64)
    graph = onnx.load(path).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert not kinds.keys() & {"Gather", "Expand"}
    # Of queries, keys, values and what is attended; keys once more, for their product.
    in_blocks = [n for n in graph.node if n.op_type == "Transpose" and "blocks" in n.name]
    assert len(in_blocks) == ATTENTIONS * (4 + 1)
    assert kinds["Transpose"] == len(in_blocks) + 2 + 2 * 2, "patches, points and confidences"
    readers = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type == "Concat" and "blocks" in node.name:
            assert readers[node.output[0]].op_type == "Mul", "of the rotary embedding alone"


def test_a_network_whose_biases_are_equal_is_exported(tmp_path: Path) -> None:
    made, path, images = network(), tmp_path / "graph.onnx", torch.rand(2, 1, 3, 64, 64)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
        expected = made(*images)
    export_onnx(made, path, height=64, width=64)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {f"image{number}": image.numpy() for number, image in enumerate(images, 1)}
    for computed, value in zip(session.run(None, feed), expected, strict=True):
        np.testing.assert_allclose(computed, value.numpy(), rtol=1e-4, atol=1e-5)


def product(path: Path, indices: list[int], *, between: str | None = None) -> None:
    """-(x w + b)[indices], the weight transposed, or what is selected of another node."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.normal(size=(6, 4)).astype(np.float32),
        "b": random.normal(size=6).astype(np.float32),
        "chosen": np.array(indices),
        "scale": random.uniform(0.01, 0.02, 6).astype(np.float32),
        "zero": np.zeros(6, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "scale", "zero"], ["w8"], name="q", axis=0),
        helper.make_node("DequantizeLinear", ["w8", "scale", "zero"], ["wd"], name="d", axis=0),
        helper.make_node("Transpose", ["wd"], ["wt"], name="t", perm=[1, 0]),
        helper.make_node("MatMul", ["x", "wt"], ["xw"], name="product"),
        helper.make_node("Add", ["b", "xw"], ["sum"], name="sum"),
    ]
    if between:
        nodes.append(helper.make_node(between, ["sum"], ["between"], name="between"))
    read = "between" if between else "sum"
    nodes += [
        helper.make_node("Gather", [read, "chosen"], ["taken"], name="take", axis=2),
        helper.make_node("Neg", ["taken"], ["y"], name="negative"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, len(indices)])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(onnx.shape_inference.infer_shapes(made), path)


def run(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)})[0]


@pytest.mark.parametrize("indices", [[2, 0, 5], [5], [0, 0, 1], list(range(6))])
def test_a_selection_becomes_a_product_of_the_selected_weights(
    indices: list[int], tmp_path: Path
) -> None:
    before, after = tmp_path / "before.onnx", tmp_path / "after.onnx"
    product(before, indices)
    model = read_graph(before)
    fold_selections(model)
    write_graph(model, after)
    np.testing.assert_allclose(run(after), run(before), rtol=1e-6, atol=1e-6)
    graph = onnx.load(after).graph
    assert [node.op_type for node in graph.node].count("MatMul") == 1
    assert "Gather" not in {node.op_type for node in graph.node}
    (weight,) = (tensor for tensor in graph.initializer if len(tensor.dims) == 2)
    assert list(weight.dims) == [len(indices), 4]


def test_a_selection_of_something_else_is_refused(tmp_path: Path) -> None:
    product(tmp_path / "a.onnx", [1], between="Relu")
    with pytest.raises(ValueError, match=r"Gather take selects outputs of what is no layer"):
        fold_selections(read_graph(tmp_path / "a.onnx"))
