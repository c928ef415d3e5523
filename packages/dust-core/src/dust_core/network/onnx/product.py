"""Patch embedding in an exported graph: one matrix product."""

from typing import TYPE_CHECKING

from dust_core.network.onnx.graph import (
    DEQUANTIZE,
    QUANTIZE,
    add_constant,
    constant,
    insert,
    integers,
    only_reader,
    set_integer,
    writer,
)

if TYPE_CHECKING:
    import onnx_ir as ir


def multiply_patches(model: "ir.Model") -> None:
    """Turn the convolution that embeds patches into a product of patches and weights, in place.

    Its windows tile the image, so both compute the same sums. But a convolution of three channels
    fills few lanes of OpenVINO's kernels, and a product all of them. Q/DQ nodes at the
    convolution's inputs move to the product's inputs.

    Args:
        model: a graph of ours, with its weights.
    """
    convolution = next((node for node in model.graph if _tiles(node)), None)
    if convolution is None:
        return
    image, weight, bias = convolution.inputs
    at_image = _quantizers(image)
    kernel = _weight_as_matrix(model.graph, _quantizers(weight), convolution)
    prefix = (convolution.name or "patches/Conv").removesuffix("Conv")
    reader = at_image[0] if at_image else convolution
    reader.replace_input_with(0, _patches(model, reader, kernel, prefix))
    product = insert(convolution, "MatMul", f"{prefix}MatMul", convolution.inputs[:2])
    tokens = insert(convolution, "Add", f"{prefix}Add", [product, bias])
    # Its output (B, C, rows, columns) is flattened and transposed to tokens (B, N, C) next.
    flatten = only_reader(convolution)
    transpose = only_reader(flatten)
    transpose.outputs[0].replace_all_uses_with(tokens)
    model.graph.remove([transpose, flatten, convolution], safe=True)


def _weight_as_matrix(
    graph: "ir.Graph", quantizers: "list[ir.Node]", convolution: "ir.Node"
) -> tuple[int, ...]:
    """Store the filters (C, channels, height, width) by columns; their shape without C."""
    reader, index = (quantizers[0], 0) if quantizers else (convolution, 1)
    weight = reader.inputs[index]
    filters = constant(weight)
    assert weight is not None and filters is not None, "weights are in the graph"
    matrix = filters.reshape(len(filters), -1).T
    reader.replace_input_with(index, add_constant(graph, f"{weight.name}.matrix", matrix))
    for node in quantizers:
        if "axis" in node.attributes:
            set_integer(node, "axis", 1)
    return tuple(filters.shape[1:])


def _patches(
    model: "ir.Model", before: "ir.Node", kernel: tuple[int, ...], prefix: str
) -> "ir.Value":
    """The images (B, channels, H, W) that a node reads as rows (B, N, channels x height x width).

    Views that are concatenated to a batch of images are so as rows: the pixels move once.
    """
    import numpy as np

    channels, height, width = kernel
    rows, columns = (side // of for side, of in zip(_sides(model), (height, width), strict=True))
    sizes = {
        "tiles": (-1, channels, rows, height, columns, width),
        "patches": (-1, rows * columns, channels * height * width),
    }
    shapes = {
        name: add_constant(model.graph, f"{prefix}{name}.shape", np.array(size))
        for name, size in sizes.items()
    }

    def of_view(image: "ir.Value | None", view: str) -> "ir.Value":
        at = f"{prefix}{view}"
        tiles = insert(before, "Reshape", f"{at}tiles", [image, shapes["tiles"]])
        moved = insert(before, "Transpose", f"{at}by_patch", [tiles], perm=(0, 2, 4, 1, 3, 5))
        return insert(before, "Reshape", f"{at}patches", [moved, shapes["patches"]])

    together = writer(before.inputs[0])
    if together is None or together.op_type != "Concat":
        return of_view(before.inputs[0], "")
    views = [of_view(image, f"view{n}/") for n, image in enumerate(together.inputs, 1)]
    return insert(before, "Concat", f"{prefix}Concat", views, axis=0)


def _tiles(node: "ir.Node") -> bool:
    """Whether a convolution's windows lie side by side; a pointwise one is a product already."""
    kernel = integers(node, "kernel_shape")
    tiled = kernel == integers(node, "strides") and not any(integers(node, "pads"))
    return node.op_type == "Conv" and tiled and min(kernel) > 1


def _quantizers(value: "ir.Value | None") -> "list[ir.Node]":
    """The Q/DQ nodes that a tensor has just passed, in order."""
    passed: list[ir.Node] = []
    node = writer(value)
    while node is not None and node.op_type in (QUANTIZE, DEQUANTIZE):
        passed.insert(0, node)
        node = writer(node.inputs[0])
    return passed


def _sides(model: "ir.Model") -> tuple[int, int]:
    """Height and width of the images that a graph takes."""
    shape = model.graph.inputs[0].shape
    assert shape is not None, "our graphs are static"
    height, width = shape.numpy()[2:]
    return height, width
