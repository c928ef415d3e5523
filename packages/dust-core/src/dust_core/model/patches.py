"""The same network at a multiple of its resolution: larger patches, as many tokens."""

from dataclasses import replace

import torch
from torch import Tensor

from dust_core.model.config import Dust3rConfig
from dust_core.model.network import Dust3r


def enlarge_patches(network: Dust3r, factor: int) -> Dust3r:
    """A network that reads and writes `factor` times the resolution with the same tokens.

    A patch averages each `factor` x `factor` pixels before it is embedded, and every predicted
    pixel is repeated as often: on an image of which each pixel is repeated, the result is exactly
    the repeated prediction. Training at a low resolution goes on from there at a higher one.

    Args:
        network: with a linear head; is left as it is.
        factor: at least 1.

    Raises:
        ValueError: the head is not linear, or the factor is below 1.
    """
    if network.config.head != "linear":
        raise ValueError(f"the head is {network.config.head}, only a linear one can be enlarged")
    if factor < 1:
        raise ValueError(f"factor is {factor}, must be at least 1")
    config = replace(network.config, patch_size=network.config.patch_size * factor)
    larger = Dust3r(config)
    weights = dict(network.state_dict())
    embed = weights["patch_embed.proj.weight"]
    weights["patch_embed.proj.weight"] = _repeated(embed, factor) / factor**2
    for head in ("downstream_head1", "downstream_head2"):
        for kind in ("weight", "bias"):
            key = f"{head}.proj.{kind}"
            weights[key] = _repeated_outputs(weights[key], network.config, factor)
    larger.load_state_dict(weights)
    return larger.train(network.training)


def _repeated(x: Tensor, factor: int) -> Tensor:
    """Repeat the last two dimensions elementwise."""
    return x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def _repeated_outputs(values: Tensor, config: Dust3rConfig, factor: int) -> Tensor:
    """Rows of a head's layer, (4 * patch * patch, ...), for a patch `factor` times as large."""
    patch = config.patch_size
    # pixel_shuffle reads a row's number as (channel, y, x).
    by_pixel = torch.movedim(values.unflatten(0, (4, patch, patch)), (1, 2), (-2, -1))
    return torch.movedim(_repeated(by_pixel, factor), (-2, -1), (1, 2)).flatten(0, 2)
