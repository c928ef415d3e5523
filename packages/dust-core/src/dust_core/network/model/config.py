"""Shapes of DUSt3R networks: the published ones, the embedded `small`, students and pruned ones."""

from dataclasses import asdict, dataclass
from reprlib import repr as repr_bounded
from typing import Any, Literal, Self, get_args

HeadType = Literal["linear", "dpt"]
_NUMBERS_PER_PIXEL = 4  # x, y, z and confidence
_LARGEST = 65_536
_MOST_BLOCKS = 256
_DPT_LEVELS = 4
DPT_PATCH = 16
"""Pixels that a DPT head predicts along a token's side; larger patches are scaled up from these."""


@dataclass(frozen=True, kw_only=True)
class DptConfig:
    """Widths of the dense prediction head (Ranftl et al., 2021, arXiv:2103.13413).

    Attributes:
        layer_dims: channels of the four levels, from stride 4 to stride 32.
        feature_dim: channels of the fusion blocks.
        last_dim: channels of the full-resolution convolution.
    """

    layer_dims: tuple[int, int, int, int] = (96, 192, 384, 768)
    feature_dim: int = 256
    last_dim: int = 128

    def __post_init__(self) -> None:
        if len(self.layer_dims) != _DPT_LEVELS:
            raise ValueError(
                f"layer_dims has {len(self.layer_dims)} levels, must have {_DPT_LEVELS}"
            )


@dataclass(frozen=True, kw_only=True)
class Dust3rConfig:
    """Everything that decides the shapes of a DUSt3R network (Wang et al., 2023, arXiv:2312.14132).

    Attributes:
        enc_dim: channels of the encoder's residual stream.
        enc_heads: attention heads of every encoder block; its length is the encoder's depth.
        enc_ffn: hidden width of every encoder block's feed-forward network.
        dec_dim: channels of the decoders' residual streams.
        dec_heads: attention heads (self and cross) of every decoder block, both decoders alike.
        dec_ffn: hidden width of every decoder block's feed-forward network.
        enc_head_dim: channels of one encoder attention head; heads may fill less than the width.
        dec_head_dim: channels of one decoder attention head.
        head: `linear` or `dpt`.
        dpt: widths of the DPT head; None for a linear head.
        patch_size: pixels along the side of a patch.
        rope_base: base of the 2-D rotary position embedding's frequencies.
    """

    enc_dim: int
    enc_heads: tuple[int, ...]
    enc_ffn: tuple[int, ...]
    dec_dim: int
    dec_heads: tuple[int, ...]
    dec_ffn: tuple[int, ...]
    enc_head_dim: int = 64
    dec_head_dim: int = 64
    head: HeadType = "dpt"
    dpt: DptConfig | None = None
    patch_size: int = 16
    rope_base: float = 100.0

    @classmethod
    def uniform(
        cls,
        *,
        enc_dim: int,
        enc_depth: int,
        enc_heads: int,
        dec_dim: int,
        dec_depth: int,
        dec_heads: int,
        head: HeadType,
        dpt: DptConfig | None = None,
        patch_size: int = 16,
    ) -> Self:
        """A network of like blocks: full heads, feed-forward networks 4 times as wide."""
        return cls(
            enc_dim=enc_dim,
            enc_heads=(enc_heads,) * enc_depth,
            enc_ffn=(4 * enc_dim,) * enc_depth,
            dec_dim=dec_dim,
            dec_heads=(dec_heads,) * dec_depth,
            dec_ffn=(4 * dec_dim,) * dec_depth,
            enc_head_dim=enc_dim // max(1, enc_heads),
            dec_head_dim=dec_dim // max(1, dec_heads),
            head=head,
            dpt=(dpt or DptConfig()) if head == "dpt" else None,
            patch_size=patch_size,
        )

    def __post_init__(self) -> None:
        if self.head not in get_args(HeadType):
            raise ValueError(
                f"head is {repr_bounded(self.head)}, must be one of {', '.join(get_args(HeadType))}"
            )
        for name in ("enc_heads", "enc_ffn", "dec_heads", "dec_ffn"):
            blocks = getattr(self, name)
            if not isinstance(blocks, tuple | list):
                raise ValueError(f"{name} is {repr_bounded(blocks)}, must list a number a block")
            if len(blocks) > _MOST_BLOCKS:
                raise ValueError(
                    f"{name} lists {len(blocks)} blocks, must be {_MOST_BLOCKS} or less"
                )
        for name, value in asdict(self).items():
            if name != "head":
                _check_numbers(name, value, (int, float) if name == "rope_base" else (int,))
        if not self.enc_heads or not self.dec_heads:
            raise ValueError("a network needs at least one encoder and one decoder block")
        if len(self.enc_heads) != len(self.enc_ffn) or len(self.dec_heads) != len(self.dec_ffn):
            raise ValueError("heads and feed-forward widths must name the same number of blocks")
        for name in ("enc_head_dim", "dec_head_dim"):
            if getattr(self, name) % 4:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, must be divisible by 4 (2-D RoPE)"
                )
        if (self.head == "dpt") != (self.dpt is not None):
            raise ValueError(f"head is {self.head!r} but dpt is {self.dpt!r}")
        if self.dpt is not None and self.patch_size % DPT_PATCH:
            raise ValueError(
                f"patch_size is {self.patch_size}, must be a multiple of {DPT_PATCH} for a DPT "
                f"head, which predicts {DPT_PATCH} pixels along a token's side"
            )

    @property
    def hooks(self) -> tuple[int, int, int, int]:
        """Which decoder outputs the DPT head reads: 0 is the encoder's output, i that of block i.

        The published rule `0, L/2, 3L/4, L` (rounded down, 12 blocks: 0, 6, 9, 12), at any depth L:
        of two hooks that fall on one block, both read it, and no hook but the first reads the
        encoder, whose width is another (1 block: 0, 1, 1, 1; 2 blocks: 0, 1, 1, 2).
        """
        depth = len(self.dec_heads)
        return (0, max(1, depth * 2 // 4), max(1, depth * 3 // 4), depth)

    @property
    def linear_outputs(self) -> int:
        """Channels of a linear head: four numbers for each of the patch's pixels."""
        return _NUMBERS_PER_PIXEL * self.patch_size**2

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, as a checkpoint stores them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            TypeError, ValueError: a key is unknown or absent, or a value breaks a bound.
        """
        dpt = values.get("dpt")
        fields = _frozen(values) | {"dpt": None if dpt is None else DptConfig(**_frozen(dpt))}
        return cls(**fields)


def _check_numbers(name: str, value: Any, kinds: tuple[type[int] | type[float], ...]) -> None:
    for leaf in _leaves(value):
        if not isinstance(leaf, kinds) or not 1 <= leaf <= _LARGEST:
            what = "a number" if float in kinds else "a whole number"
            raise ValueError(
                f"{name} holds {repr_bounded(leaf)}, must be {what} from 1 to {_LARGEST}"
            )


def _leaves(value: Any) -> list[Any]:
    """What nested sequences and mappings hold; None holds nothing."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [] if value is None else [value]


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
