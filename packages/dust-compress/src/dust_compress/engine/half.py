"""The FP16 variant of a float32 graph, for GPUs.

TensorRT is strongly typed: what computes in FP16 is what the graph says is FP16. Q/DQ pairs stay
where they are; the float operations between them (the keep-list, the residual stream) become FP16,
and FP16 are the scales too, which opset 19 allows.
"""

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from dust_core.errors import DustError
from dust_core.files import atomic_path

_LARGEST = float(np.finfo(np.float16).max)
_FINEST_SCALE = float(np.finfo(np.float16).smallest_normal)
_SCALED = ("QuantizeLinear", "DequantizeLinear")


def write_half(graph: Path, path: Path) -> None:
    """Write the FP16 variant of the graph to `path`; see `half_precision`.

    Raises:
        DustError: the graph has no FP16 variant, or the file cannot be written.
    """
    try:
        model = onnx.load(graph)
    except DecodeError as error:
        raise DustError(
            "this is no ONNX graph", where=str(graph), fix="export it again", exit_code=1
        ) from error
    half_precision(model, where=str(graph))
    with atomic_path(path) as temporary:
        onnx.save(model, temporary)


def half_precision(model: onnx.ModelProto, *, where: str = "") -> None:
    """Turn float32 into float16 in place, all but inputs, outputs and post-processing.

    Post-processing is what follows the last cast to float32 before each output; it stays in float32
    because its exponentials overflow FP16 from 11 on. So does a (de)quantizer whose scale is too
    small for FP16 to hold exactly enough.

    Args:
        model: static, opset 19, float32.
        where: the file's name, for messages.

    Raises:
        DustError: nothing marks off post-processing, or a weight is beyond FP16's range.
    """
    graph = model.graph
    nodes = _without_constants(graph)
    values = {one.name: one for one in graph.initializer if one.data_type == TensorProto.FLOAT}
    wide = _postprocessing(graph, nodes, where)
    wide |= {node.output[0] for node in nodes if _too_fine(node, values)}
    renamed = {name: f"{name}.half" for name in _names(graph.input)}
    changed = [_cast(name, to, TensorProto.FLOAT16) for name, to in renamed.items()]
    renamed |= _halve_weights(graph, nodes, values, wide, where)
    for node in nodes:
        if node.output[0] not in wide:
            _rename(node, renamed)
            _cast_to_half(node)
            changed.append(node)
        elif node.op_type in _SCALED:
            changed.extend(_between_casts(node, values))
        else:
            changed.append(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(changed)


def _without_constants(graph: GraphProto) -> list[NodeProto]:
    """The graph's nodes but for constants, which become initializers."""
    nodes = []
    for node in graph.node:
        value = next((one.t for one in node.attribute if one.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            value.name = node.output[0]
            graph.initializer.append(value)
        else:
            nodes.append(node)
    return nodes


def _postprocessing(graph: GraphProto, nodes: list[NodeProto], where: str) -> set[str]:
    """The nodes from the last casts to float32 to the outputs, by their first output."""
    producers = {name: node for node in nodes for name in node.output}
    inputs = set(_names(graph.input))
    found: set[str] = set()
    pending = _names(graph.output)
    while pending:
        name = pending.pop()
        if name in inputs:
            raise DustError(
                "no cast to float32 marks where post-processing begins",
                where=where,
                fix="export the network with dust_core.network.model.export_onnx",
            )
        node = producers.get(name)
        if node is None or node.output[0] in found:
            continue
        found.add(node.output[0])
        if not _casts_to(node, TensorProto.FLOAT):
            pending.extend(node.input)
    return found


def _too_fine(node: NodeProto, values: dict[str, TensorProto]) -> bool:
    if node.op_type not in _SCALED or node.input[1] not in values:
        return False
    scale = numpy_helper.to_array(values[node.input[1]])
    return bool(scale.min() < _FINEST_SCALE)


def _halve_weights(
    graph: GraphProto,
    nodes: list[NodeProto],
    values: dict[str, TensorProto],
    wide: set[str],
    where: str,
) -> dict[str, str]:
    """Halve what narrow nodes read; the new names of what wide nodes read as well."""
    by_wide = {name for node in nodes if node.output[0] in wide for name in node.input}
    by_narrow = {name for node in nodes if node.output[0] not in wide for name in node.input}
    renamed = {}
    for name in sorted(values.keys() & by_narrow):
        array = numpy_helper.to_array(values[name])
        if array.size and float(np.abs(array).max()) > _LARGEST:
            raise DustError(
                f"{name} reaches {np.abs(array).max():.3g}, and FP16 ends at {_LARGEST:.0f}",
                where=where,
                fix="compile this network with floats in fp32",
            )
        if name in by_wide:
            renamed[name] = f"{name}.half"
            graph.initializer.append(
                numpy_helper.from_array(array.astype(np.float16), renamed[name])
            )
        else:
            values[name].CopyFrom(numpy_helper.from_array(array.astype(np.float16), name))
    return renamed


def _between_casts(node: NodeProto, values: dict[str, TensorProto]) -> list[NodeProto]:
    """A (de)quantizer that stays in float32 among narrow nodes."""
    if node.op_type == "DequantizeLinear":
        narrow = node.output[0]
        node.output[0] = f"{narrow}.float"
        return [node, _cast(node.output[0], narrow, TensorProto.FLOAT16)]
    source = node.input[0]
    if source in values:
        return [node]
    node.input[0] = f"{node.output[0]}.float"
    return [_cast(source, node.input[0], TensorProto.FLOAT), node]


def _rename(node: NodeProto, renamed: dict[str, str]) -> None:
    for index, name in enumerate(node.input):
        node.input[index] = renamed.get(name, name)


def _cast_to_half(node: NodeProto) -> None:
    if _casts_to(node, TensorProto.FLOAT):
        node.attribute[0].i = TensorProto.FLOAT16


def _casts_to(node: NodeProto, kind: int) -> bool:
    return node.op_type == "Cast" and any(
        one.name == "to" and one.i == kind for one in node.attribute
    )


def _cast(source: str, target: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"{target}/Cast", to=kind)


def _names(values: object) -> list[str]:
    return [one.name for one in values]  # type: ignore[attr-defined]
