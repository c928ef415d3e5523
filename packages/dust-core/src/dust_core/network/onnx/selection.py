"""Selections of a product's outputs in an exported graph: products with those columns alone."""

from typing import TYPE_CHECKING

from dust_core.network.onnx.graph import (
    DEQUANTIZE,
    QUANTIZE,
    add_constant,
    constant,
    insert,
    integers,
    label,
    writer,
)

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir
    from numpy.typing import NDArray


def fold_selections(model: "ir.Model") -> None:
    """Turn each selection of a layer's outputs into a layer of the selected weights, in place.

    A Gather with constant indices along the last axis of x W + b becomes x W' + b', of the selected
    columns of W and numbers of b. Quantizers between a weight and its product are copied, with
    the selected scales.

    Args:
        model: a graph of ours, with its weights.

    Raises:
        ValueError: a selection reads something else than such a layer.
    """
    for node in list(model.graph):
        if node.op_type != "Gather" or not _along_last(node):
            continue
        chosen = constant(node.inputs[1])
        if chosen is None:
            continue
        node.outputs[0].replace_all_uses_with(_selected(model.graph, node, chosen))
        model.graph.remove(node, safe=True)


def _along_last(node: "ir.Node") -> bool:
    value = node.inputs[0]
    rank = None if value is None or value.shape is None else len(value.shape)
    axis = node.attributes.get_int("axis", 0)
    return constant(value) is None and axis in (-1, None if rank is None else rank - 1)


def _selected(graph: "ir.Graph", node: "ir.Node", chosen: "NDArray[np.int64]") -> "ir.Value":
    """The output of a layer of the chosen columns; `node` selects them today."""
    add = writer(node.inputs[0])
    if add is None or add.op_type != "Add":
        raise ValueError(f"{label(node)} selects outputs of what is no layer with a bias")
    (bias,) = (value for value in add.inputs if constant(value) is not None)
    (product,) = (found for found in map(writer, add.inputs) if found is not None)
    if product.op_type != "MatMul":
        raise ValueError(f"{label(node)} selects outputs of {label(product)}")
    left, right = product.inputs
    weight = _chosen_weight(graph, node, right, chosen)
    numbers = constant(bias)
    assert numbers is not None and bias is not None
    few = add_constant(graph, f"{bias.name}.selected", numbers[chosen])
    values = insert(node, "MatMul", f"{node.name}/MatMul", [left, weight])
    return insert(node, "Add", f"{node.name}/Add", [values, few])


def _chosen_weight(
    graph: "ir.Graph", before: "ir.Node", weight: "ir.Value | None", chosen: "NDArray[np.int64]"
) -> "ir.Value":
    """The chosen columns of a weight, behind copies of the nodes that it has passed."""
    passed: list[ir.Node] = []
    node = writer(weight)
    while node is not None and node.op_type in (QUANTIZE, DEQUANTIZE, "Transpose"):
        passed.insert(0, node)
        weight = node.inputs[0]
        node = writer(weight)
    filters = constant(weight)
    assert filters is not None and weight is not None, "weights are in the graph"
    # Output channels are columns of a product's right side, hence rows before a transpose.
    turned = [integers(each, "perm") for each in passed if each.op_type == "Transpose"]
    axis = 0 if turned else 1
    value = add_constant(graph, f"{weight.name}.selected", filters.take(chosen, axis))
    for each in passed:
        inputs = [value, *each.inputs[1:]]
        if each.op_type != "Transpose":
            inputs[1:] = [_chosen_scale(graph, given, chosen) for given in each.inputs[1:]]
        attributes = {name: kept.value for name, kept in each.attributes.items()}
        value = insert(before, each.op_type, f"{before.name}/{each.op_type}", inputs, **attributes)
    return value


def _chosen_scale(
    graph: "ir.Graph", given: "ir.Value | None", chosen: "NDArray[np.int64]"
) -> "ir.Value | None":
    """Scales or zero points of the chosen channels; one for all of them stays."""
    numbers = constant(given)
    if given is None or numbers is None or numbers.ndim == 0:
        return given
    return add_constant(graph, f"{given.name}.selected", numbers[chosen])
