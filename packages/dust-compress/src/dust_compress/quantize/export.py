"""Quantized networks as ONNX graphs with Q/DQ nodes and INT8 weights."""

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from dust_compress.quantize.origin import Origin
from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.network.model import Dust3r
from dust_core.network.onnx.export import export_onnx

_LOWEST, _HIGHEST = -128, 127
_WORTH_NARROWING = 65_536  # elements


def export_int8(
    network: Dust3r, path: Path, origin: Origin, *, height: int = 512, width: int = 512
) -> None:
    """Write a network with fake quantizers as a static Q/DQ graph of opset 19.

    Activations pass a QuantizeLinear and a DequantizeLinear; weights are stored as INT8 behind a
    DequantizeLinear, and large float weights in 16 bits behind a Cast, so that the file shrinks
    with them. The graph's metadata say where it is from.

    Raises:
        DustError: the file cannot be written.
    """
    export_onnx(network, path, height=height, width=width)
    model = onnx.load(path)
    fold_weights(model)
    narrow_floats(model)
    origin.write(model)
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)
    path.with_name(path.name + ".data").unlink(missing_ok=True)


def read_origin(path: Path) -> Origin:
    """What the metadata of a graph of ours say.

    Raises:
        DustError: it is no graph, or none of ours.
    """
    try:
        found = Origin.of(onnx.load(path).metadata_props)
    except (OSError, DecodeError) as error:
        raise _not_ours(path) from error
    if found is None:
        raise _not_ours(path)
    return found


def _not_ours(path: Path) -> DustError:
    return DustError(
        "this is no graph that a task exported",
        where=str(path),
        fix="pull it again, or run the task that writes it",
    )


def fold_weights(model: onnx.ModelProto) -> None:
    """Quantize every weight that a QuantizeLinear reads, once and for all, in place.

    A Transpose between a weight and its product is carried out as well: what is left is INT8
    weight, DequantizeLinear, product.
    """
    graph = _Graph(model)
    for node in list(model.graph.node):
        if node.op_type == "QuantizeLinear" and node.input[0] in graph.constants:
            _fold(graph, node)
    graph.finish()


def narrow_floats(model: onnx.ModelProto) -> None:
    """Store large float weights in FP16, in place; a Cast gives them back as float32.

    They are the weights of the keep-list's products, which run in 16 bits anyway. A weight that
    FP16 cannot hold to three digits, because it is too large or too small, stays as it is.
    """
    casts = []
    for one in model.graph.initializer:
        values = numpy_helper.to_array(one)
        if values.dtype != np.float32 or values.size < _WORTH_NARROWING or values.ndim < 2:
            continue
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if not np.allclose(narrow.astype(np.float32), values, rtol=1e-3, atol=1e-6):
            continue
        casts.append(
            helper.make_node("Cast", [f"{one.name}.fp16"], [one.name], to=TensorProto.FLOAT)
        )
        one.CopyFrom(numpy_helper.from_array(narrow, f"{one.name}.fp16"))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])


def _fold(graph: "_Graph", quantize: NodeProto) -> None:
    (dequantize,) = graph.readers[quantize.output[0]]
    axis = next((one.i for one in quantize.attribute if one.name == "axis"), 1)
    weight = graph.constants[quantize.input[0]]
    scale = graph.constants[quantize.input[1]]
    integers = _quantized(weight, scale, axis)
    readers = graph.readers[dequantize.output[0]]
    if len(readers) == 1 and readers[0].op_type == "Transpose":
        (transpose,) = readers
        (order,) = (list(one.ints) for one in transpose.attribute if one.name == "perm")
        integers, axis = np.ascontiguousarray(integers.transpose(order)), order.index(axis)
        dequantize.output[0] = transpose.output[0]
        graph.drop(transpose)
    name = f"{quantize.input[0]}.int8"
    graph.add(name, integers)
    graph.add(f"{name}.scale", scale)
    graph.add(f"{name}.zero", np.zeros(scale.shape, np.int8))
    del dequantize.input[:]
    dequantize.input.extend([name, f"{name}.scale", f"{name}.zero"])
    del dequantize.attribute[:]
    if scale.ndim:
        dequantize.attribute.append(helper.make_attribute("axis", axis))
    graph.drop(quantize)


def _quantized(
    weight: NDArray[np.float32], scale: NDArray[np.float32], axis: int
) -> NDArray[np.int8]:
    """As QuantizeLinear has it: rounded half to even, saturated."""
    shape = [1] * weight.ndim
    if scale.ndim:
        shape[axis] = -1
    steps = np.rint(weight / scale.reshape(shape))
    return np.asarray(np.clip(steps, _LOWEST, _HIGHEST), np.int8)


class _Graph:
    """A graph under change: its constants by name, and who reads what."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.graph = model.graph
        self.constants = {one.name: numpy_helper.to_array(one) for one in self.graph.initializer}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.graph.node:
            if node.op_type == "Identity" and node.input[0] in self.constants:
                # Of a layer that both views use, the exporter names the weight twice.
                self.constants[node.output[0]] = self.constants[node.input[0]]
            if node.op_type == "Constant":
                value = next((one for one in node.attribute if one.name == "value"), None)
                if value is not None:
                    self.constants[node.output[0]] = numpy_helper.to_array(value.t)
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self._dropped: list[NodeProto] = []

    def add(self, name: str, values: NDArray[np.generic]) -> None:
        self.graph.initializer.append(numpy_helper.from_array(values, name))

    def drop(self, node: NodeProto) -> None:
        self._dropped.append(node)

    def finish(self) -> None:
        """Take out what was dropped, then every constant that nothing reads any more."""
        dropped = {id(node) for node in self._dropped}
        kept = [node for node in self.graph.node if id(node) not in dropped]
        read = {name for node in kept for name in node.input}
        read |= {output.name for output in self.graph.output}
        unread = {"Constant", "Identity"}
        kept = [n for n in kept if n.op_type not in unread or set(n.output) & read]
        read = {name for node in kept for name in node.input}
        weights = [one for one in self.graph.initializer if one.name in read]
        del self.graph.node[:], self.graph.initializer[:]
        self.graph.node.extend(kept)
        self.graph.initializer.extend(weights)
