"""Cutting, scaling, mirroring and colouring of a batch in torch, on any device.

It gives what the DALI pipeline of `dali.py` gives, for pixels that are decoded already.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample

from dust_core.pairs.feed.order import Adjustment

_LUMA = (0.299, 0.587, 0.114)
_MIDDLE = 128.0


def adjusted_images(images: Tensor, adjustments: Sequence[Adjustment], side: int) -> Tensor:
    """Pictures (B, S, S, 3) uint8 as the network takes them: (B, 3, side, side) float32."""
    planes = images.permute(0, 3, 1, 2).float()
    smallest = min(a.end[0] - a.start[0] for a in adjustments)
    # Bilinear sampling reads four pixels: where more of them make one, they are averaged before.
    factor = max(1, int(smallest // side))
    size = planes.shape[-1]
    if factor > 1 and size % factor == 0:
        planes = avg_pool2d(planes, factor)
    sampled = grid_sample(
        planes,
        _grid(adjustments, size, side, images.device),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return (_coloured(sampled, adjustments) - 127.5) / 127.5


def adjusted_depth(depth: Tensor, adjustments: Sequence[Adjustment], side: int) -> Tensor:
    """Depths (B, S, S) float32 as (B, side, side): the nearest depth of each pixel, never a mean,
    since between two depths there is no surface."""
    size = depth.shape[-1]
    places = torch.from_numpy(_places(adjustments, side)).to(depth.device)
    rows, columns = places.floor().long().clamp_(0, size - 1).unbind(1)
    batch = torch.arange(len(depth), device=depth.device)
    return depth[batch[:, None, None], rows[:, :, None], columns[:, None, :]]


def _grid(adjustments: Sequence[Adjustment], size: int, side: int, device: torch.device) -> Tensor:
    """Where each pixel of the result lies, (B, side, side, 2), as `grid_sample` counts."""
    places = 2 * _places(adjustments, side) / size - 1
    rows, columns = torch.from_numpy(places).to(device).unbind(1)
    return torch.stack(torch.broadcast_tensors(columns[:, None, :], rows[:, :, None]), -1)


def _places(adjustments: Sequence[Adjustment], side: int) -> NDArray[np.float32]:
    """Rows and columns (B, 2, side) at which the centres of the result's pixels lie; the first
    pixel spans 0 to 1."""
    starts = np.array([a.start for a in adjustments], np.float32)
    ends = np.array([a.end for a in adjustments], np.float32)
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    places = (starts[:, :, None] + (ends - starts)[:, :, None] * steps).astype(np.float32)
    mirrored = np.array([a.mirror for a in adjustments], bool)
    places[mirrored, 1] = places[mirrored, 1, ::-1]
    return places


def _coloured(planes: Tensor, adjustments: Sequence[Adjustment]) -> Tensor:
    factors = np.array([(a.brightness, a.contrast, a.saturation) for a in adjustments], np.float32)
    if (factors == 1).all():
        return planes
    brightness, contrast, saturation = (
        column[:, None, None, None] for column in torch.from_numpy(factors).to(planes.device).T
    )
    grey = (planes * planes.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    planes = grey + (planes - grey) * saturation
    planes = (planes * brightness - _MIDDLE) * contrast + _MIDDLE
    return planes.round().clamp(0, 255)
