"""Quantized networks as ONNX graphs with Q/DQ nodes and INT8 weights."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from dust_compress.quantize.origin import Origin
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.graph import (
    OPSET,
    QUANTIZE,
    add_constant,
    constant,
    insert,
    integers,
    only_reader,
    read_graph,
    set_integer,
    write_graph,
)

_LOWEST, _HIGHEST = -128, 127
_WORTH_NARROWING = 65_536  # elements


def export_int8(
    network: Dust3r,
    path: Path,
    origin: Origin,
    *,
    height: int = 512,
    width: int = 512,
    opset: int = OPSET,
) -> None:
    """Write a network with fake quantizers as a static Q/DQ graph.

    Activations pass a QuantizeLinear and a DequantizeLinear; weights are stored as INT8 behind a
    DequantizeLinear, and large float weights in 16 bits behind a Cast, so that the file is small.
    The graph's metadata say where it is from.

    Raises:
        DustError: the file cannot be written.
    """
    export_onnx(network, path, height=height, width=width, opset=opset)
    model = read_graph(path)
    fold_weights(model)
    narrow_floats(model)
    origin.write(model)
    write_graph(model, path)


def read_origin(path: Path) -> Origin:
    """The origin in the metadata of a graph from this project.

    Raises:
        DustError: the file is not a graph, or not one from this project.
    """
    origin = Origin.of(read_graph(path))
    if origin is None:
        raise DustError(
            "this is not a graph that a task exported",
            where=str(path),
            fix="pull it again, or run the task that writes it",
        )
    return origin


def fold_weights(model: ir.Model) -> None:
    """Store every weight that a QuantizeLinear reads as INT8, in place.

    A Transpose between a weight and its product is folded too. The result is INT8 weight,
    DequantizeLinear, product.
    """
    for node in list(model.graph):
        if node.op_type == QUANTIZE:
            weight = constant(node.inputs[0])
            if weight is not None:
                _fold(model.graph, node, weight)


def narrow_floats(model: ir.Model) -> None:
    """Store large float weights in FP16, in place; a Cast turns them back to float32.

    They are the weights of the keep-list's products, which run in 16 bits anyway. A weight that
    FP16 cannot hold to three digits, because it is too large or too small, does not change.
    """
    graph = model.graph
    first = graph[0]
    for weight in list(graph.initializers.values()):
        values = constant(weight)
        if values is None or values.dtype != np.float32:
            continue
        if values.size < _WORTH_NARROWING or values.ndim < 2 or not weight.uses():
            continue
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if not np.allclose(narrow.astype(np.float32), values, rtol=1e-3, atol=1e-6):
            continue
        stored = add_constant(graph, f"{weight.name}.fp16", narrow)
        wide = insert(first, "Cast", f"{weight.name}.fp32", [stored], to=ir.DataType.FLOAT)
        weight.replace_all_uses_with(wide)


def _fold(graph: ir.Graph, quantize: ir.Node, weight: NDArray[np.float32]) -> None:
    dequantize = only_reader(quantize)
    axis = quantize.attributes.get_int("axis", 1)
    scale = constant(quantize.inputs[1])
    assert scale is not None, "the exporter writes ranges as constants"
    steps = _quantized(weight, scale, axis)
    readers = dequantize.outputs[0].consumers()
    if len(readers) == 1 and readers[0].op_type == "Transpose":
        order = integers(readers[0], "perm")
        steps, axis = steps.transpose(order), order.index(axis)
        readers[0].outputs[0].replace_all_uses_with(dequantize.outputs[0])
        dequantize.outputs[0].shape = None  # of the original weight
    name = f"{_name(quantize.inputs[0])}.int8"
    zero = np.zeros(scale.shape, np.int8)
    for index, (place, elements) in enumerate(
        ((name, steps), (f"{name}.scale", scale), (f"{name}.zero", zero))
    ):
        dequantize.replace_input_with(index, add_constant(graph, place, elements))
    if scale.ndim:
        set_integer(dequantize, "axis", axis)
    else:
        dequantize.attributes.pop("axis", None)


def _name(value: ir.Value | None) -> str:
    assert value is not None and value.name is not None
    return value.name


def _quantized(
    weight: NDArray[np.float32], scale: NDArray[np.float32], axis: int
) -> NDArray[np.int8]:
    """As QuantizeLinear rounds: half to even, saturated."""
    shape = [1] * weight.ndim
    if scale.ndim:
        shape[axis] = -1
    steps = np.rint(weight / scale.reshape(shape))
    return np.asarray(np.clip(steps, _LOWEST, _HIGHEST), np.int8)
