"""The form in which a network is exported: what it computes, written so that runtimes fuse it.

The modules of `dust_core.network.model` are written for training. Runtimes fuse operations that
they recognise, and move data where a graph asks for it. Here

- queries, keys and values are products of their own, and their heads are one transpose away, which
  runtimes take into the attention;
- the rotary embedding turns one half of a head's channels into the other, which OpenVINO computes
  in one node: for this the channels of queries and keys are permuted, which their product does not
  notice;
- a linear head predicts x, y, z and confidence in four planes, whose pixels are moved once.

A permutation or a part of a product's outputs is `take` here. `onnx.selection` folds it into the
weights.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dust_core.network.model.blocks import (
    Attend,
    CrossAttention,
    RopeTables,
    SelfAttention,
    project,
    sizes,
)
from dust_core.network.model.heads import LinearHead, confidence_of, stretch_of
from dust_core.network.model.network import Dust3r, PairPrediction

Grid = tuple[int, int]


@contextmanager
def export_form(network: Dust3r) -> Iterator[None]:
    """A context in which the network's attentions are in the form of this module."""
    forms: dict[type, type[_Attention]] = {
        SelfAttention: _SelfAttention,
        CrossAttention: _CrossAttention,
    }
    replaced = [
        (block, name, module)
        for block in [*network.enc_blocks, *network.dec_blocks, *network.dec_blocks2]
        for name, module in block.named_children()
        if type(module) in forms
    ]
    for block, name, module in replaced:
        setattr(block, name, forms[type(module)](module))
    try:
        yield
    finally:
        for block, name, module in replaced:
            setattr(block, name, module)


def read_out(network: Dust3r, views: Sequence[tuple[list[Tensor], Grid]]) -> PairPrediction:
    """What the heads make of both views, each its outputs and its grid; as `Dust3r.read_out`."""
    (outputs1, grid1), (outputs2, grid2) = views
    head1, head2 = network.downstream_head1, network.downstream_head2
    if not (isinstance(head1, LinearHead) and isinstance(head2, LinearHead)):
        return network.read_out(outputs1, outputs2, grid1, grid2)
    return PairPrediction(*_planes(head1, outputs1, grid1), *_planes(head2, outputs2, grid2))


class _Attention(nn.Module):
    """Attention whose layers are those of another module, under the same names."""

    attend: Attend
    proj: nn.Linear

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        assert isinstance(module, SelfAttention | CrossAttention)
        self.heads, self.head_dim = module.heads, module.head_dim
        for name, child in module.named_children():
            setattr(self, name, child)
        self.train(module.training)

    def attended(
        self, q: Tensor, k: Tensor, v: Tensor, rope: RopeTables, opposite_rope: RopeTables
    ) -> Tensor:
        """From products (B, N, heads * head_dim), those of `q` and `k` in halves, to the output."""
        q = _rotate_halves(self._split(q), rope)
        k = _rotate_halves(self._split(k), opposite_rope)
        return project(self.proj, self.attend(q, k, self._split(v)))

    def halves(self) -> Tensor:
        """The channels of queries or keys, those that one half turns into the other last."""
        width = self.heads * self.head_dim
        quarters = torch.arange(width).reshape(self.heads, 4, self.head_dim // 4)
        return quarters[:, _HALVES].flatten()

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, _ = sizes(x)
        return x.reshape(batch, tokens, self.heads, self.head_dim).transpose(1, 2)


class _SelfAttention(_Attention):
    qkv: nn.Linear

    def forward(self, x: Tensor, rope: RopeTables) -> Tensor:
        qkv, width = self.qkv(x), self.heads * self.head_dim
        q, k = take(qkv, self.halves()), take(qkv, width + self.halves())
        v = take(qkv, 2 * width + torch.arange(width))
        return self.attended(q, k, v, rope, rope)


class _CrossAttention(_Attention):
    projq: nn.Linear
    projk: nn.Linear
    projv: nn.Linear

    def forward(
        self, x: Tensor, opposite: Tensor, rope: RopeTables, opposite_rope: RopeTables
    ) -> Tensor:
        q, k = take(self.projq(x), self.halves()), take(self.projk(opposite), self.halves())
        return self.attended(q, k, self.projv(opposite), rope, opposite_rope)


_HALVES = [0, 2, 1, 3]  # of the quarters that `rope.rotate` swaps: 0 with 1, 2 with 3


def take(x: Tensor, channels: Tensor) -> Tensor:
    """These channels of a product, (..., C) to (..., len(channels)), in their order."""
    return x.index_select(-1, channels.to(x.device))


def _rotate_halves(x: Tensor, tables: RopeTables) -> Tensor:
    """`rope.rotate` for heads (B, heads, N, head_dim) whose quarters are in the order of halves."""
    tokens, width = tables[0].shape
    cosines, sines = (
        table.reshape(tokens, 4, width // 4)[:, _HALVES].reshape(1, 1, tokens, width)
        for table in tables
    )
    half = width // 2
    # OpenVINO knows the rotation by this negation: the signs that the table holds are undone.
    signs = torch.ones(width, device=sines.device).index_fill(
        0, torch.arange(half, device=sines.device), -1.0
    )
    turned = torch.cat([x[..., half:] * -1.0, x[..., :half]], -1)
    return x * cosines + turned * (sines * signs)


def _planes(head: LinearHead, outputs: Sequence[Tensor], grid: Grid) -> tuple[Tensor, Tensor]:
    """Decoder outputs (B, N, dec_dim) to points (B, H, W, 3) and confidence (B, H, W).

    A plane holds one of the four values for each pixel, patch by patch.
    """
    values = head.proj(outputs[-1])
    (batch, _, _), (rows, columns), side = sizes(values), grid, head.patch_size
    # The cast marks where a variant of the graph in 16 bits returns to float32.
    x, y, z, confidence = (
        take(values, number * side**2 + torch.arange(side**2)).float() for number in range(4)
    )
    stretch = stretch_of(x, y, z)
    points = torch.stack([x * stretch, y * stretch, z * stretch])
    # The three planes outermost: they are interleaved in the same move that orders the pixels.
    pixels = points.reshape(3, batch * rows, columns, side, side).permute(1, 3, 2, 4, 0)
    certain = confidence_of(confidence).reshape(batch * rows, columns, side, side).transpose(1, 2)
    size = (batch, rows * side, columns * side)
    return pixels.reshape(*size, 3), certain.reshape(size)
