"""QDQ: a graph quantizes the right values, and only those, in a form that runtimes fuse.

TensorRT's rules for explicit quantization: int8, zero point 0, weights per output channel, a pair
of Q/DQ at each input of a product and none at a bias.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

from dust_compress.quantize.origin import Origin
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rule import Rule
from dust_core.declared.checks.subjects import Graph
from dust_core.declared.reading.place import Place
from dust_core.declared.specs.names import KEEP_FAMILIES
from dust_core.errors import DustError, first_line
from dust_core.network.onnx.graph import (
    DEQUANTIZE,
    OPSET,
    QUANTIZE,
    constant,
    label,
    read_graph,
    writer,
)
from dust_core.tracked import PULL

if TYPE_CHECKING:
    import onnx_ir as ir

_PRODUCTS = ("MatMul", "Gemm", "Conv")
_OPERATORS = {"layernorm": "LayerNormalization", "softmax": "Softmax"}
_NAMED_QUANTIZED = ("int8", "quantized")


class GraphRule(Rule[Graph]):
    """A rule on one exported graph, read once in a run for all of them."""

    subject = Graph
    requires: ClassVar[tuple[str, ...]] = ("QDQ001",)
    # By the subject, which is one of a run: the file at a path may be another in the next run.
    _read: ClassVar[WeakKeyDictionary[Graph, "ir.Model"]] = WeakKeyDictionary()

    def check(self, subject: Graph) -> Iterator[Finding]:
        place = Place(subject.path)
        model = self._read.get(subject)
        try:
            if model is None:
                self._read.clear()
                model = self._read[subject] = read_graph(subject.file)
            if _is_quantized(model):
                yield from (self.finding(place, *fault) for fault in self.faults(model))
        except DustError as error:
            yield self.finding(place, error.what, "an ONNX graph")
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            reason = f"{type(error).__name__}: {first_line(error)}"
            yield self.finding(place, reason, "nodes and tensors as ONNX defines them")

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        """Each wrong node, and the expected value."""
        raise NotImplementedError


class Readable(Rule[Graph]):
    """A graph with the name of a quantized one must be readable and have Q/DQ nodes."""

    subject = Graph
    id = "QDQ001"
    title = "the graph cannot be read, or does not match its name"
    fix = f"run the task that writes it, or fetch it with `{PULL}`"

    def check(self, subject: Graph) -> Iterator[Finding]:
        place = Place(subject.path)
        try:
            model = read_graph(subject.file)
        except DustError as error:
            yield self.finding(place, error.what, "an ONNX graph")
            return
        named = any(word in subject.file.stem for word in _NAMED_QUANTIZED)
        if named and not _is_quantized(model):
            yield self.finding(place, "no DequantizeLinear", "a graph with Q/DQ nodes")


class Opset(GraphRule):
    """Scales in FP16 need ONNX opset 19, and every graph of this project has it."""

    id = "QDQ002"
    title = "the graph has another opset"
    fix = "export it again"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        version = model.opset_imports.get("")
        if version is not None and version != OPSET:
            yield f"opset {version}", f"opset {OPSET}"


class StaticInputs(GraphRule):
    """The inputs are two images of a fixed size: engines are built for that shape alone."""

    id = "QDQ003"
    title = "an input is not one image of a fixed size"
    fix = "export it again with static shapes"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        for image in model.graph.inputs:
            # A side that is not fixed has a name or nothing instead of a number.
            sides = () if image.shape is None else image.shape.dims
            shape = [side if isinstance(side, int) else 0 for side in sides]
            if len(shape) != 4 or shape[:2] != [1, 3] or not all(shape):
                yield f"{image.name}: {shape}", "1 x 3 x height x width"


class ZeroPoints(GraphRule):
    """Quantization is symmetric INT8: zero points are int8 and 0. TensorRT takes no others."""

    id = "QDQ004"
    title = "a zero point is not an int8 zero"
    fix = "quantize symmetrically, and export it again"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        for node in _quantizers(model):
            zero = constant(node.inputs[2]) if len(node.inputs) > 2 else None
            if zero is None or not zero.size:
                yield f"{label(node)}: no constant zero point", "an int8 zero point of 0"
            elif str(zero.dtype) != "int8" or zero.any():
                yield f"{label(node)}: {zero.dtype} {zero.ravel()[0]}", "int8 0"


class Scales(GraphRule):
    """A scale of 0 makes everything 0 or infinite; scales are constants, positive and finite."""

    id = "QDQ005"
    title = "a scale is not a positive number"
    fix = "calibrate on images that exercise the layer, and export it again"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        import numpy as np

        for node in _quantizers(model):
            scale = constant(node.inputs[1])
            if scale is None or not scale.size:
                yield f"{label(node)}: no constant scale", "a constant scale"
            elif not (np.isfinite(scale).all() and (scale > 0).all()):
                yield f"{label(node)}: {float(scale.min())}", "a positive number"


class WeightAxes(GraphRule):
    """A weight has a scale for each output channel, an activation has one for the tensor."""

    id = "QDQ006"
    title = "scales are along the wrong axis"
    fix = "quantize weights per output channel and activations per tensor, and export it again"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        for product in _quantized_products(model):
            for value in product.inputs[:2]:
                node = writer(value)
                if node is None or node.op_type != DEQUANTIZE:
                    continue
                weight, scale = constant(node.inputs[0]), constant(node.inputs[1])
                if scale is None:
                    continue
                if weight is None and scale.size != 1:
                    yield f"{label(node)}: {scale.size} scales of an activation", "one"
                elif weight is not None:
                    yield from _wrong_axis(product, node, weight.shape, scale.size)


class BothInputs(GraphRule):
    """A product with one quantized input runs in float, and the conversion costs time."""

    id = "QDQ007"
    title = "only one input of a product is quantized"
    fix = "quantize both of its inputs, or neither"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        for product in _quantized_products(model):
            bare = [value for value in product.inputs[:2] if value and not _is_dequantized(value)]
            if bare:
                half = f"{label(product)}: {bare[0].name} is float"
                yield half, "a DequantizeLinear at both inputs"


class NoBias(GraphRule):
    """A bias is added in the accumulator's 32 bits: its own Q/DQ pair only loses digits."""

    id = "QDQ008"
    title = "a bias is quantized"
    fix = "quantize weights and activations alone"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        for node in model.graph:
            if node.op_type == DEQUANTIZE:
                values = constant(node.inputs[0])
                if values is not None and values.ndim < 2:
                    yield f"{label(node)}: {values.size} numbers", "biases in float"
            biased = node.op_type in ("Gemm", "Conv") and len(node.inputs) > 2
            if biased and _is_dequantized(node.inputs[2]):
                yield f"{label(node)}: its bias", "biases in float"


class KeptInFloat(GraphRule):
    """LayerNorm and Softmax read float, unless the graph's experiment quantizes them."""

    id = "QDQ009"
    title = "an operator of the keep-list reads eight bits"
    fix = "put no quantizer before it"

    def faults(self, model: "ir.Model") -> Iterator[tuple[str, str]]:
        origin = Origin.of(model)
        families = KEEP_FAMILIES if origin is None else origin.keep_list
        kept = {_OPERATORS[family] for family in families if family in _OPERATORS}
        for node in model.graph:
            source = writer(node.inputs[0]) if node.op_type in kept else None
            if source is not None and source.op_type == DEQUANTIZE:
                yield f"{label(node)} after {label(source)}", "a float input"


def _is_quantized(model: "ir.Model") -> bool:
    return any(node.op_type == DEQUANTIZE for node in model.graph)


def _quantizers(model: "ir.Model") -> "Iterator[ir.Node]":
    return (node for node in model.graph if node.op_type in (QUANTIZE, DEQUANTIZE))


def _is_dequantized(value: "ir.Value | None") -> bool:
    node = writer(value)
    return node is not None and node.op_type == DEQUANTIZE


def _quantized_products(model: "ir.Model") -> "Iterator[ir.Node]":
    """Products with at least one dequantized input."""
    return (
        node
        for node in model.graph
        if node.op_type in _PRODUCTS and any(map(_is_dequantized, node.inputs[:2]))
    )


def _wrong_axis(
    product: "ir.Node", node: "ir.Node", shape: tuple[int, ...], scales: int
) -> Iterator[tuple[str, str]]:
    transposed = product.attributes.get_int("transB", 0)
    # Output channels: columns of a matrix, rows of one that Gemm transposes, filters of a Conv.
    right = len(shape) - 1 if product.op_type != "Conv" and not transposed else 0
    axis = node.attributes.get_int("axis", 1)
    if scales == 1 and shape[right] != 1:
        yield f"{label(node)}: one scale for {shape}", f"{shape[right]}, along axis {right}"
    elif scales > 1 and (axis % len(shape) != right or scales != shape[right]):
        yield f"{label(node)}: {scales} along axis {axis}", f"{shape[right]}, along axis {right}"


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
