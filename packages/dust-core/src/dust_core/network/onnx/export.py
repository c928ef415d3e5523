"""The network as a static ONNX graph."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from dust_core.errors import DustError
from dust_core.network.model.network import Dust3r, PairPrediction
from dust_core.network.onnx.graph import OPSET, read_graph, write_graph
from dust_core.network.onnx.product import multiply_patches

INPUTS = ("image1", "image2")
OUTPUTS = PairPrediction._fields


def export_onnx(
    network: Dust3r, path: Path, *, height: int = 512, width: int = 512, opset: int = OPSET
) -> None:
    """Write `network` as an ONNX graph with two static inputs (1, 3, height, width).

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
        _trace(network, images, traced, opset)
        graph = read_graph(traced)
        multiply_patches(graph)
        write_graph(graph, path)


def _trace(network: nn.Module, images: tuple[Tensor, ...], path: Path, opset: int) -> None:
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
                opset_version=opset,
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
