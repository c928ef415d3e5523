"""SmoothQuant: the scales of LayerNorm's channels move into the weights (arXiv:2211.10438)."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from dust_core.network.model import Dust3r
from dust_core.network.model.blocks import DecoderBlock, EncoderBlock

_SMALLEST = 1e-5


def smooth(network: Dust3r, alpha: float, run: Callable[[nn.Module], None]) -> None:
    """Even out the channels between LayerNorm and linear layers, in place.

    Channel j is divided by s_j = max|x_j|^alpha / max|w_j|^(1 - alpha), in LayerNorm's own weight
    and bias, and the columns of the layers that read it are multiplied by s_j. The network computes
    the same values, and one scale fits its activations better.

    Args:
        alpha: the share of the difference that moves to the weights, in (0, 1).
        run: runs the network on the calibration images.
    """
    pairs = list(_norms_and_readers(network))
    largest: dict[nn.LayerNorm, Tensor] = {}

    def note(norm: nn.Module, inputs: object, output: Tensor) -> None:
        assert isinstance(norm, nn.LayerNorm)
        magnitudes = output.detach().float().flatten(0, -2).abs().amax(0)
        largest[norm] = torch.maximum(largest[norm], magnitudes) if norm in largest else magnitudes

    hooks = [norm.register_forward_hook(note) for norm, _ in pairs]
    try:
        run(network)
    finally:
        for hook in hooks:
            hook.remove()
    with torch.no_grad():
        for norm, readers in pairs:
            weights = torch.stack([layer.weight.abs().amax(0) for layer in readers]).amax(0)
            scale = largest[norm].clamp(min=_SMALLEST) ** alpha
            scale = (scale / weights.clamp(min=_SMALLEST) ** (1 - alpha)).clamp(1e-4, 1e4)
            norm.weight.div_(scale)
            norm.bias.div_(scale)
            for layer in readers:
                layer.weight.mul_(scale)


def _norms_and_readers(network: Dust3r) -> Iterator[tuple[nn.LayerNorm, list[nn.Linear]]]:
    """Every LayerNorm that only linear layers read, with these layers."""
    for block in network.modules():
        if isinstance(block, EncoderBlock):
            yield block.norm1, [block.attn.qkv]
            yield block.norm2, [block.mlp.fc1]
        elif isinstance(block, DecoderBlock):
            yield block.norm1, [block.attn.qkv]
            yield block.norm2, [block.cross_attn.projq]
            yield block.norm_y, [block.cross_attn.projk, block.cross_attn.projv]
            yield block.norm3, [block.mlp.fc1]
