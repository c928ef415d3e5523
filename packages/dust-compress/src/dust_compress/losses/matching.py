"""The tokens of a pair's two views that see the same surface, and a loss on their matches."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from dust_compress.losses.pointmaps import PairMask, PairPoints, lengths
from dust_compress.train.distributed import mean_over_ranks

_UNKNOWN = -1
_NEAREST = 1e-3  # of the image plane, metres


def matching_loss(
    tokens1: Tensor, tokens2: Tensor, matches: Tensor, *, channels: float, temperature: float
) -> Tensor:
    """Mean cross-entropy of the matches of view 2's tokens among view 1's (InfoNCE).

    Tokens compare by the cosine of their first channels alone. The other channels are free for
    information that a match must not depend on. MASt3R trains matching in this way, on pixels and
    in addition to DUSt3R's loss (arXiv:2406.09756, eq. 9).

    Args:
        tokens1, tokens2: encoder outputs (B, N, C).
        matches: (B, N), from `matching_tokens`.
        channels: share of the channels that compare, in (0, 1].
        temperature: of the cosines.

    Returns:
        A scalar: 0 for certainty, log N for chance; 0 where no token has a match.
    """
    with torch.autocast(tokens1.device.type, enabled=False):
        ours, theirs = (
            normalize(tokens[..., : int(channels * tokens.shape[-1])].float(), dim=-1)
            for tokens in (tokens1, tokens2)
        )
        logits = theirs @ ours.transpose(1, 2) / temperature
    losses = cross_entropy(
        logits.flatten(0, 1), matches.flatten(), ignore_index=_UNKNOWN, reduction="none"
    )
    return mean_over_ranks(losses.sum(), (matches != _UNKNOWN).sum())


def matching_tokens(
    truth: PairPoints,
    mask: PairMask,
    intrinsics: Tensor,
    patch_size: int,
    *,
    same_surface: float,
) -> Tensor:
    """Where view 1 sees the surface at the centre of each of view 2's patches.

    Args:
        truth: true points (B, H, W, 3) in view 1's frame.
        intrinsics: K (B, 3, 3) of view 1, pixels.
        patch_size: side of a patch, pixels.
        same_surface: a point is on the same surface if it is nearer to the expected point than
            this share of its distance from the camera; otherwise it hides the surface.

    Returns:
        (B, N): for each token of view 2 the number of view 1's token, row by row; -1 where the
        surface is unknown, outside view 1, behind it or hidden in it.
    """
    height, width = mask.view1.shape[1:]
    centres = slice(patch_size // 2, None, patch_size)
    points = truth.view2[:, centres, centres].flatten(1, 2)
    known = mask.view2[:, centres, centres].flatten(1)
    planes = torch.einsum("bij,bnj->bni", intrinsics, points)
    depth = planes[..., 2].clamp(min=_NEAREST)
    column, row = (planes[..., :2] / depth[..., None]).round().long().unbind(-1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clamp(0, width - 1), row.clamp(0, height - 1)
    batch = torch.arange(len(points), device=points.device)[:, None]
    seen = truth.view1[batch, row, column]
    same = lengths(seen - points) < same_surface * lengths(points)
    visible = known & inside & mask.view1[batch, row, column] & same & (planes[..., 2] > _NEAREST)
    token = (row // patch_size) * (width // patch_size) + column // patch_size
    return token.where(visible, _UNKNOWN)
