"""Bias correction: subtract the mean error of quantization from each layer's bias."""

from typing import Any

import torch
from torch import Tensor, nn

from dust_compress.quantize.network import Run, quantizers, quantizers_off
from dust_core.network.model import Dust3r


def correct_biases(network: Dust3r, run: Run) -> None:
    """Shift the biases of a quantized network, in place, so that no layer has a mean error.

    Rounding of weights and clipping of activations shift the mean of a layer's outputs, by channel.
    Each layer's mean error on the float network's own inputs is subtracted from its bias
    (arXiv:1906.04721, section 4.2; measured, not derived). Layers without a bias do not change.

    Args:
        network: with calibrated quantizers.
        run: runs the network on the calibration images.
    """
    errors = _mean_errors(network, run)
    with torch.no_grad():
        for layer, error in errors.items():
            layer.bias.sub_(error)


def _mean_errors(network: Dust3r, run: Run) -> dict[Any, Tensor]:
    """By layer, the mean shift (channels,) of its outputs when it alone is quantized."""
    named = dict(network.named_modules())
    owners = {name.rpartition(".")[0] for name in quantizers(network) if "weight" in name}
    layers = [named[name] for name in sorted(owners) if named[name].bias is not None]
    sums: dict[nn.Module, Tensor] = {}
    counts = dict.fromkeys(layers, 0)

    def compare(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        own = list(quantizers(layer).values())
        for quantizer in own:
            quantizer.enable()
        moved = (layer.forward(*inputs) - output).double()
        for quantizer in own:
            quantizer.disable()
        # Linear layers have their channels last, convolutions second.
        by_channel = moved.movedim(-1 if isinstance(layer, nn.Linear) else 1, 0).flatten(1)
        sums[layer] = sums[layer] + by_channel.sum(1) if layer in sums else by_channel.sum(1)
        counts[layer] += by_channel.shape[1]

    hooks = [layer.register_forward_hook(compare) for layer in layers]
    try:
        with torch.no_grad(), quantizers_off(network):
            run(network)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: total / counts[layer] for layer, total in sums.items()}
