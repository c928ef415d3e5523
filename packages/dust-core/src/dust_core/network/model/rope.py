"""Two-dimensional rotary position embedding."""

import torch
from torch import Tensor


def rope_tables(height: int, width: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines for a grid of tokens, in float32 (RoPE: Su et al., 2021, arXiv:2104.09864).

    The first half of a head's channels turns with the token's row, the second with its column.

    Args:
        height, width: tokens along the sides of the grid.
        head_dim: channels of a head, divisible by 4.
        base: base of the geometric series of frequencies (100 in DUSt3R).

    Returns:
        Two tensors (height * width, head_dim); the sines carry the sign of the rotation, so that
        `rotate` needs one multiplication and one addition.
    """
    half = head_dim // 2
    frequencies = base ** (-torch.arange(0, half, 2, dtype=torch.float32) / half)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angles = torch.stack([rows.flatten(), columns.flatten()], 1)[:, :, None] * frequencies
    sines = torch.stack([-angles.sin(), angles.sin()], 2)
    cosines = torch.stack([angles.cos(), angles.cos()], 2)
    return cosines.flatten(1), sines.flatten(1)


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn queries or keys (B, heads, N, head_dim) by the tables of `rope_tables`."""
    first, second, third, fourth = x.split(int(cosines.shape[-1]) // 4, -1)
    swapped = torch.cat([second, first, fourth, third], -1)
    return torch.addcmul(x * cosines, swapped, sines)
