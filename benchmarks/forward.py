"""Time of a pair in PyTorch: this network, plain products, and the published implementation.

    python benchmarks/forward.py [small DUSt3R_ViTLarge_BaseDecoder_512_dpt] [--threads 2]
    python benchmarks/forward.py --published ../dust3r

All networks get the same two random images of 512x512 and the same random weights: times do not
depend on them. "Plain products" is this network with attention written as two products around a
softmax. --published is optional; it names a checkout of DUSt3R's own repository, with its
submodule, whose requirements can be imported. All are timed in turn in one process, in float32 and
under bf16 autocast, and compared with one large matrix product on the same threads. The error is
the median distance of a point from this network's in float32, relative to its distance from the
camera.
"""

import argparse
import sys
import time
from copy import deepcopy
from math import inf
from pathlib import Path

import numpy as np
import torch
from rich.console import Console  # noqa: TID251
from rich.table import Table
from torch import Tensor, nn

from dust_core.declared.specs import load_specs
from dust_core.network.model import Dust3r, PairPrediction
from dust_core.network.model.blocks import CrossAttention, SelfAttention, scale_of
from dust_core.network.model.cost import flops_giga
from dust_core.network.model.named import CONFIGS
from dust_eval.measure.latency import measure_latency
from dust_eval.runtimes import PairOutput, RuntimeOptions
from dust_eval.runtimes.torch_runtime import TorchModel

ROOT = Path(__file__).parents[1]
FULL = "DUSt3R_ViTLarge_BaseDecoder_512_dpt"
SIDE = 512
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
GEMM_SIDE, GEMM_REPEATS = 2048, 10
FEWEST_TURNS, MOST_TURNS = 2, 50


class PlainAttention(nn.Module):
    """Two products around a softmax, (B, heads, N, head_dim) to the same."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.transpose(-2, -1) * scale_of(q)).softmax(-1) @ v


class Published(nn.Module):
    """The published implementation with the weights of a network of ours."""

    def __init__(self, checkout: Path, network: Dust3r) -> None:
        super().__init__()
        sys.path.insert(0, str(checkout))
        from dust3r.model import AsymmetricCroCo3DStereo

        shape = network.config
        self.network = AsymmetricCroCo3DStereo(
            pos_embed=f"RoPE{shape.rope_base:g}",
            img_size=(SIDE, SIDE),
            patch_size=shape.patch_size,
            enc_embed_dim=shape.enc_dim,
            enc_depth=len(shape.enc_heads),
            enc_num_heads=shape.enc_heads[0],
            dec_embed_dim=shape.dec_dim,
            dec_depth=len(shape.dec_heads),
            dec_num_heads=shape.dec_heads[0],
            head_type=shape.head,
            output_mode="pts3d",
            depth_mode=("exp", -inf, inf),
            conf_mode=("exp", 1, inf),
            landscape_only=False,
        )
        keys = self.network.load_state_dict(network.state_dict(), strict=False)
        # A few layers of its DPT heads have a second name.
        absent = [key for key in keys.missing_keys if ".layer_rn." not in key]
        if absent or keys.unexpected_keys:
            raise SystemExit(f"{checkout} has other weights: {absent + keys.unexpected_keys}")

    def forward(self, image1: Tensor, image2: Tensor) -> PairPrediction:
        views = [
            {"img": image, "true_shape": torch.tensor([image.shape[-2:]]), "instance": [name]}
            for name, image in (("1", image1), ("2", image2))
        ]
        first, second = self.network(*views)
        return PairPrediction(
            first["pts3d"], first["conf"], second["pts3d_in_other_view"], second["conf"]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["small", FULL], metavar="NETWORK")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=180, help="of measuring, a network")
    parser.add_argument("--published", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if unknown := set(arguments.networks) - set(CONFIGS):
        parser.error(f"no network is called {unknown.pop()!r}: one of {', '.join(CONFIGS)}")
    torch.set_num_threads(arguments.threads)
    for name in arguments.networks:
        compare(name, arguments.threads, arguments.seconds, arguments.published)


def compare(name: str, threads: int, seconds: float, published: Path | None) -> None:
    """Print the table of one network."""
    torch.manual_seed(0)
    network = Dust3r(CONFIGS[name])
    makers: dict[str, nn.Module] = {
        "this network": network,
        "plain products": with_plain_attention(network),
    }
    if published is not None:
        makers["published"] = Published(published, network)
    labels = [(maker, precision) for maker in makers for precision in TYPES]
    models = [
        TorchModel(makers[maker], RuntimeOptions(precision=precision, threads=threads))
        for maker, precision in labels
    ]
    random = np.random.default_rng(0)
    images = tuple(random.uniform(-1, 1, (1, 3, SIDE, SIDE)).astype(np.float32) for _ in range(2))
    console = Console(width=100)
    console.print(f"measuring {name}")
    peaks = {precision: product_peak(dtype) for precision, dtype in TYPES.items()}
    start = time.perf_counter()
    predictions = [model(*images) for model in models]  # also warms them up
    turns = round(seconds / (time.perf_counter() - start)) - 1
    turns = min(max(turns, FEWEST_TURNS), MOST_TURNS)
    protocol = load_specs(ROOT / "specs").workload.timing
    timing = protocol.model_copy(update={"warmup": 0, "repeats": turns})
    timed = measure_latency(models, images, timing)

    flops = flops_giga(network, SIDE, SIDE)
    medians = dict(zip(labels, (float(np.median(samples.ms)) for samples in timed), strict=True))
    table = Table(title=f"{name}, {flops:.1f} GFLOP a pair, {threads} threads, {turns} turns")
    last = list(makers)[-1]
    for column in ("", "type", "p50", "GFLOP/s", "peak", "share", f"{last} / it", "error"):
        table.add_column(column, justify="right" if column else "left")
    for label, prediction in zip(labels, predictions, strict=True):
        precision, median = label[1], medians[label]
        rate, peak = 1000 * flops / median, peaks[precision]
        faster = medians[last, precision] / median
        table.add_row(
            *(*label, f"{median:.1f} ms", f"{rate:.0f}", f"{peak:.0f}", f"{rate / peak:.0%}"),
            *(f"{faster:.2f} times", f"{error(prediction, predictions[0]):.1e}"),
        )
    console.print(table)


def with_plain_attention(network: Dust3r) -> Dust3r:
    """A copy that shares the network's weights."""
    copy = deepcopy(network, {id(parameter): parameter for parameter in network.parameters()})
    for module in list(copy.modules()):
        if isinstance(module, SelfAttention | CrossAttention):
            module.attend = PlainAttention()
    return copy


def product_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of one large matrix product, the best of several."""
    left, right = torch.rand(2, GEMM_SIDE, GEMM_SIDE).to(dtype)
    times = []
    for _ in range(GEMM_REPEATS):
        start = time.perf_counter()
        torch.mm(left, right)
        times.append(time.perf_counter() - start)
    return 2 * GEMM_SIDE**3 / min(times) / 1e9


def error(predicted: PairOutput, true: PairOutput) -> float:
    """Median relative distance of the points of both views."""
    distances = [
        np.linalg.norm(a - b, axis=-1) / np.linalg.norm(b, axis=-1)
        for a, b in ((predicted.pts3d_1, true.pts3d_1), (predicted.pts3d_2, true.pts3d_2))
    ]
    return float(np.median(distances))


if __name__ == "__main__":
    main()
