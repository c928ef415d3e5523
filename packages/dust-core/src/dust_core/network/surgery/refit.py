"""Fit what a cut network writes to what the whole one holds."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from dust_core.network.model.blocks import DecoderBlock, EncoderBlock, sizes
from dust_core.network.model.network import Dust3r, Features

_NORMS = {EncoderBlock: ("norm1", "norm2"), DecoderBlock: ("norm1", "norm2", "norm3")}
_WRITERS = {
    EncoderBlock: ("attn.proj", "mlp.fc2"),
    DecoderBlock: ("attn.proj", "cross_attn.proj", "mlp.fc2"),
}


@torch.no_grad()
def refit(
    student: Dust3r,
    teacher: Dust3r,
    blocks: tuple[Sequence[int], Sequence[int]],
    image1: Tensor,
    image2: Tensor,
    *,
    ridge: float,
) -> None:
    """Fit, in order, each layer that writes to the student's residual streams, by least squares.

    A layer learns to bring the stream, as the layers fitted before it have left it, to where the
    teacher's is: so it makes up for the heads and units that are gone beside it (as
    arXiv:1707.06342 does for channels), and the last one of a block for the blocks that are gone
    behind it. A ridge holds it to the teacher's weights where the images say nothing.

    Args:
        student: what `cut` made of the teacher; changed in place.
        teacher: is left as it is.
        blocks: the teacher's encoder and decoder blocks that the student has.
        image1, image2: B pairs (B, 3, H, W) in [-1, 1]; both orders are used.
        ridge: how strongly a layer is held, as a share of the mean square of its inputs.
    """
    images = torch.cat([image1, image2])
    encoder, decoder = blocks
    theirs, ours = teacher.patch_embed(images), student.patch_embed(images)
    height, width = sizes(images)[-2:]
    grid = (height // teacher.config.patch_size, width // teacher.config.patch_size)
    rope = teacher.rope(theirs, grid, teacher.config.enc_head_dim)
    states = []
    for block in teacher.enc_blocks:
        states.append(_streams(block, theirs, rope))
        theirs = states[-1][-1]
    for place, block in enumerate(student.enc_blocks):
        _fit_block(block, _targets(states, encoder, place), ours, rope, ridge=ridge)
        ours = block(ours, rope)

    _refit_decoders(
        student,
        teacher,
        decoder,
        Features(student.enc_norm(ours), grid),
        Features(teacher.enc_norm(theirs), grid),
        ridge,
    )


def _refit_decoders(
    student: Dust3r,
    teacher: Dust3r,
    kept: Sequence[int],
    ours: Features,
    theirs: Features,
    ridge: float,
) -> None:
    """The same for the decoders; view 2 of the pairs in both orders is view 1, exchanged."""
    x1 = teacher.decoder_embed(theirs.tokens)
    x2 = x1.roll(len(x1) // 2, 0)
    rope = teacher.rope(x1, theirs.grid, teacher.config.dec_head_dim)
    states1, states2 = [], []
    for block1, block2 in zip(teacher.dec_blocks, teacher.dec_blocks2, strict=True):
        states1.append(_streams(block1, x1, x2, rope))
        states2.append(_streams(block2, x2, x1, rope))
        x1, x2 = states1[-1][-1], states2[-1][-1]
    x1 = student.decoder_embed(ours.tokens)
    x2 = x1.roll(len(x1) // 2, 0)
    for place, (block1, block2) in enumerate(
        zip(student.dec_blocks, student.dec_blocks2, strict=True)
    ):
        _fit_block(block1, _targets(states1, kept, place), x1, x2, rope, ridge=ridge)
        _fit_block(block2, _targets(states2, kept, place), x2, x1, rope, ridge=ridge)
        x1, x2 = block1(x1, x2, rope), block2(x2, x1, rope)


def _targets(states: list[list[Tensor]], kept: Sequence[int], place: int) -> list[Tensor]:
    """Where a block's layers are to bring the stream: past the blocks gone behind it at last."""
    following = kept[place + 1] if place + 1 < len(kept) else len(states)
    return [*states[kept[place]][:-1], states[following - 1][-1]]


def _streams(block: nn.Module, *inputs: object) -> list[Tensor]:
    """The residual stream (B, N, C) after each layer of a block that writes to it."""
    norms = _NORMS[type(block)][1:]  # what follows a layer reads the stream first
    *seen, out = _watched(block, norms, partial(block, *inputs))
    return [*seen, out]


def _fit_block(block: nn.Module, targets: list[Tensor], *inputs: object, ridge: float) -> None:
    names = zip(_NORMS[type(block)], _WRITERS[type(block)], targets, strict=True)
    for norm, writer, target in names:
        before, read, _ = _watched(block, (norm, writer), partial(block, *inputs))
        layer = block.get_submodule(writer)
        assert isinstance(layer, nn.Linear)
        _fit(layer, read.flatten(0, 1), (target - before).flatten(0, 1), ridge)


def _watched(block: nn.Module, names: Sequence[str], run: Callable[[], Tensor]) -> list[Tensor]:
    """What the named submodules read while `run` runs, in their order, and what it returns."""
    seen: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda module, read: seen.__setitem__(name, read[0])

    hooks = [block.get_submodule(name).register_forward_pre_hook(watch(name)) for name in names]
    try:
        out = run()
    finally:
        for hook in hooks:
            hook.remove()
    return [*(seen[name] for name in names), out]


def _fit(layer: nn.Linear, read: Tensor, wanted: Tensor, share: float) -> None:
    """Move a layer from its weights to the ridge regression of `wanted` (R, out) on `read`."""
    x, missing = read, wanted - layer(read)
    mean, offset = x.mean(0), missing.mean(0)
    x, missing = x - mean, missing - offset
    gram = x.T @ x
    # Where the layer reads nothing that varies, any positive ridge leaves it as it is.
    ridge = (share * gram.diagonal().mean()).clamp(min=torch.finfo(gram.dtype).tiny)
    gram.diagonal().add_(ridge)
    change = torch.linalg.solve(gram, x.T @ missing).T
    layer.weight.add_(change)
    layer.bias.add_(offset - change @ mean)
