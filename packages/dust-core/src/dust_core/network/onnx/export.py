"""The network as static ONNX graphs: whole, or encoder and decoder apart."""

import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from dust_core.errors import DustError
from dust_core.network.model.network import Dust3r, Features, PairPrediction
from dust_core.network.onnx.form import export_form, read_out
from dust_core.network.onnx.graph import OPSET, read_graph, write_graph
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
    images = tuple(_zeros(network, batch, 3, height, width) for _ in INPUTS)
    _export(_Pair(network), path, dict(zip(INPUTS, images, strict=True)), OUTPUTS, opset)


def export_parts(
    network: Dust3r, encoder: Path, decoder: Path, *, height: int = 512, width: int = 512
) -> None:
    """Write `network` as two graphs, so that an image is encoded once for all its pairs.

    The encoder turns `image` (1, 3, height, width) into `features` (1, N, enc_dim), the decoder
    `features1` and `features2` into what `export_onnx` gives, which says the rest.

    Raises:
        DustError: as `export_onnx`.
        ValueError: the sides are not divisible by the patch size.
    """
    image = _zeros(network, 1, 3, height, width)
    _export(_Encoder(network), encoder, {"image": image}, ("features",))
    patch = network.config.patch_size
    grid = (height // patch, width // patch)
    features = {
        f"features{view}": _zeros(network, 1, grid[0] * grid[1], network.config.enc_dim)
        for view in (1, 2)
    }
    _export(_Decoder(network, grid), decoder, features, OUTPUTS)


class _Part(nn.Module):
    """A part of a network, in the form of `onnx.form`."""

    def __init__(self, network: Dust3r) -> None:
        super().__init__()
        self.network = network
        self.train(network.training)

    def decoded(self, features1: Features, features2: Features) -> PairPrediction:
        outputs = self.network.decoder_outputs(features1, features2)
        return read_out(self.network, outputs, (features1.grid, features2.grid))


class _Pair(_Part):
    """Images (B, 3, H, W) to a pair's prediction."""

    def forward(self, image1: Tensor, image2: Tensor) -> PairPrediction:
        return self.decoded(*self.network.encode_pair(image1, image2))


class _Encoder(_Part):
    """Images (B, 3, H, W) to features (B, N, enc_dim)."""

    def forward(self, image: Tensor) -> Tensor:
        # The cast marks where a variant of the graph in 16 bits returns to float32.
        return self.network.encode(image).tokens.float()


class _Decoder(_Part):
    """Features (B, N, enc_dim) of two images with one grid of tokens to a pair's prediction."""

    def __init__(self, network: Dust3r, grid: tuple[int, int]) -> None:
        super().__init__(network)
        self.grid = grid

    def forward(self, features1: Tensor, features2: Tensor) -> PairPrediction:
        return self.decoded(Features(features1, self.grid), Features(features2, self.grid))


def _zeros(network: Dust3r, *shape: int) -> Tensor:
    return torch.zeros(shape, device=next(network.parameters()).device)


def _export(
    part: _Part,
    path: Path,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    opset: int = OPSET,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Above 2 GB the exporter scatters one file a weight around the graph: a folder of its own
    # keeps them together until they are gathered.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        traced = Path(folder) / "graph.onnx"
        with export_form(part.network):
            _trace(part, traced, inputs, outputs, opset)
        graph = read_graph(traced)
        fold_selections(graph)
        multiply_patches(graph)
        write_graph(graph, path)


def _trace(
    network: nn.Module,
    path: Path,
    inputs: dict[str, Tensor],
    outputs: tuple[str, ...],
    opset: int,
) -> None:
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(), warnings.catch_warnings():
            # Tracing warns of every Python number; H and W are meant to be constants.
            warnings.simplefilter("ignore", TracerWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            # The RoPE tables are constants of the graph only if they exist.
            network(*inputs.values())
            torch.onnx.export(
                network,
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=list(outputs),
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
