"""Patch embedding in an exported graph: one matrix product."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import NodeProto


def multiply_patches(model: Any) -> None:
    """Turn the convolution that embeds patches into a product of patches and weights, in place.

    Its windows tile the image, so both compute the same sums. But a convolution of three channels
    fills few lanes of OpenVINO's kernels: two images of 512x512 in patches of 32 take 6.3 ms in
    bf16, as a product 4.4. A quantized convolution is left as it is, for its Q/DQ nodes' sake.

    Args:
        model: an `onnx.ModelProto` of ours, with its weights.
    """
    from onnx import helper, numpy_helper

    nodes, weights = model.graph.node, {one.name: one for one in model.graph.initializer}
    tiling = (n for n in nodes if n.op_type == "Conv" and n.input[1] in weights and _tiles(n))
    convolution = next(tiling, None)
    if convolution is None:
        return
    weight = weights[convolution.input[1]]
    filters = numpy_helper.to_array(weight)
    _, channels, height, width = filters.shape
    matrix = np.ascontiguousarray(filters.reshape(len(filters), -1).T)
    weight.CopyFrom(numpy_helper.from_array(matrix, weight.name))
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
    steps = (
        ("Reshape", [convolution.input[0], f"{prefix}tiles.shape"], "tiles"),
        ("Transpose", [f"{prefix}tiles"], "by_patch"),
        ("Reshape", [f"{prefix}by_patch", f"{prefix}patches.shape"], "patches"),
        ("MatMul", [f"{prefix}patches", weight.name], "MatMul"),
        ("Add", [f"{prefix}MatMul", convolution.input[2]], "Add"),
    )
    product = [
        helper.make_node(kind, inputs, [f"{prefix}{name}"], f"{prefix}{name}")
        for kind, inputs, name in steps
    ]
    product[1].attribute.append(helper.make_attribute("perm", [0, 2, 4, 1, 3, 5]))
    product[-1].output[0] = transpose.output[0]
    position = list(nodes).index(convolution)
    for node in (convolution, flatten, transpose):
        nodes.remove(node)
    _drop_unread(nodes, flatten.input[1])
    for node in reversed(product):
        nodes.insert(position, node)


def _tiles(convolution: "NodeProto") -> bool:
    """Whether its windows lie side by side; a pointwise one is a product already."""
    sides = {one.name: list(one.ints) for one in convolution.attribute}
    kernel = sides["kernel_shape"]
    return kernel == sides.get("strides") and min(kernel) > 1 and not any(sides.get("pads", ()))


def _image(model: Any) -> tuple[int, int]:
    height, width = model.graph.input[0].type.tensor_type.shape.dim[2:]
    return height.dim_value, width.dim_value


def _drop_unread(nodes: Any, name: str) -> None:
    if not any(name in node.input for node in nodes):
        nodes.remove(next(node for node in nodes if name in node.output))


def _reader(nodes: Any, writer: "NodeProto") -> "NodeProto":
    (only,) = (node for node in nodes if writer.output[0] in node.input)
    return only
