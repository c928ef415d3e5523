"""What structured pruning can take out of a network, and where in its parameters that is.

An axis is a row of units that leave together with everything that writes or reads them: the heads
of one attention, the hidden units of one feed-forward network, the channels of a residual stream,
the channels between two convolutions of a DPT head. Axes that the configuration gives one size, as
the heads of both decoders' block i, lose the same number of units, each its own ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dust_core.network.model.config import Dust3rConfig

Kind = Literal["heads", "ffn", "channels", "convolutions"]
Stack = Literal["encoder", "decoders", "heads"]
Size = tuple[str, int | None]
"""A number of the configuration: its field, and the place in a field that holds several."""

_READERS = {
    "enc_blocks": ("attn.qkv", "mlp.fc1"),
    "dec_blocks": (
        *("attn.qkv", "mlp.fc1"),
        *("cross_attn.projq", "cross_attn.projk", "cross_attn.projv"),
    ),
}
_WRITERS = {
    "enc_blocks": ("attn.proj", "mlp.fc2"),
    "dec_blocks": ("attn.proj", "cross_attn.proj", "mlp.fc2"),
}
_NORMS = {"enc_blocks": ("norm1", "norm2"), "dec_blocks": ("norm1", "norm2", "norm3", "norm_y")}


@dataclass(frozen=True)
class Place:
    """A dimension of a parameter that an axis runs along, once or, as q, k and v, several times."""

    parameter: str
    dim: int
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Units that can be removed.

    Attributes:
        name: where they are.
        kind, stack: what they are, and the part of the network they belong to.
        size: the number of the configuration that counts them.
        units: how many there are.
        width: channels of a unit: those of an attention head, else 1.
        places: every parameter that has them.
    """

    name: str
    kind: Kind
    stack: Stack
    size: Size
    units: int
    width: int = 1
    places: tuple[Place, ...]

    def along(self, place: Place, units: Tensor) -> Tensor:
        """Indices, along a place's dimension, of `units` (numbers of units)."""
        runs = torch.arange(place.times)[:, None, None] * self.units + units[None, :, None]
        return (runs * self.width + torch.arange(self.width)).flatten()

    def by_unit(self, place: Place, values: Tensor) -> Tensor:
        """Sums of `values`, which has the parameter's shape, over each unit's share of it."""
        along = values.movedim(place.dim, 0).reshape(values.shape[place.dim], -1).sum(1)
        return along.view(place.times, self.units, self.width).sum((0, 2))


def axes_of(config: Dust3rConfig) -> tuple[Axis, ...]:
    """Every axis of a network of that shape."""
    return (*_streams(config), *_blocks(config), *_convolutions(config))


def _streams(config: Dust3rConfig) -> Iterator[Axis]:
    """The channels of the encoder's stream, and of the decoders' two, which share their width."""
    encoder = [
        *_layer("patch_embed.proj", 0),
        *_layer("enc_norm", 0),
        Place("decoder_embed.weight", 1),
        *_stream_places("enc_blocks", "enc_blocks", len(config.enc_heads)),
    ]
    decoder = [
        Place("mask_token", 2),
        *_layer("decoder_embed", 0),
        *_layer("dec_norm", 0),
        *_stream_places("dec_blocks", "dec_blocks", len(config.dec_heads)),
        *_stream_places("dec_blocks", "dec_blocks2", len(config.dec_heads)),
    ]
    for view in (1, 2):
        if config.head == "linear":
            decoder.append(Place(f"downstream_head{view}.proj.weight", 1))
        else:
            levels = f"downstream_head{view}.dpt.act_postprocess"
            encoder.append(Place(f"{levels}.0.0.weight", 1))
            decoder += [Place(f"{levels}.{level}.0.weight", 1) for level in (1, 2, 3)]
    for name, stack, places in (("enc", "encoder", encoder), ("dec", "decoders", decoder)):
        size = f"{name}_dim"
        yield Axis(
            name=f"{name}_stream",
            kind="channels",
            stack=stack,  # type: ignore[arg-type]
            size=(size, None),
            units=getattr(config, size),
            places=tuple(places),
        )


def _stream_places(kind: str, root: str, depth: int) -> Iterator[Place]:
    for block in (f"{root}.{index}" for index in range(depth)):
        for norm in _NORMS[kind]:
            yield from _layer(f"{block}.{norm}", 0)
        for writer in _WRITERS[kind]:
            yield from _layer(f"{block}.{writer}", 0)
        for reader in _READERS[kind]:
            yield Place(f"{block}.{reader}.weight", 1)


def _blocks(config: Dust3rConfig) -> Iterator[Axis]:
    """Heads and feed-forward units, block by block."""
    for root in ("enc_blocks", "dec_blocks", "dec_blocks2"):
        short, stack = ("enc", "encoder") if root == "enc_blocks" else ("dec", "decoders")
        sizes = zip(getattr(config, f"{short}_heads"), getattr(config, f"{short}_ffn"), strict=True)
        for index, (heads, ffn) in enumerate(sizes):
            block = f"{root}.{index}"
            yield Axis(
                name=f"{block}.mlp",
                kind="ffn",
                stack=stack,  # type: ignore[arg-type]
                size=(f"{short}_ffn", index),
                units=ffn,
                places=(*_layer(f"{block}.mlp.fc1", 0), Place(f"{block}.mlp.fc2.weight", 1)),
            )
            for attention in ("attn",) if short == "enc" else ("attn", "cross_attn"):
                yield Axis(
                    name=f"{block}.{attention}",
                    kind="heads",
                    stack=stack,  # type: ignore[arg-type]
                    size=(f"{short}_heads", index),
                    units=heads,
                    width=getattr(config, f"{short}_head_dim"),
                    places=tuple(_attention(f"{block}.{attention}")),
                )


def _attention(name: str) -> Iterator[Place]:
    if name.endswith("cross_attn"):
        for layer in ("projq", "projk", "projv"):
            yield from _layer(f"{name}.{layer}", 0)
    else:
        yield from _layer(f"{name}.qkv", 0, times=3)
    yield Place(f"{name}.proj.weight", 1)


def _convolutions(config: Dust3rConfig) -> Iterator[Axis]:
    """The channels inside a DPT head. Where it adds two maps, they have the same channels."""
    if config.dpt is None:
        return
    for view in (1, 2):
        root = f"downstream_head{view}.dpt"
        for level, channels in enumerate(config.dpt.layer_dims):
            embed, resize = f"{root}.act_postprocess.{level}.0", f"{root}.act_postprocess.{level}.1"
            size: Size = ("dpt.layer_dims", level)
            read = Place(f"{root}.scratch.layer{level + 1}_rn.weight", 1)
            if level == 2:  # this level keeps its resolution
                yield _axis(embed, size, channels, _layer(embed, 0), read)
                continue
            inputs, outputs = (0, 1) if level < 2 else (1, 0)  # transposed convolutions, and not
            yield _axis(embed, size, channels, _layer(embed, 0), Place(f"{resize}.weight", inputs))
            yield _axis(
                resize,
                size,
                channels,
                (Place(f"{resize}.weight", outputs), Place(f"{resize}.bias", 0)),
                read,
            )
        yield from _fusion(f"{root}.scratch", f"{root}.head", config.dpt.feature_dim)
        for index in (0, 2):
            layer = f"{root}.head.{index}"
            read = Place(f"{root}.head.{index + 2}.weight", 1)
            yield _axis(layer, ("dpt.last_dim", None), config.dpt.last_dim, _layer(layer, 0), read)


def _fusion(scratch: str, head: str, width: int) -> Iterator[Axis]:
    size: Size = ("dpt.feature_dim", None)
    for level in (4, 3, 2, 1):
        block = f"{scratch}.refinenet{level}"
        units = [f"{block}.resConfUnit{number}" for number in (1, 2)]
        stream = [
            Place(f"{scratch}.layer{level}_rn.weight", 0),
            Place(f"{block}.out_conv.weight", 1),
        ]
        if level < 4:
            stream += _layer(f"{scratch}.refinenet{level + 1}.out_conv", 0)
        for unit in units:
            stream += [Place(f"{unit}.conv1.weight", 1), *_layer(f"{unit}.conv2", 0)]
            inner = Place(f"{unit}.conv2.weight", 1)
            yield _axis(f"{unit}.conv1", size, width, _layer(f"{unit}.conv1", 0), inner)
        yield _axis(block, size, width, stream)
    last = _layer(f"{scratch}.refinenet1.out_conv", 0)
    yield _axis(f"{scratch}.out", size, width, last, Place(f"{head}.0.weight", 1))


def _axis(name: str, size: Size, units: int, written: "Places", *read: Place) -> Axis:
    return Axis(
        name=name,
        kind="convolutions",
        stack="heads",
        size=size,
        units=units,
        places=(*written, *read),
    )


Places = tuple[Place, ...] | list[Place]


def _layer(name: str, dim: int, times: int = 1) -> tuple[Place, Place]:
    """A layer's weight and bias along its outputs."""
    return Place(f"{name}.weight", dim, times), Place(f"{name}.bias", 0, times)
