"""The network as a static ONNX graph."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from dust_core.errors import DustError
from dust_core.files import atomic_path
from dust_core.network.model.network import Dust3r, PairPrediction
from dust_core.network.onnx.product import multiply_patches

OPSET = 19
INPUTS = ("image1", "image2")
OUTPUTS = PairPrediction._fields
_WORTH_SHARING = 1024  # bytes
_PROTOBUF_LIMIT = 2_000_000_000  # bytes; beyond, weights lie in a file of their own


def export_onnx(network: Dust3r, path: Path, *, height: int = 512, width: int = 512) -> None:
    """Write `network` as ONNX opset 19 with two static inputs (1, 3, height, width).

    The RoPE tables become constants, patches are embedded by one matrix product, and
    post-processing stays in float32. Weights that do not fit the format's 2 GB go to
    `{path}.data` beside the graph.

    Args:
        network: its linear layers may hold fake quantizers.

    Raises:
        DustError: a file cannot be written, or a layer has no counterpart in ONNX.
    """
    device = next(network.parameters()).device
    images = tuple(torch.zeros(1, 3, height, width, device=device) for _ in INPUTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Above 2 GB the exporter scatters one file a weight around the graph: a folder of its own
    # keeps them together until they are gathered.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        traced = Path(folder) / "graph.onnx"
        _trace(network, images, traced)
        _gather(traced, path)


def _trace(network: nn.Module, images: tuple[Tensor, ...], path: Path) -> None:
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # Tracing warns of every Python number; H and W are meant to be constants.
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            network(*images)  # fills the RoPE tables, which are constants only if they exist
            torch.onnx.export(
                network,
                images,
                str(path),
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                opset_version=OPSET,
                dynamo=False,  # the exporter on torch.export loses fake quantizers (pytorch#167063)
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise DustError(
            f"the network cannot be exported: {str(error).splitlines()[0]}",
            where=str(path),
            fix="a layer has no counterpart in ONNX: see the traceback in the log",
        ) from error
    finally:
        network.train(training)


def _share_constants(model: Any) -> None:
    """Keep one copy of equal tensors: the exporter writes the RoPE tables at every use of them."""
    from onnx import numpy_helper

    names: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        value = next((one.t for one in node.attribute if one.name == "value"), None)
        if node.op_type != "Constant" or value is None or len(value.raw_data) < _WORTH_SHARING:
            kept.append(node)
            continue
        array = numpy_helper.to_array(value)
        key = (value.data_type, array.shape, array.tobytes())
        if key not in names:
            names[key] = node.output[0]
            model.graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        renamed[node.output[0]] = names[key]
    for node in kept:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _gather(traced: Path, path: Path) -> None:
    import onnx

    graph = onnx.load(traced)
    _share_constants(graph)
    multiply_patches(graph)
    data_path = path.with_name(path.name + ".data")
    weights = sum(len(tensor.raw_data) for tensor in graph.graph.initializer)
    if weights <= _PROTOBUF_LIMIT:
        with atomic_path(path) as temporary:
            onnx.save(graph, temporary)
        data_path.unlink(missing_ok=True)
        return
    with atomic_path(data_path) as data, atomic_path(path) as temporary:
        onnx.save(
            graph, temporary, save_as_external_data=True, location=data.name, size_threshold=1024
        )
        for tensor in graph.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = data_path.name
        onnx.save(graph, temporary)
