"""A pair of a landscape and a portrait: each view has the positions of its own grid."""

import pytest
import torch
from torch import Tensor

from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.model.blocks import CrossAttention, DecoderBlock, SelfAttention

LANDSCAPE, PORTRAIT = (32, 64), (64, 32)


def build(head: str) -> Dust3r:
    torch.manual_seed(0)
    shape = {"enc_dim": 32, "enc_depth": 1, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
    dpt = DptConfig(layer_dims=(8, 8, 8, 8), feature_dim=8, last_dim=8) if head == "dpt" else None
    return Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head=head, dpt=dpt)).eval()


def picture(size: tuple[int, int], seed: int) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def rotary(tokens: Tensor, grid: tuple[int, int], base: float) -> Tensor:
    """CroCo's RoPE2D written out: half the channels turn with the row, half with the column."""

    def turned(part: Tensor, positions: Tensor) -> Tensor:
        width = part.shape[-1]
        frequencies = 1 / base ** (torch.arange(0, width, 2).float() / width)
        angles = torch.outer(positions.float(), frequencies).repeat(1, 2)
        low, high = part.chunk(2, -1)
        return part * angles.cos() + torch.cat([-high, low], -1) * angles.sin()

    rows = torch.arange(grid[0]).repeat_interleave(grid[1])
    columns = torch.arange(grid[1]).repeat(grid[0])
    upper, lower = tokens.chunk(2, -1)
    return torch.cat([turned(upper, rows), turned(lower, columns)], -1)


def heads(values: Tensor, count: int) -> Tensor:
    return values.unflatten(-1, (count, -1)).transpose(1, 2)


def attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def written_out(
    block: DecoderBlock, x: Tensor, y: Tensor, grids: tuple[tuple[int, int], ...], base: float
) -> Tensor:
    """A decoder block of the published network, with the positions of both grids."""
    own, across = block.attn, block.cross_attn
    assert isinstance(own, SelfAttention) and isinstance(across, CrossAttention)
    q, k, v = (heads(part, own.heads) for part in own.qkv(block.norm1(x)).chunk(3, -1))
    x = x + own.proj(attended(rotary(q, grids[0], base), rotary(k, grids[0], base), v))
    q = rotary(heads(across.projq(block.norm2(x)), across.heads), grids[0], base)
    seen = block.norm_y(y)
    k = rotary(heads(across.projk(seen), across.heads), grids[1], base)
    x = x + across.proj(attended(q, k, heads(across.projv(seen), across.heads)))
    return x + block.mlp(block.norm3(x))


@torch.inference_mode()
def test_each_view_has_the_positions_of_its_own_grid() -> None:
    network = build("linear")
    base = network.config.rope_base
    one, two = network.encode(picture(LANDSCAPE, 1)), network.encode(picture(PORTRAIT, 2))
    x1, x2 = network.decoder_embed(one.tokens), network.decoder_embed(two.tokens)
    for block1, block2 in zip(network.dec_blocks, network.dec_blocks2, strict=True):
        x1, x2 = (
            written_out(block1, x1, x2, (one.grid, two.grid), base),
            written_out(block2, x2, x1, (two.grid, one.grid), base),
        )
    outputs1, outputs2 = network.decoder_outputs(one, two)
    torch.testing.assert_close(outputs1[-1], network.dec_norm(x1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(outputs2[-1], network.dec_norm(x2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("head", ["linear", "dpt"])
@torch.inference_mode()
def test_the_prediction_of_each_view_has_its_own_shape(head: str) -> None:
    network = build(head)
    prediction = network(picture(LANDSCAPE, 1), picture(PORTRAIT, 2))
    shapes = [tuple(part.shape[1:3]) for part in prediction]
    assert shapes == [LANDSCAPE, LANDSCAPE, PORTRAIT, PORTRAIT]
    apart = network.decode(*map(network.encode, (picture(LANDSCAPE, 1), picture(PORTRAIT, 2))))
    assert all(torch.equal(a, b) for a, b in zip(prediction, apart, strict=True))
