"""Fit what a cut network writes to what the whole one holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from dust_core.network.model.blocks import DecoderBlock, EncoderBlock, sizes
from dust_core.network.model.network import Dust3r, Features
from dust_core.network.surgery.prune import Kept, kept_indices

_NORMS = {EncoderBlock: ("norm1", "norm2"), DecoderBlock: ("norm1", "norm2", "norm3")}
_WRITERS = {
    EncoderBlock: ("attn.proj", "mlp.fc2"),
    DecoderBlock: ("attn.proj", "cross_attn.proj", "mlp.fc2"),
}
_READERS = {
    EncoderBlock: (("attn.qkv",), ("mlp.fc1",)),
    DecoderBlock: (
        ("attn.qkv",),
        ("cross_attn.projq", "cross_attn.projk", "cross_attn.projv"),
        ("mlp.fc1",),
    ),
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
    kept: Kept | None = None,
) -> None:
    """Fit, in order, each layer that writes to the student's residual streams, by least squares.

    A layer learns to bring the stream, as the layers fitted before it have left it, to where the
    teacher's is: so it makes up for the heads and units that are gone beside it (as
    arXiv:1707.06342 does for channels), and the last one of a block for the blocks that are gone
    behind it. A ridge holds it to the teacher's weights where the images say nothing.

    Where a stream is narrower, the target is the teacher's stream on the channels that stay. The
    layers that read such a stream miss the other channels, and its LayerNorms divide by another
    deviation. So these layers are fitted too, to what the teacher's make of the whole stream.

    Args:
        student: what `cut` or `prune` made of the teacher; changed in place.
        teacher: is left as it is.
        blocks: the teacher's encoder and decoder blocks that the student has.
        image1, image2: B pairs (B, 3, H, W) in [-1, 1]; both orders are used.
        ridge: how strongly a layer is held, as a share of the mean square of its inputs.
        kept: the units that `prune` kept; None of a student whose streams have the teacher's width.
    """
    images = torch.cat([image1, image2])
    encoder, decoder = blocks
    narrow = _Narrow.of(teacher, kept)
    theirs, ours = teacher.patch_embed(images), student.patch_embed(images)
    height, width = sizes(images)[-2:]
    grid = (height // teacher.config.patch_size, width // teacher.config.patch_size)
    rope = teacher.rope(theirs, grid, teacher.config.enc_head_dim)
    states = []
    for index, block in enumerate(teacher.enc_blocks):
        states.append(_seen(block, f"enc_blocks.{index}", narrow, theirs, rope))
        theirs = states[-1].end
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
        narrow,
    )


def _refit_decoders(
    student: Dust3r,
    teacher: Dust3r,
    kept: Sequence[int],
    ours: Features,
    theirs: Features,
    ridge: float,
    narrow: "_Narrow",
) -> None:
    """The same for the decoders; view 2 of the pairs in both orders is view 1, exchanged."""
    x1 = teacher.decoder_embed(theirs.tokens)
    if narrow.any:
        wanted = narrow.rows("decoder_embed.weight", x1)
        _fit(student.decoder_embed, ours.tokens.flatten(0, 1), wanted.flatten(0, 1), ridge)
    x2 = x1.roll(len(x1) // 2, 0)
    rope = teacher.rope(x1, theirs.grid, teacher.config.dec_head_dim)
    states1, states2 = [], []
    for index, (block1, block2) in enumerate(
        zip(teacher.dec_blocks, teacher.dec_blocks2, strict=True)
    ):
        states1.append(_seen(block1, f"dec_blocks.{index}", narrow, x1, x2, rope, rope))
        states2.append(_seen(block2, f"dec_blocks2.{index}", narrow, x2, x1, rope, rope))
        x1, x2 = states1[-1].end, states2[-1].end
    x1 = student.decoder_embed(ours.tokens)
    x2 = x1.roll(len(x1) // 2, 0)
    for place, (block1, block2) in enumerate(
        zip(student.dec_blocks, student.dec_blocks2, strict=True)
    ):
        _fit_block(block1, _targets(states1, kept, place), x1, x2, rope, rope, ridge=ridge)
        _fit_block(block2, _targets(states2, kept, place), x2, x1, rope, rope, ridge=ridge)
        x1, x2 = block1(x1, x2, rope, rope), block2(x2, x1, rope, rope)
    if narrow.any:
        _fit_heads(student, teacher, ours, theirs, ridge, narrow)


def _fit_heads(
    student: Dust3r,
    teacher: Dust3r,
    ours: Features,
    theirs: Features,
    ridge: float,
    narrow: "_Narrow",
) -> None:
    """Fit the first layers of the heads, which read the streams."""
    views = (
        student.decoder_outputs(ours, _exchanged(ours)),
        teacher.decoder_outputs(theirs, _exchanged(theirs)),
    )
    for view, (read, source) in enumerate(zip(*views, strict=True), 1):
        for name, hook in _head_layers(teacher, view):
            layer, big = student.get_submodule(name), teacher.get_submodule(name)
            assert isinstance(layer, nn.Linear | nn.Conv2d)
            wanted = linear(source[hook], big.weight.flatten(1), big.bias)  # type: ignore
            wanted = narrow.rows(f"{name}.weight", wanted)
            _fit(layer, read[hook].flatten(0, 1), wanted.flatten(0, 1), ridge)


def _head_layers(network: Dust3r, view: int) -> list[tuple[str, int]]:
    """Layers of a head that read tokens, each with the number of the output that it reads."""
    head = f"downstream_head{view}"
    if network.config.head == "linear":
        return [(f"{head}.proj", -1)]
    levels = enumerate(network.config.hooks)
    return [(f"{head}.dpt.act_postprocess.{level}.0", hook) for level, hook in levels]


def _exchanged(features: Features) -> Features:
    return Features(features.tokens.roll(len(features.tokens) // 2, 0), features.grid)


@dataclass(frozen=True)
class _Narrow:
    """What stays of a pruned network's parameters, and whether a stream is among that."""

    indices: Mapping[tuple[str, int], Tensor]

    @classmethod
    def of(cls, teacher: Dust3r, kept: Kept | None) -> "_Narrow":
        device = next(teacher.parameters()).device
        indices = kept_indices(teacher.config, kept or {})
        return cls({place: own.to(device) for place, own in indices.items()})

    @property
    def any(self) -> bool:
        """Whether a layer reads less of a stream than the teacher's does."""
        return ("enc_norm.weight", 0) in self.indices or ("dec_norm.weight", 0) in self.indices

    def rows(self, parameter: str, values: Tensor) -> Tensor:
        """Of a layer's outputs (..., C), those that stay."""
        own = self.indices.get((parameter, 0))
        return values if own is None else values[..., own]


@dataclass(frozen=True)
class _State:
    """What a block of the teacher did to the residual stream (B, N, C).

    Attributes:
        end: the stream behind the block.
        streams: the stream after each layer that writes to it, on the channels that stay.
        readings: what each layer that reads a narrower stream makes of the whole one.
    """

    end: Tensor
    streams: list[Tensor]
    readings: Mapping[str, Tensor]


def _targets(states: list[_State], kept: Sequence[int], place: int) -> _State:
    """Where a block's layers are to bring the stream: past the blocks gone behind it at last."""
    following = kept[place + 1] if place + 1 < len(kept) else len(states)
    own, last = states[kept[place]], states[following - 1]
    return _State(last.end, [*own.streams[:-1], last.streams[-1]], own.readings)


def _seen(block: nn.Module, name: str, narrow: _Narrow, *inputs: object) -> _State:
    """What a block of the teacher did."""
    kind = type(block)
    norms = _NORMS[kind][1:]  # what follows a layer reads the stream first
    readers = [reader for group in _READERS[kind] for reader in group] if narrow.any else []
    *seen, end = _watched(block, (*norms, *readers), partial(block, *inputs))
    stream = f"{name}.{_NORMS[kind][0]}.weight"
    streams = [narrow.rows(stream, x) for x in (*seen[: len(norms)], end)]
    readings = {
        reader: narrow.rows(f"{name}.{reader}.weight", block.get_submodule(reader)(read))
        for reader, read in zip(readers, seen[len(norms) :], strict=True)
    }
    return _State(end, streams, readings)


def _fit_block(block: nn.Module, target: _State, *inputs: object, ridge: float) -> None:
    kind = type(block)
    run = partial(block, *inputs)
    steps = zip(_NORMS[kind], _READERS[kind], _WRITERS[kind], target.streams, strict=True)
    for norm, readers, writer, wanted in steps:
        if target.readings:
            for reader, read in zip(readers, _watched(block, readers, run), strict=False):
                _fit_layer(block, reader, read, target.readings[reader], ridge)
        before, read, _ = _watched(block, (norm, writer), run)
        _fit_layer(block, writer, read, wanted - before, ridge)


def _fit_layer(block: nn.Module, name: str, read: Tensor, wanted: Tensor, ridge: float) -> None:
    layer = block.get_submodule(name)
    assert isinstance(layer, nn.Linear)
    _fit(layer, read.flatten(0, 1), wanted.flatten(0, 1), ridge)


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


def _fit(layer: nn.Linear | nn.Conv2d, read: Tensor, wanted: Tensor, share: float) -> None:
    """Move a layer from its weights to the ridge regression of `wanted` (R, out) on `read`.

    A convolution has a kernel of one pixel.
    """
    assert layer.bias is not None
    x, missing = read, wanted - linear(read, layer.weight.flatten(1), layer.bias)
    mean, offset = x.mean(0), missing.mean(0)
    x, missing = x - mean, missing - offset
    gram = x.T @ x
    # Where the layer reads nothing that varies, any positive ridge leaves it as it is.
    ridge = (share * gram.diagonal().mean()).clamp(min=torch.finfo(gram.dtype).tiny)
    gram.diagonal().add_(ridge)
    change = torch.linalg.solve(gram, x.T @ missing).T
    layer.weight.add_(change.view_as(layer.weight))
    layer.bias.add_(offset - change @ mean)
