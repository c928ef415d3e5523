"""The network as a static ONNX graph."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from dust_core.errors import DustError
from dust_core.network.model.network import Dust3r, PairPrediction
from dust_core.network.onnx.form import export_form, read_out
from dust_core.network.onnx.graph import OPSET, read_graph, simplify, write_graph
from dust_core.network.onnx.product import multiply_patches
from dust_core.network.onnx.selection import fold_selections

INPUTS = ("image1", "image2")
OUTPUTS = PairPrediction._fields


def export_onnx(
    network: Dust3r,
    path: Path,
    *,
    batch: int = 1,
    height: int = 512,
    width: int = 512,
    opset: int = OPSET,
) -> None:
    """Write `network` as an ONNX graph with two static inputs (batch, 3, height, width).

    The RoPE tables become constants, attentions and heads are written as `onnx.form` says,
    patches are embedded by one matrix product, and post-processing stays in float32. Weights that
    do not fit the format's 2 GB go to `{path}.data` beside the graph.

    Args:
        network: its linear layers may hold fake quantizers.

    Raises:
        DustError: a file cannot be written, or a layer has no counterpart in ONNX.
    """
    device = next(network.parameters()).device
    images = [torch.zeros(batch, 3, height, width, device=device) for _ in INPUTS]
    path.parent.mkdir(parents=True, exist_ok=True)
    # Above 2 GB the exporter scatters one file a weight around the graph: a folder of its own
    # keeps them together until they are gathered.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        traced = Path(folder) / "graph.onnx"
        with export_form(network):
            _trace(_Pair(network), traced, images, opset)
        graph = read_graph(traced)
        simplify(graph)  # the exporter writes equal weights once, and the others as their copies
        for weight in list(graph.graph.initializers.values()):
            weight.name = str(weight.name).removeprefix(f"{_Pair.NAME}.")
        fold_selections(graph)
        multiply_patches(graph)
        write_graph(graph, path)


class _Pair(nn.Module):
    """A network in the form of `onnx.form`: images (B, 3, H, W) to a pair's prediction."""

    NAME = "network"  # of the network in this module, hence before the names of its weights

    def __init__(self, network: Dust3r) -> None:
        super().__init__()
        self.network = network
        self.train(network.training)

    def forward(self, image1: Tensor, image2: Tensor) -> PairPrediction:
        features = self.network.encode_pair(image1, image2)
        outputs = self.network.decoder_outputs(*features)
        grids = [view.grid for view in features]
        return read_out(self.network, list(zip(outputs, grids, strict=True)))


def _trace(pair: _Pair, path: Path, images: list[Tensor], opset: int) -> None:
    training = pair.training
    pair.eval()
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # Tracing warns of every Python number; H and W are meant to be constants.
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            # The RoPE tables are constants of the graph only if they exist.
            pair(*images)
            torch.onnx.export(
                pair,
                tuple(images),
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
        pair.train(training)
