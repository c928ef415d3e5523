"""The size of a network's file, and its values that are not finite."""

from collections.abc import Iterator
from pathlib import Path

from dust_core.network.checkpoint import load_checkpoint
from dust_eval.arrays import Floats
from dust_eval.quality.finite import count_non_finite


def size_mb(path: Path) -> float:
    """Size of a file with its external data, in 10^6 bytes."""
    parts = [path, *path.parent.glob(path.name + ".data")]
    return sum(part.stat().st_size for part in parts) / 1e6


def non_finite_weights(path: Path) -> int:
    """How many weights of a checkpoint (.pth) or of a graph (.onnx) are NaN or infinite.

    The weights of an engine cannot be read: the count of a .trt file is 0.

    Raises:
        DustError: the checkpoint is absent or damaged.
    """
    match path.suffix:
        case ".pth":
            weights = load_checkpoint(path, finite=False).network.state_dict().values()
            return sum(int((~tensor.isfinite()).sum()) for tensor in weights)
        case ".onnx":
            return count_non_finite(_graph_weights(path))
        case _:
            return 0


def _graph_weights(path: Path) -> Iterator[Floats]:
    import onnx
    from onnx import TensorProto, numpy_helper

    from dust_core.network.onnx.sound import sound_proto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
    sound_proto(path)
    graph = onnx.load(path).graph
    constants = (
        attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    )
    for tensor in (*graph.initializer, *constants):
        if tensor.data_type in floats:
            yield numpy_helper.to_array(tensor)
