"""Calibration images through the feed, and how sensitive each layer is to quantization."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress, track
from torch import Tensor, nn

from dust_compress.quantize.network import Run, quantizers, quantizers_off
from dust_core.console import Terminal
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.pairs.feed.feed import FeedOptions, PairFeed
from dust_core.pairs.shards.manifest import read_manifest

_TOGETHER = 4
_SENSITIVITY_PAIRS = 2


def calibration_run(task: ResolvedTask, images: int) -> Run:
    """A function that runs a network on the first `images` calibration images, two to a pair.

    Raises:
        DustError: the set holds fewer.
    """
    folder = Path(task.data.calibration.manifest).parent
    pairs = images // 2
    there = read_manifest(folder).pairs
    if pairs > there:
        raise DustError(
            f"calibration asks for {images} images, and the set holds {2 * there}",
            where=str(folder),
            fix="render or import a larger calibration set, or ask for fewer images",
        )

    def run(network: nn.Module) -> None:
        device = next(network.parameters()).device
        network.eval()
        feed = _feed(task, folder, _TOGETHER)
        with Progress(transient=True, console=Terminal()) as progress, torch.no_grad():
            bar = progress.add_task("calibrating", total=pairs)
            for batch in islice(feed, -(-pairs // _TOGETHER)):
                left = pairs - int(progress.tasks[bar].completed)
                network(batch.image1[:left].to(device), batch.image2[:left].to(device))
                progress.advance(bar, min(left, len(batch.image1)))
        feed.close()

    return run


def sensitivity(task: ResolvedTask, network: nn.Module) -> dict[str, float]:
    """The shift of the points when one layer alone is quantized, by layer, worst first.

    The mean over two calibration pairs of |quantized - float| / |float| of the points, with only
    that layer's quantizers on.
    """
    feed = _feed(task, Path(task.data.calibration.manifest).parent, _SENSITIVITY_PAIRS)
    batch = next(feed)
    feed.close()
    device = next(network.parameters()).device
    images = batch.image1.to(device), batch.image2.to(device)
    network.eval()
    every = quantizers(network)
    layers = dict.fromkeys(name.rpartition(".")[0] for name in every)
    shifts: dict[str, float] = {}
    with torch.no_grad(), quantizers_off(network):
        prediction: Any = network(*images)
        reference = [(points, lengths(points)) for points in (prediction[0], prediction[2])]
        for layer in track(layers, "sensitivity", transient=True, console=Terminal()):
            own = [
                quantizer for name, quantizer in every.items() if name.rpartition(".")[0] == layer
            ]
            for quantizer in own:
                quantizer.enable()
            moved: Any = network(*images)
            for quantizer in own:
                quantizer.disable()
            shifts[layer] = relative_shift(moved, reference)
    return dict(sorted(shifts.items(), key=lambda item: -item[1]))


def relative_shift(moved: tuple[Tensor, ...], reference: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The mean of |moved - reference| / |reference| over both pointmaps of a prediction.

    Args:
        moved: a prediction: the first and third are pointmaps (B, H, W, 3).
        reference: the two pointmaps to compare with, each with its lengths.
    """
    shares = [
        (lengths(moved[place] - points) / own.clamp(min=1e-6)).mean()
        for place, (points, own) in zip((0, 2), reference, strict=True)
    ]
    return float(sum(shares) / len(shares))


def lengths(vectors: Tensor) -> Tensor:
    """The lengths of vectors (..., 3)."""
    # `norm` takes fifty times as long where x, y and z are planes in memory, as the heads leave
    # them.
    return vectors.square().sum(-1).sqrt()


def _feed(task: ResolvedTask, folder: Path, batch: int) -> PairFeed:
    options = FeedOptions(
        batch=batch, side=task.workload.images.height, shuffle=False, last_batch="partial"
    )
    return PairFeed(folder, options)
