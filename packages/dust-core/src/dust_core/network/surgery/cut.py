"""Students cut out of a larger network: fewer blocks, heads and feed-forward units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from dust_core.network.model.blocks import CrossAttention, FeedForward, SelfAttention
from dust_core.network.model.network import Dust3r

DepthRule = Literal["even", "importance"]
UnitRule = Literal["l1", "first"]


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Which share of depth, heads and feed-forward units to take away, each in [0, 1)."""

    depth: float
    heads: float
    ffn: float

    def __post_init__(self) -> None:
        for name in ("depth", "heads", "ffn"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be in [0, 1)")


def cut(
    teacher: Dust3r,
    reduction: Reduction,
    *,
    depth_rule: DepthRule = "even",
    units: UnitRule = "l1",
    ffn_multiple: int = 1,
) -> Dust3r:
    """A network with fewer blocks, heads and feed-forward units, holding the teacher's own weights.

    Embedding widths stay, so that features compare without a projection. Blocks are dropped first,
    then heads and units within those that stay. What is kept keeps its order. With a reduction of 0
    the result computes what the teacher computes.

    Args:
        teacher: is left as it is.
        reduction: shares to take away; the count that stays is rounded and never below 1.
        depth_rule: `even` keeps the first, the last and evenly spaced blocks between them;
            `importance` keeps those whose weights move their input most, by L1 norm.
        units: `l1` keeps heads and units with the largest weights; `first` the first ones.
        ffn_multiple: feed-forward widths are rounded to a multiple of this, where they shrink.
    """
    config = teacher.config
    encoder, decoder = kept_blocks(teacher, reduction, depth_rule)
    student_config = replace(
        config,
        enc_heads=tuple(_kept(config.enc_heads[i], reduction.heads) for i in encoder),
        enc_ffn=tuple(_kept_units(config.enc_ffn[i], reduction.ffn, ffn_multiple) for i in encoder),
        dec_heads=tuple(_kept(config.dec_heads[i], reduction.heads) for i in decoder),
        dec_ffn=tuple(_kept_units(config.dec_ffn[i], reduction.ffn, ffn_multiple) for i in decoder),
    )
    student = Dust3r(student_config).to(next(teacher.parameters()).device)
    with torch.no_grad():
        _copy_block_free(teacher, student)
        for sources, targets, chosen in (
            (teacher.enc_blocks, student.enc_blocks, encoder),
            (teacher.dec_blocks, student.dec_blocks, decoder),
            (teacher.dec_blocks2, student.dec_blocks2, decoder),
        ):
            for index, target in zip(chosen, targets, strict=True):
                _copy_block(sources[index], target, units)
    return student


def kept_blocks(
    teacher: Dust3r, reduction: Reduction, depth_rule: DepthRule = "even"
) -> tuple[list[int], list[int]]:
    """The encoder's and the decoders' blocks that `cut` keeps, ascending."""
    encoder = _choose_blocks([teacher.enc_blocks], reduction.depth, depth_rule)
    # Block i of one decoder attends to block i of the other: both lose the same ones.
    decoder = _choose_blocks([teacher.dec_blocks, teacher.dec_blocks2], reduction.depth, depth_rule)
    return encoder, decoder


def _kept(count: int, share: float) -> int:
    return max(1, round(count * (1 - share)))


def _kept_units(count: int, share: float, multiple: int) -> int:
    # Widths off a grid leave lanes of INT8 and bf16 kernels empty.
    whole = multiple * round(count * (1 - share) / multiple)
    return count if share == 0 else max(1, min(count, whole or round(count * (1 - share))))


def _choose_blocks(stacks: Sequence[nn.ModuleList], share: float, rule: DepthRule) -> list[int]:
    """Indices of the blocks that stay, ascending; the stacks lose the same ones."""
    depth = len(stacks[0])
    count = _kept(depth, share)
    if rule == "even":
        if count == 1:
            return [depth - 1]
        return [round(i * (depth - 1) / (count - 1)) for i in range(count)]
    scores = torch.zeros(depth)
    for stack in stacks:
        scores += torch.tensor([_written(block) for block in stack])
    return sorted(scores.topk(count).indices.tolist())


def _written(block: nn.Module) -> float:
    """Mean absolute weight of the layers through which a block adds to its residual stream."""
    outputs = [m.proj for m in block.modules() if isinstance(m, SelfAttention | CrossAttention)]
    outputs += [m.fc2 for m in block.modules() if isinstance(m, FeedForward)]
    return float(sum(layer.weight.detach().abs().mean() for layer in outputs))


def _copy_block_free(teacher: Dust3r, student: Dust3r) -> None:
    """Copy everything that stands outside the blocks."""
    blocks = ("enc_blocks.", "dec_blocks.", "dec_blocks2.")
    shared = {k: v for k, v in teacher.state_dict().items() if not k.startswith(blocks)}
    student.load_state_dict(shared, strict=False)


def _copy_block(source: nn.Module, target: nn.Module, units: UnitRule) -> None:
    for big, small in zip(source.children(), target.children(), strict=True):
        if isinstance(big, SelfAttention) and isinstance(small, SelfAttention):
            _copy_self_attention(big, small, units)
        elif isinstance(big, CrossAttention) and isinstance(small, CrossAttention):
            _copy_cross_attention(big, small, units)
        elif isinstance(big, FeedForward) and isinstance(small, FeedForward):
            score = big.fc1.weight.abs().sum(1) + big.fc2.weight.abs().sum(0)
            keep = _best(score, small.fc1.out_features, units)
            _copy_rows(big.fc1, small.fc1, keep)
            _copy_columns(big.fc2, small.fc2, keep)
        else:
            small.load_state_dict(big.state_dict())


def _copy_self_attention(big: SelfAttention, small: SelfAttention, units: UnitRule) -> None:
    width = big.proj.in_features
    head_dim = width // big.heads
    rows = big.qkv.weight.abs().sum(1).unflatten(0, (3, big.heads, head_dim)).sum((0, 2))
    heads = _best(rows + _head_columns(big.proj, big.heads), small.heads, units)
    channels = _channels(heads, head_dim)
    _copy_rows(big.qkv, small.qkv, torch.cat([channels + i * width for i in range(3)]))
    _copy_columns(big.proj, small.proj, channels)


def _copy_cross_attention(big: CrossAttention, small: CrossAttention, units: UnitRule) -> None:
    head_dim = big.proj.in_features // big.heads
    inputs = ("projq", "projk", "projv")
    score = _head_columns(big.proj, big.heads)
    for name in inputs:
        score = score + getattr(big, name).weight.abs().sum(1).unflatten(0, (big.heads, -1)).sum(1)
    channels = _channels(_best(score, small.heads, units), head_dim)
    for name in inputs:
        _copy_rows(getattr(big, name), getattr(small, name), channels)
    _copy_columns(big.proj, small.proj, channels)


def _head_columns(layer: nn.Linear, heads: int) -> Tensor:
    by_head: Tensor = layer.weight.abs().sum(0).unflatten(0, (heads, -1))
    return by_head.sum(1)


def _best(score: Tensor, count: int, units: UnitRule) -> Tensor:
    """Indices of `count` units, ascending."""
    if units == "first":
        return torch.arange(count)
    return score.topk(count).indices.sort().values


def _channels(heads: Tensor, head_dim: int) -> Tensor:
    return (heads[:, None] * head_dim + torch.arange(head_dim, device=heads.device)).flatten()


def _copy_rows(big: nn.Linear, small: nn.Linear, rows: Tensor) -> None:
    small.weight.copy_(big.weight[rows])
    small.bias.copy_(big.bias[rows])


def _copy_columns(big: nn.Linear, small: nn.Linear, columns: Tensor) -> None:
    small.weight.copy_(big.weight[:, columns])
    small.bias.copy_(big.bias)
