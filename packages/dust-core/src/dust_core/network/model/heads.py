"""Heads that turn decoder tokens into a pointmap and its confidence."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from dust_core.network.model.blocks import sizes
from dust_core.network.model.config import DPT_PATCH, DptConfig, Dust3rConfig

_TINY = 1e-8  # a norm below it counts as this much: the direction of 0 is 0, and has a gradient


class LinearHead(nn.Module):
    """One linear layer a token, unfolded into the patch's pixels."""

    def __init__(self, config: Dust3rConfig) -> None:
        super().__init__()
        self.patch_size = config.patch_size
        self.proj = nn.Linear(config.dec_dim, config.linear_outputs)

    def forward(self, outputs: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Decoder outputs (B, N, dec_dim) to raw predictions (B, 4, H, W)."""
        values: Tensor = self.proj(outputs[-1])
        (batch, _, _), (rows, columns), side = sizes(values), grid, self.patch_size
        # One permutation; a map of tokens and pixel_shuffle would copy twice.
        pixels = values.reshape(batch, rows, columns, 4, side, side).permute(0, 3, 1, 4, 2, 5)
        return pixels.reshape(batch, 4, rows * side, columns * side)


class DptHead(nn.Module):
    """Dense prediction transformer head over four levels (arXiv:2103.13413).

    It predicts 16 pixels along a token's side. For larger patches the raw predictions are scaled
    up, so a patch of 32 gets predictions at half the image's side, doubled once.
    """

    def __init__(self, config: Dust3rConfig) -> None:
        super().__init__()
        assert config.dpt is not None
        self.hooks = config.hooks
        self.enlarged = config.patch_size // DPT_PATCH
        self.dpt = Dpt(config.dpt, config.enc_dim, config.dec_dim)

    def forward(self, outputs: Sequence[Tensor], grid: tuple[int, int]) -> Tensor:
        """Encoder and decoder outputs (B, N, C) to raw predictions (B, 4, H, W)."""
        maps = [_as_map(outputs[hook], grid) for hook in self.hooks]
        raw: Tensor = self.dpt(maps)
        if self.enlarged == 1:
            return raw
        # Pixel centres stay where they are in the image, as in the pixels of a larger patch.
        return interpolate(
            raw, scale_factor=float(self.enlarged), mode="bilinear", align_corners=False
        )


class Dpt(nn.Module):
    """Reassemble, fuse from coarse to fine, predict at full resolution."""

    def __init__(self, widths: DptConfig, enc_dim: int, dec_dim: int) -> None:
        super().__init__()
        a, b, c, d = widths.layer_dims
        self.act_postprocess = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(enc_dim, a, 1), nn.ConvTranspose2d(a, a, 4, stride=4)),
                nn.Sequential(nn.Conv2d(dec_dim, b, 1), nn.ConvTranspose2d(b, b, 2, stride=2)),
                nn.Sequential(nn.Conv2d(dec_dim, c, 1)),
                nn.Sequential(nn.Conv2d(dec_dim, d, 1), nn.Conv2d(d, d, 3, stride=2, padding=1)),
            ]
        )
        self.scratch = Fusion(widths)
        self.head = nn.Sequential(
            nn.Conv2d(widths.feature_dim, widths.last_dim, 3, padding=1),
            Upsample(),
            nn.Conv2d(widths.last_dim, widths.last_dim, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(widths.last_dim, 4, 1),
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        levels = [reassemble(m) for reassemble, m in zip(self.act_postprocess, maps, strict=True)]
        out: Tensor = self.head(self.scratch(levels))
        return out


class Fusion(nn.Module):
    """Projects four levels to one width and adds them from stride 32 up to stride 2."""

    def __init__(self, widths: DptConfig) -> None:
        super().__init__()
        width = widths.feature_dim
        for level, channels in enumerate(widths.layer_dims, 1):
            setattr(self, f"layer{level}_rn", nn.Conv2d(channels, width, 3, padding=1, bias=False))
            setattr(self, f"refinenet{level}", FusionBlock(width))

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        path: Tensor | None = None
        for level in (4, 3, 2, 1):
            x = getattr(self, f"layer{level}_rn")(levels[level - 1])
            if path is not None:
                # Odd token grids: stride 32 rounds up, so its upsampled map is one row too large.
                path = path[:, :, : x.shape[2], : x.shape[3]]
            path = getattr(self, f"refinenet{level}")(x, path)
        assert path is not None
        return path


class FusionBlock(nn.Module):
    """Adds a level to the coarser path, refines it, doubles its resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(width, width, 1)
        self.resConfUnit1 = ResidualUnit(width)
        self.resConfUnit2 = ResidualUnit(width)

    def forward(self, x: Tensor, path: Tensor | None) -> Tensor:
        if path is None:
            merged = x  # the coarsest level has no path; its resConfUnit1 exists but is never used
        else:
            merged = path + self.resConfUnit1(x)
        # A pointwise convolution commutes with interpolation: done first, it costs a quarter.
        return upsample(self.out_conv(self.resConfUnit2(merged)))


class ResidualUnit(nn.Module):
    """Pre-activation residual unit of two 3x3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv2(relu(self.conv1(relu(x))))
        return out


class Upsample(nn.Module):
    """Doubles the resolution; a module only so that published keys keep their numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return upsample(x)


def upsample(x: Tensor) -> Tensor:
    """Bilinear, corners aligned, (B, C, H, W) to (B, C, 2H, 2W)."""
    return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


def _as_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Tokens (B, N, C), row by row, to a map (B, C, rows, columns).

    The map is a view, and channels_last: convolutions and upsampling are fastest on that layout,
    and hand it on.
    """
    batch, _, channels = sizes(tokens)
    return tokens.transpose(1, 2).reshape(batch, channels, *grid)


def pointmap_and_confidence(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Raw predictions (B, 4, H, W) to points (B, H, W, 3) and confidence (B, H, W), in float32.

    A point keeps its direction and its norm n becomes expm1(n); the confidence is 1 + exp(x).
    """
    with torch.autocast(raw.device.type, enabled=False):
        # Whole planes throughout, and one change of layout at the end: arithmetic on the last,
        # three wide dimension runs at a fraction of the speed.
        x, y, z, confidence = raw.float().split(1, 1)
        stretch = stretch_of(x, y, z)
        points = torch.cat([x * stretch, y * stretch, z * stretch], 1).permute(0, 2, 3, 1)
        return points, confidence_of(confidence.squeeze(1))


def stretch_of(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """What raw coordinates are multiplied by, so that their norm n becomes expm1(n)."""
    norm = (x * x + y * y + z * z).clamp(min=_TINY**2).sqrt()
    # expm1(n) = tanh(n / 2) (exp(n) + 1): as exact near 0, and every runtime has it.
    return (norm / 2).tanh() * (norm.exp() + 1) / norm


def confidence_of(raw: Tensor) -> Tensor:
    """A raw value x as a confidence, 1 + exp(x)."""
    return 1 + raw.exp()
