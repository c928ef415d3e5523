"""The same network at another resolution: larger or smaller patches, as many tokens."""

from copy import deepcopy
from dataclasses import replace

from torch import Tensor

from dust_core.network.model.config import Dust3rConfig
from dust_core.network.model.network import Dust3r

_Weights = dict[str, Tensor]
_EMBED = "patch_embed.proj.weight"
_OUTPUTS = tuple(
    f"downstream_head{view}.proj.{kind}" for view in (1, 2) for kind in ("weight", "bias")
)


def enlarge_patches(network: Dust3r, factor: int, detail: Dust3r | None = None) -> Dust3r:
    """A network that reads and writes `factor` times the resolution with the same tokens.

    A patch averages each `factor` x `factor` pixels before it is embedded, and every predicted
    pixel is repeated as often: on an image of which each pixel is repeated, the result is exactly
    the repeated prediction. A DPT head keeps its weights and interpolates its raw predictions
    instead of repeating them. Training at a low resolution goes on from there at a higher one.

    Args:
        network: is left as it is.
        factor: at least 1.
        detail: a network with the larger patches and the same embedding widths, as the one that
            `network` was before `shrink_patches`: what shrinking took from its patches and heads
            is added again.

    Raises:
        ValueError: the factor is below 1.
    """
    if _stays(factor):
        return deepcopy(network)
    patch = network.config.patch_size
    weights = dict(network.state_dict()) | _repeated(network.state_dict(), patch, factor)
    if detail is not None:
        device = weights[_EMBED].device  # a student may have been trained where its teacher was not
        full = {key: value.to(device) for key, value in detail.state_dict().items()}
        kept = _repeated(_averaged(full, patch, factor), patch, factor)
        weights |= {key: weights[key] + full[key] - kept[key] for key in kept}
    return _with_patches(network, patch * factor, weights)


def shrink_patches(network: Dust3r, factor: int) -> Dust3r:
    """A network that reads and writes a `factor`-th of the resolution with the same tokens.

    Its tokens are those of `network` on the image of which each pixel is repeated, and before its
    activation a predicted pixel is the mean of the pixels that it stands for. It undoes
    `enlarge_patches`.

    Args:
        network: is left as it is.
        factor: divides the patch's side.

    Raises:
        ValueError: the factor does not divide the patch's side, or leaves a DPT head patches that
            are no multiple of 16 pixels.
    """
    if _stays(factor):
        return deepcopy(network)
    patch, left = divmod(network.config.patch_size, factor)
    if left:
        raise ValueError(f"factor is {factor}, must divide {network.config.patch_size}")
    weights = dict(network.state_dict()) | _averaged(network.state_dict(), patch, factor)
    return _with_patches(network, patch, weights)


def _stays(factor: int) -> bool:
    if factor < 1:
        raise ValueError(f"factor is {factor}, must be at least 1")
    return factor == 1


def _with_patches(network: Dust3r, patch: int, weights: _Weights) -> Dust3r:
    config: Dust3rConfig = replace(network.config, patch_size=patch)
    resized = Dust3r(config).to(weights[_EMBED].device)
    resized.load_state_dict(weights)
    return resized.train(network.training)


def _repeated(weights: _Weights, patch: int, factor: int) -> _Weights:
    """The weights that see patches, from patches of `patch` to ones `factor` times as large."""
    larger = {_EMBED: _repeat(weights[_EMBED], factor) / factor**2}
    return larger | {
        key: _by_row(_repeat(_by_pixel(weights[key], patch), factor)) for key in _outputs(weights)
    }


def _averaged(weights: _Weights, patch: int, factor: int) -> _Weights:
    """The weights that see patches, to patches of `patch` from ones `factor` times as large."""
    smaller = {_EMBED: _mean(weights[_EMBED], factor) * factor**2}
    return smaller | {
        key: _by_row(_mean(_by_pixel(weights[key], patch * factor), factor))
        for key in _outputs(weights)
    }


def _outputs(weights: _Weights) -> tuple[str, ...]:
    """The parameters that write a patch's pixels: those of linear heads; a DPT head has none."""
    return tuple(key for key in _OUTPUTS if key in weights)


def _repeat(x: Tensor, factor: int) -> Tensor:
    """Repeat the last two dimensions elementwise."""
    return x.repeat_interleave(factor, -1).repeat_interleave(factor, -2)


def _mean(x: Tensor, factor: int) -> Tensor:
    """Mean over blocks of the last two dimensions."""
    blocks: Tensor = x.unflatten(-1, (-1, factor)).unflatten(-3, (-1, factor))
    return blocks.mean((-1, -3))


def _by_pixel(values: Tensor, patch: int) -> Tensor:
    """Rows of a head's layer, (4 * patch * patch, ...), with a patch's y and x last."""
    # pixel_shuffle reads a row's number as (channel, y, x).
    by_channel: Tensor = values.unflatten(0, (4, patch, patch))
    return by_channel.movedim((1, 2), (-2, -1))


def _by_row(values: Tensor) -> Tensor:
    return values.movedim((-2, -1), (1, 2)).flatten(0, 2)
