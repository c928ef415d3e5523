"""What an ONNX graph is: its inputs and outputs, operators, weights and origin."""

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

from dust_core.network.onnx.sound import external_parts, sound_proto


def graph_facts(path: Path) -> dict[str, Any]:
    """The facts of a graph as values that JSON can hold; its weights are counted, not read.

    Raises:
        DustError: it is no graph.
    """
    model = sound_proto(path, weights=False)
    graph, weights = model.graph, {tensor.name for tensor in model.graph.initializer}
    operators = Counter(node.op_type for node in graph.node)
    parts = external_parts(model.graph.initializer, path)
    return {
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "opset": {part.domain or "onnx": part.version for part in model.opset_import},
        "inputs": {port.name: _type(port) for port in graph.input if port.name not in weights},
        "outputs": {port.name: _type(port) for port in graph.output},
        "parameters_M": sum(prod(tensor.dims) for tensor in graph.initializer) / 1e6,
        "quantized": operators["DequantizeLinear"] > 0,
        "operators": dict(operators.most_common()),
        "external": {part.name: part.is_file() for part in parts},
        "size_MB": sum(p.stat().st_size for p in (path, *parts) if p.is_file()) / 1e6,
    }


def _type(port: Any) -> str:
    """A port's element type and shape, such as `float32 1x3x512x512`; `?` is not static."""
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = port.type.tensor_type
    try:
        element = str(tensor_dtype_to_np_dtype(tensor.elem_type))
    except (KeyError, ValueError):
        element = f"type {tensor.elem_type}"
    sides = [str(side.dim_value or side.dim_param or "?") for side in tensor.shape.dim]
    return f"{element} {'x'.join(sides)}".strip()
