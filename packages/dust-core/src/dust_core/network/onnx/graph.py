"""ONNX graphs as this project reads, walks, changes and writes them.

A graph is an onnx-ir model. Its values know the node that writes them and those that read them, its
nodes are inserted and removed in place, and weights beside the file are read when they are asked
for. This module adds what that library leaves to its users; docs/adr/021 says why it is used.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dust_core.errors import first_line
from dust_core.files import atomic_path
from dust_core.network.onnx.sound import no_graph, sound_proto

if TYPE_CHECKING:
    import onnx_ir as ir
    from numpy.typing import NDArray

OPSET = 19
"""The opset of every graph of this project: the first whose Q/DQ nodes take FP16 scales."""

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"

_PROTOBUF_LIMIT = 2_000_000_000  # bytes; larger weights are in a file of their own
_WORTH_MOVING = 1024  # bytes; smaller tensors stay in the graph's own file


def read_graph(path: Path) -> "ir.Model":
    """Read a graph; weights that are beside it are read when they are used.

    Raises:
        DustError: the file is absent, is no ONNX graph, or claims weights that it has not.
    """
    import onnx_ir as ir
    from google.protobuf.message import DecodeError

    sound_proto(path)
    try:
        model = ir.load(path)
    # onnx-ir refuses a damaged graph with whatever its parts raise.
    except (
        OSError,
        DecodeError,
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise no_graph(path, first_line(error)) from error
    return model


def write_graph(model: "ir.Model", path: Path, *, limit: int = _PROTOBUF_LIMIT) -> None:
    """Simplify a graph and write it, whole or not at all.

    Weights that do not fit the format's 2 GB go to `{path}.data` beside the graph.

    Args:
        limit: bytes of weights that the graph's own file may hold.

    Raises:
        DustError: a file cannot be written.
    """
    import onnx_ir as ir

    simplify(model)
    beside = path.with_name(path.name + ".data")
    tensors = [value.const_value for value in model.graph.initializers.values()]
    large = sum(tensor.nbytes for tensor in tensors if tensor is not None) > limit
    with atomic_path(path) as temporary:
        if large:
            ir.save(model, temporary, external_data=beside.name, size_threshold_bytes=_WORTH_MOVING)
        else:
            ir.external_data.load_to_model(model)
            ir.save(model, temporary)
    if not large:
        beside.unlink(missing_ok=True)


def simplify(model: "ir.Model") -> None:
    """Keep one copy of every constant, and nothing that no output depends on, in place.

    Constants become initializers. The exporter writes the RoPE tables at every use of them, and
    names the weight of a layer that both views use twice.
    """
    from onnx_ir.passes import common

    for step in (
        common.LiftConstantsToInitializersPass(size_limit=0),
        common.IdentityEliminationPass(),
        common.DeduplicateHashedInitializersPass(),
        common.RemoveUnusedNodesPass(),
    ):
        step(model)


def constant(value: "ir.Value | None") -> "NDArray[Any] | None":
    """The elements of a value that is the same in every run, wherever the graph stores them.

    None for an absent input, and for a value that depends on the graph's inputs.
    """
    from onnx_ir import convenience

    tensor = None if value is None else convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def add_constant(graph: "ir.Graph", name: str, elements: "NDArray[Any]") -> "ir.Value":
    """Add an initializer to a graph, under the next free name after `name`."""
    import numpy as np
    import onnx_ir as ir

    free, number = name, 1
    while free in graph.initializers:
        number += 1
        free = f"{name}.{number}"
    tensor = ir.tensor(np.ascontiguousarray(elements).reshape(elements.shape), name=free)
    value = ir.Value(
        name=free, shape=ir.Shape(elements.shape), type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )  # fmt: skip
    graph.initializers.add(value)
    return value


def insert(
    before: "ir.Node", kind: str, name: str, inputs: "Sequence[ir.Value | None]", **attributes: Any
) -> "ir.Value":
    """Insert a node with one output into the graph of another, before it; the output."""
    import onnx_ir as ir

    assert before.graph is not None
    node = ir.node(kind, inputs, attributes, outputs=[ir.Value(name=name)], name=name)
    before.graph.insert_before(before, node)
    return node.outputs[0]


def writer(value: "ir.Value | None") -> "ir.Node | None":
    """The node that writes a value; None for inputs, initializers and absent inputs."""
    return None if value is None else value.producer()


def only_reader(node: "ir.Node") -> "ir.Node":
    """The only node that reads what a node writes.

    Raises:
        ValueError: several read it, or none.
    """
    (reader,) = node.outputs[0].consumers()
    return reader


def set_integer(node: "ir.Node", name: str, number: int) -> None:
    """Give a node an attribute that is a whole number."""
    import onnx_ir as ir

    node.attributes.add(ir.AttrInt64(name, number))


def integers(node: "ir.Node", name: str) -> tuple[int, ...]:
    """An attribute that lists whole numbers; empty where it is not given."""
    attribute = node.attributes.get(name)
    return () if attribute is None else tuple(attribute.as_ints())


def label(node: "ir.Node") -> str:
    """What a message calls a node."""
    return f"{node.op_type} {node.name or node.outputs[0].name}"
