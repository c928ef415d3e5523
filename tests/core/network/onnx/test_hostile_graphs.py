"""What a stranger's graph claims is refused in one message, before a library builds anything."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dust_core.errors import DustError
from dust_core.network.onnx.facts import graph_facts
from dust_core.network.onnx.graph import read_graph

WEIGHT = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
PRODUCT = helper.make_node("MatMul", ["x", "w"], ["y"])
Build = Callable[[Path], onnx.ModelProto]


def model(weight: TensorProto = WEIGHT, *nodes: onnx.NodeProto) -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([PRODUCT, *nodes], "g", ports[:1], ports[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])


def outside(
    location: str, dims: tuple[int, ...] = (4, 4), offset: str = "0", length: str | None = None
) -> TensorProto:
    """A weight in a file of its own."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    values = {"location": location, "offset": offset, "length": length}
    for key, value in values.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    return tensor


def within(*dims: int, data_type: int = TensorProto.FLOAT) -> TensorProto:
    return TensorProto(name="w", data_type=data_type, dims=dims, raw_data=b"abcd")


def with_metadata(*entries: tuple[str, str]) -> onnx.ModelProto:
    made = model()
    for key, value in entries:
        made.metadata_props.add(key=key, value=value)
    return made


def with_nodes(count: int) -> onnx.ModelProto:
    made = model()
    made.graph.node.extend([helper.make_node("Identity", ["x"], [])] * count)
    return made


OUTSIDE = "outside its folder"
GRAPHS: dict[str, tuple[onnx.ModelProto, str]] = {
    "weights above": (model(outside("../a.bin")), OUTSIDE),
    "weights at the root": (model(outside("/etc/passwd")), OUTSIDE),
    "weights below and above": (model(outside("b/../../a.bin")), OUTSIDE),
    "weights nowhere": (model(outside("")), OUTSIDE),
    "a name of 100,000 letters": (model(outside("a" * 100_000)), OUTSIDE),
    "weights behind a link": (model(outside("link.bin")), "behind the link"),
    "weights in a pipe": (model(outside("pipe.bin")), "no regular file"),
    "weights in a folder": (model(outside("folder")), "no regular file"),
    "weights that are absent": (model(outside("absent.bin")), "No such file"),
    "an offset of 10 ** 18": (model(outside("a.bin", offset="1" + "0" * 18)), "and has 0"),
    "a negative offset": (model(outside("a.bin", offset="-4")), "begin or end at '-4'"),
    "an offset in words": (model(outside("a.bin", offset="x")), "begin or end at 'x'"),
    "a length of 10 ** 18": (model(outside("a.bin", length="1" + "0" * 18)), "claims 64 bytes"),
    "sides of 10 ** 9": (model(outside("a.bin", (10**9, 10**9))), "claims 4000000000000000000"),
    "sides of 10 ** 9 within": (model(within(10**9, 10**9)), "claims 4000000000000000000"),
    "a negative side": (model(within(-1, 1)), "negative side"),
    "no such type": (model(within(1, data_type=99)), "cannot be read"),
    "a name of metadata twice": (with_metadata(("a", "1"), ("a", "2")), "name a key twice"),
    "metadata of a megabyte": (with_metadata(("a", "b" * 1_000_000)), "has 1,000,000 letters"),
    "60,000 nodes": (with_nodes(60_000), "more than 50,000"),
    "a node without its inputs": (model(WEIGHT, helper.make_node("Gemm", [], ["z"])), "Gemm"),
    "a node without its outputs": (model(WEIGHT, helper.make_node("Relu", ["x"], [])), "Relu"),
    "an attribute of another type": (
        model(WEIGHT, helper.make_node("Softmax", ["x"], ["z"], axis="a")),
        "axis",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "in"
    (inside / "folder").mkdir(parents=True)
    for path in (tmp_path / "a.bin", inside / "a.bin"):
        path.write_bytes(bytes(64))
    (inside / "link.bin").symlink_to(tmp_path / "a.bin")
    os.mkfifo(inside / "pipe.bin")
    return inside


@pytest.mark.parametrize("name", GRAPHS)
def test_it_is_refused_in_one_short_message(name: str, folder: Path) -> None:
    made, message = GRAPHS[name]
    path = folder / "a.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(DustError, match=message) as caught:
        read_graph(path)
    assert caught.value.where == str(path)
    assert len(caught.value.what) < 500


@pytest.mark.parametrize("name", GRAPHS)
def test_its_facts_are_told_or_refused(name: str, folder: Path) -> None:
    """Facts read no weights, so that they are told of a graph whose weights are elsewhere."""
    path = folder / "a.onnx"
    path.write_bytes(GRAPHS[name][0].SerializeToString())
    try:
        assert graph_facts(path)["size_MB"] < 10
    except DustError as error:
        assert len(error.what) < 500


def test_weights_beside_a_graph_are_read(folder: Path) -> None:
    path = folder / "a.onnx"
    path.write_bytes(model(outside("a.bin", length="64")).SerializeToString())
    (weight,) = read_graph(path).graph.initializers.values()
    assert weight.const_value is not None
    assert not weight.const_value.numpy().any()


@pytest.mark.parametrize("location", ["a.bin", "./a.bin", "folder/a.bin"])
def test_weights_in_and_below_the_folder_are_read(location: str, folder: Path) -> None:
    (folder / "folder" / "a.bin").write_bytes(bytes(64))
    path = folder / "a.onnx"
    path.write_bytes(model(outside(location)).SerializeToString())
    (weight,) = read_graph(path).graph.initializers.values()
    assert weight.const_value is not None
    assert not weight.const_value.numpy().any()
    facts = graph_facts(path)
    assert facts["external"] == {"a.bin": True}
    assert facts["size_MB"] == pytest.approx((path.stat().st_size + 64) / 1e6)


def test_weights_behind_a_folder_that_is_a_link_are_refused(folder: Path) -> None:
    (folder / "below").symlink_to(folder.parent, target_is_directory=True)
    path = folder / "a.onnx"
    path.write_bytes(model(outside("below/a.bin")).SerializeToString())
    with pytest.raises(DustError, match=r"behind the link below/a\.bin"):
        read_graph(path)


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_links_as_dvc_makes_them_are_explained(kind: str, folder: Path) -> None:
    """ONNX follows none; the graph itself may be one."""
    cached = folder.parent / "cached"
    cached.write_bytes(bytes(64))
    weights = folder / "w.bin"
    weights.symlink_to(cached) if kind == "symlink" else weights.hardlink_to(cached)
    path = folder / "a.onnx"
    path.write_bytes(model(outside("w.bin")).SerializeToString())
    with pytest.raises(DustError, match="link") as caught:
        read_graph(path)
    assert "dvc config cache.type copy" in caught.value.fix


def test_a_graph_that_is_a_link_is_read(folder: Path) -> None:
    (folder.parent / "cached").write_bytes(model(outside("a.bin")).SerializeToString())
    (folder / "a.onnx").symlink_to(folder.parent / "cached")
    assert len(read_graph(folder / "a.onnx").graph.initializers) == 1


def test_a_pipe_in_a_graphs_place(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.onnx")
    with pytest.raises(DustError, match="no regular file"):
        read_graph(tmp_path / "a.onnx")
