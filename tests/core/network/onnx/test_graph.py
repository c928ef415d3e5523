"""Reading, changing and writing ONNX graphs."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from dust_core.errors import DustError
from dust_core.network.onnx.graph import add_constant, constant, read_graph, write_graph

WEIGHT = np.arange(600, dtype=np.float32).reshape(20, 30)


def save_product(path: Path) -> None:
    """x @ w + w[0] + 2, the weight once as an initializer and once as a node, and a dead end."""
    shared = numpy_helper.from_array(WEIGHT, "w")
    two = numpy_helper.from_array(np.float32(2))
    nodes = [
        helper.make_node("Identity", ["w"], ["w_again"]),
        helper.make_node("Constant", [], ["w_copy"], value=numpy_helper.from_array(WEIGHT)),
        helper.make_node("Constant", [], ["two"], value=two),
        helper.make_node("MatMul", ["x", "w_again"], ["first"]),
        helper.make_node("MatMul", ["x", "w_copy"], ["second"]),
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Add", ["sum", "two"], ["y"]),
        helper.make_node("Relu", ["first"], ["unread"]),
    ]
    ports = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 20]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 30]),
    ]
    graph = helper.make_graph(nodes, "product", ports[:1], ports[1:], [shared])
    opset = [helper.make_opsetid("", 19)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def run(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(4, 20)
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize("limit", [2_000_000_000, 1000])
def test_a_graph_is_written_with_each_constant_once_and_computes_the_same(
    limit: int, tmp_path: Path
) -> None:
    path, written = tmp_path / "product.onnx", tmp_path / "written.onnx"
    save_product(path)
    write_graph(read_graph(path), written, limit=limit)
    assert np.array_equal(run(path), run(written))
    graph = onnx.load(written, load_external_data=False).graph
    assert sorted(node.op_type for node in graph.node) == ["Add", "Add", "MatMul", "MatMul"]
    assert len(graph.initializer) == 2
    names = {entry.name for entry in tmp_path.iterdir()}
    beside = {"written.onnx.data"} if limit == 1000 else set()
    assert names == {"product.onnx", "written.onnx"} | beside
    assert written.stat().st_size < (1000 if beside else WEIGHT.nbytes + 1000)


def test_weights_beside_a_graph_are_read_changed_and_gathered(tmp_path: Path) -> None:
    path = tmp_path / "product.onnx"
    save_product(path)
    write_graph(read_graph(path), path, limit=1000)
    before = run(path)
    write_graph(read_graph(path), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["product.onnx"]
    assert np.array_equal(run(path), before)
    write_graph(read_graph(path), path, limit=1000)
    model = read_graph(path)
    weight = model.graph.initializers["w"]
    elements = constant(weight)
    assert np.array_equal(elements, WEIGHT)
    weight.replace_all_uses_with(add_constant(model.graph, "w", 2 * WEIGHT))
    write_graph(model, path)
    assert not (tmp_path / "product.onnx.data").exists(), "nothing reads it any more"
    assert np.allclose(run(path) - 2, 2 * (before - 2))
    assert list(onnx.load(path).graph.initializer)[-1].name == "w.2", "a name is given once"


def test_only_what_is_constant_has_elements(tmp_path: Path) -> None:
    save_product(tmp_path / "product.onnx")
    graph = read_graph(tmp_path / "product.onnx").graph
    elements = {value.name: constant(value) for node in graph for value in node.outputs}
    assert np.array_equal(elements["w_copy"], WEIGHT)
    assert elements["two"] == 2
    assert elements["first"] is None
    assert constant(None) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the graph cannot be read: No such file"),
        (b"", "this is no ONNX graph: it has no node"),
        (b"\x08\x07", "this is no ONNX graph: it has no node"),
        (bytes(range(1, 200)), "this is no ONNX graph: "),
    ],
)
def test_a_file_that_is_no_graph_is_one_clear_error(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "graph.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DustError, match=message) as caught:
        read_graph(path)
    assert caught.value.where == str(path)
    assert caught.value.fix


def test_a_graph_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "product.onnx"
    save_product(path)
    with pytest.raises(DustError, match="cannot write the file"):
        write_graph(read_graph(path), path / "inside_a_file.onnx")
