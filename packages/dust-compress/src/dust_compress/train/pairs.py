"""From a batch of the feed to predictions and truths, each pair in both orders."""

from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from dust_compress.losses.pointmaps import PairMask, PairPoints
from dust_core.network.model import Dust3r, Features, PairPrediction
from dust_core.pairs.feed.feed import PairBatch

_FEW_TOKENS = 128


class Supervision(NamedTuple):
    """The truth of pairs: true points in view 1's frame, and the mask of known ones."""

    points: PairPoints
    mask: PairMask


def predict_both_orders(network: Dust3r, image1: Tensor, image2: Tensor) -> PairPrediction:
    """Predictions of 2B pairs, (1, 2) and then (2, 1), from one encoding of each image.

    Args:
        image1, image2: (B, 3, H, W) in [-1, 1].
    """
    with attention_for(network, image1):
        return network.decode(*encode_both_orders(network, image1, image2))


def encode_both_orders(
    network: Dust3r, image1: Tensor, image2: Tensor
) -> tuple[Features, Features]:
    """Features of views 1 and 2 of 2B pairs, (1, 2) and then (2, 1), from one encoding.

    Args:
        image1, image2: (B, 3, H, W) in [-1, 1].
    """
    both = network.encode(torch.cat([image1, image2]))
    return both, Features(both.tokens.roll(len(image1), 0), both.grid)


def supervise(batch: PairBatch) -> Supervision:
    """True points of the B pairs in their own order, metres."""
    first = _points(batch.depth1, batch.intrinsics1)
    second = _moved(_points(batch.depth2, batch.intrinsics2), batch.view1_from_view2)
    return Supervision(PairPoints(first, second), PairMask(batch.depth1 > 0, batch.depth2 > 0))


def supervise_both_orders(batch: PairBatch) -> Supervision:
    """True points of 2B pairs in the order of `predict_both_orders`, metres."""
    exchanged = PairBatch(
        image1=batch.image2,
        image2=batch.image1,
        depth1=batch.depth2,
        depth2=batch.depth1,
        intrinsics1=batch.intrinsics2,
        intrinsics2=batch.intrinsics1,
        view1_from_view2=torch.linalg.inv(batch.view1_from_view2.double()).float(),
    )
    return supervise(PairBatch(*(torch.cat(both) for both in zip(batch, exchanged, strict=True))))


def attention_for(network: Dust3r, images: Tensor) -> AbstractContextManager[None]:
    """On CPUs, plain products for few tokens.

    At 49 tokens PyTorch's fused attention costs 20 % of a training step; from about 200 tokens on
    it is faster than plain products.
    """
    tokens = images.shape[-1] * images.shape[-2] // network.config.patch_size**2
    if images.device.type == "cpu" and tokens < _FEW_TOKENS:
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def _points(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Points (B, H, W, 3), in the camera's frame, of depths (B, H, W)."""
    height, width = depth.shape[-2:]
    rows = torch.arange(height, dtype=depth.dtype, device=depth.device)
    columns = torch.arange(width, dtype=depth.dtype, device=depth.device)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], -1)
    rays = torch.einsum("bij,hwj->bhwi", torch.linalg.inv(intrinsics), pixels)
    return rays * depth[..., None]


def _moved(points: Tensor, pose: Tensor) -> Tensor:
    """Points (B, H, W, 3) under rigid transforms (B, 4, 4)."""
    turned = torch.einsum("bij,bhwj->bhwi", pose[:, :3, :3], points)
    return turned + pose[:, None, None, :3, 3]
