"""QDQ: that a graph quantizes what it should, and only that, in a form that runtimes fuse.

TensorRT's rules for explicit quantization: int8, zero point 0, weights per output channel, a pair
of Q/DQ at each input of a product and none at a bias.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dust_compress.quantize.origin import Origin
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.subjects import Graph
from dust_core.declared.reading.place import Place
from dust_core.declared.specs.names import KEEP_FAMILIES

if TYPE_CHECKING:
    import numpy as np
    from onnx import NodeProto

_OPSET = 19
_PRODUCTS = ("MatMul", "Gemm", "Conv")
_OPERATORS = {"layernorm": "LayerNormalization", "softmax": "Softmax"}
_NAMED_QUANTIZED = ("int8", "quantized")


class Reading:
    """An ONNX graph as the rules look at it; weights that lie beside it are not read."""

    def __init__(self, path: Path) -> None:
        import onnx

        self.model = onnx.load(path, load_external_data=False)
        self.nodes: list[NodeProto] = list(self.model.graph.node)
        self.writer = {name: node for node in self.nodes for name in node.output}

    @cached_property
    def constants(self) -> "dict[str, np.ndarray[Any, Any]]":
        """The tensors in the file, by name."""
        from onnx import numpy_helper

        found = {
            one.name: numpy_helper.to_array(one)
            for one in self.model.graph.initializer
            if not one.external_data
        }
        for node in self.nodes:
            value = next((one for one in node.attribute if one.name == "value"), None)
            if node.op_type == "Constant" and value is not None and value.HasField("t"):
                found[node.output[0]] = numpy_helper.to_array(value.t)
        return found

    @property
    def quantized(self) -> bool:
        """Whether any node quantizes."""
        return any(node.op_type == "DequantizeLinear" for node in self.nodes)

    def dequantizers(self) -> "Iterator[NodeProto]":
        """Every DequantizeLinear."""
        return (node for node in self.nodes if node.op_type == "DequantizeLinear")

    def is_dequantized(self, name: str) -> bool:
        """Whether a DequantizeLinear wrote a tensor."""
        writer = self.writer.get(name)
        return writer is not None and writer.op_type == "DequantizeLinear"


class GraphRule(Rule[Graph]):
    """A rule on one exported graph, read once for all of them."""

    subject = Graph
    requires: ClassVar[tuple[str, ...]] = ("QDQ001",)
    _read: ClassVar[dict[Path, Reading]] = {}

    def check(self, subject: Graph) -> Iterator[Finding]:
        reading = self._read.get(subject.file) or Reading(subject.file)
        self._read.clear()
        self._read[subject.file] = reading
        if reading.quantized:
            place = Place(subject.path)
            yield from (self.finding(place, *one) for one in self.faults(reading))

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        """What is wrong, and what was expected, node by node."""
        raise NotImplementedError


class Readable(Rule[Graph]):
    """A graph that is named quantized is one that ONNX can read, and that has Q/DQ nodes."""

    subject = Graph
    id = "QDQ001"
    title = "the graph cannot be read, or is not what its name says"
    fix = "run the task that writes it, or fetch it with dvc pull"

    def check(self, subject: Graph) -> Iterator[Finding]:
        from google.protobuf.message import DecodeError

        place = Place(subject.path)
        try:
            reading = Reading(subject.file)
        except (DecodeError, OSError, ValueError) as error:
            yield self.finding(place, str(error).splitlines()[0], "an ONNX graph")
            return
        if not reading.nodes:
            yield self.finding(place, "no node", "an ONNX graph")
        elif any(word in subject.file.stem for word in _NAMED_QUANTIZED) and not reading.quantized:
            yield self.finding(place, "no DequantizeLinear", "a graph with Q/DQ nodes")


class Opset(GraphRule):
    """Scales in FP16 need ONNX opset 19, and every graph of this project has it."""

    id = "QDQ002"
    title = "the graph is of another opset"
    fix = "export it again"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for one in graph.model.opset_import:
            if one.domain in ("", "ai.onnx") and one.version != _OPSET:
                yield f"opset {one.version}", f"opset {_OPSET}"


class StaticInputs(GraphRule):
    """Two images, one pair at a time, of a fixed size: engines are built for that shape alone."""

    id = "QDQ003"
    title = "an input is not one image of a fixed size"
    fix = "export it again with static shapes"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for one in graph.model.graph.input:
            shape = [side.dim_value for side in one.type.tensor_type.shape.dim]
            if len(shape) != 4 or shape[:2] != [1, 3] or not all(shape):
                yield f"{one.name}: {shape}", "1 x 3 x height x width"


class ZeroPoints(GraphRule):
    """Quantization is symmetric INT8: zero points are int8 and 0. TensorRT takes no others."""

    id = "QDQ004"
    title = "a zero point is not an int8 zero"
    fix = "quantize symmetrically, and export it again"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for node in graph.nodes:
            if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
                continue
            zero = graph.constants.get(node.input[2]) if len(node.input) > 2 else None
            if zero is None:
                yield f"{_name(node)}: no constant zero point", "an int8 zero point of 0"
            elif str(zero.dtype) != "int8" or zero.any():
                yield f"{_name(node)}: {zero.dtype} {zero.ravel()[0]}", "int8 0"


class Scales(GraphRule):
    """A scale of 0 makes everything 0 or infinite; scales are constants, positive and finite."""

    id = "QDQ005"
    title = "a scale is not a positive number"
    fix = "calibrate on images that exercise the layer, and export it again"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        import numpy as np

        for node in graph.nodes:
            if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
                continue
            scale = graph.constants.get(node.input[1])
            if scale is None:
                yield f"{_name(node)}: no constant scale", "a constant scale"
            elif not (np.isfinite(scale).all() and (scale > 0).all()):
                yield f"{_name(node)}: {float(scale.min())}", "a positive number"


class WeightAxes(GraphRule):
    """A weight has a scale for each output channel, an activation has one for the tensor."""

    id = "QDQ006"
    title = "scales lie along the wrong axis"
    fix = "quantize weights per output channel and activations per tensor, and export it again"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for product in _quantized_products(graph):
            for place, name in enumerate(product.input[:2]):
                node = graph.writer.get(name)
                if node is None or node.op_type != "DequantizeLinear":
                    continue
                weight = graph.constants.get(node.input[0])
                scale = graph.constants.get(node.input[1])
                if scale is None:
                    continue
                if weight is None and scale.size != 1:
                    yield f"{_name(node)}: {scale.size} scales of an activation", "one"
                elif weight is not None:
                    yield from _wrong_axis(product, node, weight.shape, scale.size, place)


class BothInputs(GraphRule):
    """A product with one quantized input runs in float, and pays for the conversion."""

    id = "QDQ007"
    title = "a product is quantized by half"
    fix = "quantize both of its inputs, or neither"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for product in _quantized_products(graph):
            bare = [name for name in product.input[:2] if not graph.is_dequantized(name)]
            if bare:
                yield f"{_name(product)}: {bare[0]} is float", "a DequantizeLinear at both inputs"


class NoBias(GraphRule):
    """A bias is added in the accumulator's 32 bits: a Q/DQ pair of its own only loses digits."""

    id = "QDQ008"
    title = "a bias is quantized"
    fix = "quantize weights and activations alone"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        for node in graph.dequantizers():
            values = graph.constants.get(node.input[0])
            if values is not None and values.ndim < 2:
                yield f"{_name(node)}: {values.size} numbers", "biases in float"
        for node in graph.nodes:
            biased = node.op_type in ("Gemm", "Conv") and len(node.input) > 2
            if biased and graph.is_dequantized(node.input[2]):
                yield f"{_name(node)}: its bias", "biases in float"


class KeptInFloat(GraphRule):
    """LayerNorm and Softmax read float, unless the graph's experiment has them in eight bits."""

    id = "QDQ009"
    title = "an operator of the keep-list reads eight bits"
    fix = "put no quantizer before it"

    def faults(self, graph: Reading) -> Iterator[tuple[str, str]]:
        origin = Origin.of(graph.model.metadata_props)
        families = KEEP_FAMILIES if origin is None else origin.keep_list
        kept = {_OPERATORS[one] for one in families if one in _OPERATORS}
        for node in graph.nodes:
            if node.op_type in kept and graph.is_dequantized(node.input[0]):
                yield f"{_name(node)} after {_name(graph.writer[node.input[0]])}", "a float input"


def _quantized_products(graph: Reading) -> "Iterator[NodeProto]":
    """Products of which at least one input is dequantized."""
    return (
        node
        for node in graph.nodes
        if node.op_type in _PRODUCTS and any(map(graph.is_dequantized, node.input[:2]))
    )


def _wrong_axis(
    product: "NodeProto", node: "NodeProto", shape: tuple[int, ...], scales: int, place: int
) -> Iterator[tuple[str, str]]:
    transposed = any(one.name == "transB" and one.i for one in product.attribute)
    # Output channels: columns of a matrix, rows of one that Gemm transposes, filters of a Conv.
    right = len(shape) - 1 if product.op_type != "Conv" and not transposed else 0
    axis = next((one.i for one in node.attribute if one.name == "axis"), 1)
    if scales == 1 and shape[right] != 1:
        yield f"{_name(node)}: one scale for {shape}", f"{shape[right]}, along axis {right}"
    elif scales > 1 and (axis % len(shape) != right or scales != shape[right]):
        yield f"{_name(node)}: {scales} along axis {axis}", f"{shape[right]}, along axis {right}"


def _name(node: "NodeProto") -> str:
    return f"{node.op_type} {node.name or node.output[0]}"


RULES = (
    Readable(),
    Opset(),
    StaticInputs(),
    ZeroPoints(),
    Scales(),
    WeightAxes(),
    BothInputs(),
    NoBias(),
    KeptInFloat(),
)
