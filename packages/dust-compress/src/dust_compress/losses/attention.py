"""KL divergence between the cross-attention of student and teacher."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor

from dust_core.network.model import Dust3r
from dust_core.network.model.blocks import DecoderBlock, scale_of

_SMALLEST = 1e-9

Products = tuple[Tensor, Tensor]
"""Queries and keys of one attention, (B, heads, N, head_dim) each, rotated."""


def attention_kl(
    student: Sequence[Products], teacher: Sequence[Products], *, temperature: float
) -> Tensor:
    """T^2 KL(p_t || p_s), p_i = mean_h softmax_j(q_hi k_hj / (T sqrt(d))); mean over tokens,
    pairs and blocks.

    A student has fewer heads than its teacher, and its heads do not correspond to the teacher's.
    The mean over the heads is therefore distilled, as in attention transfer (arXiv:1612.03928),
    with the divergence of arXiv:1503.02531 as the distance.

    Args:
        student, teacher: queries and keys of equally many blocks; gradients flow to the student
            alone.
        temperature: T.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: there is no block, or a block has no counterpart.
    """
    if not student or len(student) != len(teacher):
        raise ValueError(f"{len(student)} blocks of the student, {len(teacher)} of the teacher")
    terms = []
    for ours, theirs in zip(student, teacher, strict=True):
        p, q = (_mean_attention(*products, temperature) for products in (theirs, ours))
        p = p.detach()
        terms.append((p * (p.clamp(min=_SMALLEST) / q.clamp(min=_SMALLEST)).log()).sum(-1).mean())
    return temperature**2 * torch.stack(terms).mean()


@contextmanager
def watch_cross_attention(network: Dust3r) -> Iterator[list[list[Products]]]:
    """Collect queries and keys of every decoder block's cross-attention, a list for each view."""
    views: list[list[Products]] = [[], []]
    handles = [
        cast(DecoderBlock, block).cross_attn.attend.register_forward_pre_hook(
            lambda _, arguments, own=own: own.append(arguments[:2])
        )
        for own, decoder in zip(views, (network.dec_blocks, network.dec_blocks2), strict=True)
        for block in decoder
    ]
    try:
        yield views
    finally:
        for handle in handles:
            handle.remove()


def _mean_attention(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    logits = queries.float() @ keys.float().transpose(-1, -2)
    return (logits * (scale_of(queries) / temperature)).softmax(-1).mean(1)
