"""The FP16 variant of a float32 graph, for GPUs.

TensorRT is strongly typed: an operation runs in FP16 if its type in the graph is FP16. Q/DQ pairs
stay in place. The float operations between them (the keep-list, the residual stream) become FP16,
and so do the scales, which opset 19 allows.
"""

from pathlib import Path

import numpy as np
import onnx_ir as ir

from dust_core.errors import DustError
from dust_core.network.onnx.graph import (
    DEQUANTIZE,
    QUANTIZE,
    add_constant,
    constant,
    insert,
    read_graph,
    set_integer,
    simplify,
    write_graph,
    writer,
)

_LARGEST = float(np.finfo(np.float16).max)
_FINEST_SCALE = float(np.finfo(np.float16).smallest_normal)
_ALWAYS_FLOAT = {"Resize": (1, 2)}  # inputs that ONNX defines in float32 only: region and scales
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


def write_half(graph: Path, path: Path) -> None:
    """Write the FP16 variant of the graph to `path`; see `half_precision`.

    Raises:
        DustError: the file is no graph, the graph has no FP16 variant, or the file cannot be
            written.
    """
    model = read_graph(graph)
    half_precision(model, where=str(graph))
    write_graph(model, path)


def half_precision(model: ir.Model, *, where: str = "") -> None:
    """Turn float32 into float16 in place, except inputs, outputs and post-processing.

    Post-processing is everything after the last cast to float32 before each output. It stays in
    float32 because its exponentials overflow FP16 from 11 on. A (de)quantizer stays in float32 if
    its scale is too small for a sufficiently exact FP16 value.

    Args:
        model: static, opset 19, float32.
        where: the file's name, for messages.

    Raises:
        DustError: no cast marks post-processing, or a weight is beyond FP16's range.
    """
    simplify(model)
    nodes = list(model.graph)
    wide = _postprocessing(model.graph, where) | {node for node in nodes if _too_fine(node)}
    narrowed: dict[ir.Value, ir.Value] = {}
    for node in nodes:
        if node not in wide:
            _narrow(node, wide, narrowed, where)
        elif node.op_type == QUANTIZE and writer(node.inputs[0]) not in {None, *wide}:
            node.replace_input_with(0, _cast(node, node.inputs[0], _FLOAT))


def _narrow(
    node: ir.Node, wide: set[ir.Node], narrowed: dict[ir.Value, ir.Value], where: str
) -> None:
    """Make a node compute in FP16: its inputs, its cast type and its outputs."""
    for index, value in enumerate(node.inputs):
        if value is None or not _is_float32(value, wide):
            continue
        if index in _ALWAYS_FLOAT.get(node.op_type, ()):
            continue
        if value not in narrowed:
            narrowed[value] = _halved(node, value, where)
        node.replace_input_with(index, narrowed[value])
    if _casts_to(node, _FLOAT):
        set_integer(node, "to", _HALF)
    for output in node.outputs:
        if output.dtype == _FLOAT:
            output.dtype = _HALF


def _is_float32(value: ir.Value, wide: set[ir.Node]) -> bool:
    """Whether a value stays in float32 although a narrow node reads it."""
    node = writer(value)
    # The output type of wide nodes is not always known; it is float32 except for quantizers.
    return value.dtype == _FLOAT if node is None else node in wide and node.op_type != QUANTIZE


def _halved(node: ir.Node, value: ir.Value, where: str) -> ir.Value:
    """A value in FP16: a constant rounded, anything else behind a Cast before its first reader."""
    elements = constant(value)
    if elements is None:
        return _cast(node, value, _HALF)
    assert node.graph is not None
    largest = float(np.abs(elements).max(initial=0))
    if largest > _LARGEST:
        raise DustError(
            f"{value.name} reaches {largest:.3g}, and FP16 ends at {_LARGEST:.0f}",
            where=where,
            fix="compile this network with floats in fp32",
        )
    return add_constant(node.graph, f"{value.name}.half", elements.astype(np.float16))


def _cast(before: ir.Node, value: ir.Value | None, kind: ir.DataType) -> ir.Value:
    assert value is not None
    name = f"{value.name}.{'half' if kind == _HALF else 'float'}"
    return insert(before, "Cast", name, [value], to=kind)


def _postprocessing(graph: ir.Graph, where: str) -> set[ir.Node]:
    """The nodes from the last casts to float32 to the outputs."""
    nodes: set[ir.Node] = set()
    pending = list(graph.outputs)
    while pending:
        value = pending.pop()
        if value.is_graph_input():
            raise DustError(
                "no cast to float32 marks where post-processing begins",
                where=where,
                fix="export the network with dust_core.network.onnx.export.export_onnx",
            )
        node = value.producer()
        if node is None or node in nodes:
            continue
        nodes.add(node)
        if not _casts_to(node, _FLOAT):
            pending.extend(read for read in node.inputs if read is not None)
    return nodes


def _too_fine(node: ir.Node) -> bool:
    if node.op_type not in (QUANTIZE, DEQUANTIZE):
        return False
    scale = constant(node.inputs[1])
    return scale is not None and bool(scale.min() < _FINEST_SCALE)


def _casts_to(node: ir.Node, kind: ir.DataType) -> bool:
    return node.op_type == "Cast" and node.attributes.get_int("to") == kind
