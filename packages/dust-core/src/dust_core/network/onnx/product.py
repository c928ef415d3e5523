"""Patch embedding in an exported graph: one matrix product."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import NodeProto

_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def multiply_patches(model: Any) -> None:
    """Turn the convolution that embeds patches into a product of patches and weights, in place.

    Its windows tile the image, so both compute the same sums. But a convolution of three channels
    fills few lanes of OpenVINO's kernels, and a product all of them. Q/DQ nodes at its inputs
    stand at the product's inputs then.

    Args:
        model: an `onnx.ModelProto` of ours, with its weights.
    """
    from onnx import helper, numpy_helper

    nodes, weights = model.graph.node, {one.name: one for one in model.graph.initializer}
    writers = {name: node for node in nodes for name in node.output}
    convolution = next((node for node in nodes if node.op_type == "Conv" and _tiles(node)), None)
    if convolution is None:
        return
    at_image, at_weight = (_quantizers(name, writers) for name in convolution.input[:2])
    weight = weights[at_weight[0].input[0] if at_weight else convolution.input[1]]
    filters = numpy_helper.to_array(weight)
    _, channels, height, width = filters.shape
    matrix = np.ascontiguousarray(filters.reshape(len(filters), -1).T)
    weight.CopyFrom(numpy_helper.from_array(matrix, weight.name))
    for axis in (one for node in at_weight for one in node.attribute if one.name == "axis"):
        axis.i = 1
    # Its output (B, C, rows, columns) is flattened and transposed to tokens (B, N, C) next.
    flatten = _reader(nodes, convolution)
    transpose = _reader(nodes, flatten)
    rows, columns = (side // of for side, of in zip(_image(model), (height, width), strict=True))
    shapes = {
        "tiles": [-1, channels, rows, height, columns, width],
        "patches": [-1, rows * columns, channels * height * width],
    }
    prefix = convolution.name.removesuffix("Conv")
    for name, shape in shapes.items():
        values = numpy_helper.from_array(np.array(shape, np.int64), f"{prefix}{name}.shape")
        model.graph.initializer.append(values)

    def step(kind: str, name: str, *inputs: str, **attributes: object) -> "NodeProto":
        return helper.make_node(kind, inputs, [f"{prefix}{name}"], f"{prefix}{name}", **attributes)

    images = at_image[0].input[0] if at_image else convolution.input[0]
    layout = [
        step("Reshape", "tiles", images, f"{prefix}tiles.shape"),
        step("Transpose", "by_patch", f"{prefix}tiles", perm=[0, 2, 4, 1, 3, 5]),
        step("Reshape", "patches", f"{prefix}by_patch", f"{prefix}patches.shape"),
    ]
    patches = layout[-1].output[0]
    if at_image:
        at_image[0].input[0], patches = patches, at_image[-1].output[0]
    product = [
        step("MatMul", "MatMul", patches, convolution.input[1]),
        step("Add", "Add", f"{prefix}MatMul", convolution.input[2]),
    ]
    product[-1].output[0] = transpose.output[0]
    _insert(nodes, list(nodes).index(convolution), product)
    _insert(nodes, list(nodes).index(at_image[0] if at_image else product[0]), layout)
    for node in (convolution, flatten, transpose):
        nodes.remove(node)
    _drop_unread(nodes, flatten.input[1])


def _tiles(convolution: "NodeProto") -> bool:
    """Whether its windows lie side by side; a pointwise one is a product already."""
    sides = {one.name: list(one.ints) for one in convolution.attribute}
    kernel = sides["kernel_shape"]
    return kernel == sides.get("strides") and min(kernel) > 1 and not any(sides.get("pads", ()))


def _quantizers(name: str, writers: "Mapping[str, NodeProto]") -> "list[NodeProto]":
    """The Q/DQ nodes that a tensor has just passed, in order."""
    found: list[NodeProto] = []
    while name in writers and writers[name].op_type in _QUANTIZERS:
        found.insert(0, writers[name])
        name = found[0].input[0]
    return found


def _image(model: Any) -> tuple[int, int]:
    height, width = model.graph.input[0].type.tensor_type.shape.dim[2:]
    return height.dim_value, width.dim_value


def _insert(nodes: Any, position: int, new: "list[NodeProto]") -> None:
    for node in reversed(new):
        nodes.insert(position, node)


def _drop_unread(nodes: Any, name: str) -> None:
    if not any(name in node.input for node in nodes):
        nodes.remove(next(node for node in nodes if name in node.output))


def _reader(nodes: Any, writer: "NodeProto") -> "NodeProto":
    (only,) = (node for node in nodes if writer.output[0] in node.input)
    return only
