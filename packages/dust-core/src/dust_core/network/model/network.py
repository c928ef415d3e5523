"""DUSt3R: two photographs in, two pointmaps in the first camera's frame out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dust_core.network.model.blocks import (
    DecoderBlock,
    EncoderBlock,
    RopeTables,
    attention_dtype,
    layer_norm,
    sizes,
)
from dust_core.network.model.config import Dust3rConfig
from dust_core.network.model.heads import DptHead, LinearHead, pointmap_and_confidence
from dust_core.network.model.rope import rope_tables


class PairPrediction(NamedTuple):
    """Points (B, H, W, 3), both in view 1's camera frame, and confidences (B, H, W) above 1.

    H and W are those of each view's image.
    """

    pts3d_1: Tensor
    conf_1: Tensor
    pts3d_2: Tensor
    conf_2: Tensor


class Features(NamedTuple):
    """What the encoder knows of an image: tokens (B, N, enc_dim) and its grid (rows, columns)."""

    tokens: Tensor
    grid: tuple[int, int]


class PatchEmbedding(nn.Module):
    """Images (B, 3, H, W) to tokens (B, N, dim), row by row."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.proj(images)
        batch, channels, rows, columns = sizes(maps)
        return maps.reshape(batch, channels, rows * columns).transpose(1, 2)


class Dust3r(nn.Module):
    """The network of Wang et al., 2023 (arXiv:2312.14132) at the shape that `config` gives.

    Module names are those of the published checkpoints' keys.
    """

    def __init__(self, config: Dust3rConfig) -> None:
        super().__init__()
        self.config = config
        # Only cross-view completion pre-training uses it, but published checkpoints hold it.
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.dec_dim))
        self.patch_embed = PatchEmbedding(config.patch_size, config.enc_dim)
        self.enc_blocks = nn.ModuleList(
            EncoderBlock(config.enc_dim, heads, config.enc_head_dim, ffn)
            for heads, ffn in zip(config.enc_heads, config.enc_ffn, strict=True)
        )
        self.enc_norm = layer_norm(config.enc_dim)
        self.decoder_embed = nn.Linear(config.enc_dim, config.dec_dim)
        self.dec_blocks = self._decoder()
        self.dec_norm = layer_norm(config.dec_dim)
        self.dec_blocks2 = self._decoder()
        head = LinearHead if config.head == "linear" else DptHead
        self.downstream_head1 = head(config)
        self.downstream_head2 = head(config)
        # By grid, width of a head, device and type. They are no buffers: they follow from the shape
        # of the images, and no checkpoint holds them.
        self._tables: dict[tuple[int, int, int, torch.device, torch.dtype], RopeTables] = {}

    def forward(self, image1: Tensor, image2: Tensor) -> PairPrediction:
        """Predict a pair.

        Args:
            image1, image2: RGB (B, 3, H, W) in [-1, 1], H and W divisible by the patch size. The
                two may differ in H and W, as a portrait and a landscape do.

        Raises:
            ValueError: the sides are not divisible by the patch size.
        """
        return self.decode(*self.encode_pair(image1, image2))

    def encode_pair(self, image1: Tensor, image2: Tensor) -> tuple[Features, Features]:
        """Encode both images (B, 3, H, W), together where they are of one size."""
        if sizes(image1) != sizes(image2):
            return self.encode(image1), self.encode(image2)
        both = self.encode(torch.cat([image1, image2]))
        tokens1, tokens2 = both.tokens.split(sizes(image1)[0])
        return Features(tokens1, both.grid), Features(tokens2, both.grid)

    def encode(self, images: Tensor) -> Features:
        """Encode images (B, 3, H, W) in [-1, 1] once, to be decoded in any number of pairs."""
        patch = self.config.patch_size
        height, width = sizes(images)[-2:]
        if height % patch or width % patch:
            raise ValueError(f"image is {height}x{width}, both sides must be divisible by {patch}")
        grid = (height // patch, width // patch)
        x = self.patch_embed(images)
        rope = self.rope(x, grid, self.config.enc_head_dim)
        for block in self.enc_blocks:
            x = block(x, rope)
        return Features(self.enc_norm(x), grid)

    def decode(self, features1: Features, features2: Features) -> PairPrediction:
        """Predict the pair whose images `encode` has seen."""
        outputs1, outputs2 = self.decoder_outputs(features1, features2)
        return self.read_out(outputs1, outputs2, features1.grid, features2.grid)

    def read_out(
        self,
        outputs1: list[Tensor],
        outputs2: list[Tensor],
        grid1: tuple[int, int],
        grid2: tuple[int, int],
    ) -> PairPrediction:
        """What the heads make of the outputs of `decoder_outputs`."""
        raw1 = self.downstream_head1(outputs1, grid1)
        raw2 = self.downstream_head2(outputs2, grid2)
        return PairPrediction(*pointmap_and_confidence(raw1), *pointmap_and_confidence(raw2))

    def decoder_outputs(
        self, features1: Features, features2: Features
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Encoder output and every decoder block's, (B, N, C), by view; the last is normalised."""
        outputs1, outputs2 = [features1.tokens], [features2.tokens]
        x1, x2 = self.decoder_embed(features1.tokens), self.decoder_embed(features2.tokens)
        rope1 = self.rope(x1, features1.grid, self.config.dec_head_dim)
        rope2 = self.rope(x2, features2.grid, self.config.dec_head_dim)
        for block1, block2 in zip(self.dec_blocks, self.dec_blocks2, strict=True):
            x1, x2 = block1(x1, x2, rope1, rope2), block2(x2, x1, rope2, rope1)
            outputs1.append(x1)
            outputs2.append(x2)
        outputs1[-1], outputs2[-1] = self.dec_norm(x1), self.dec_norm(x2)
        return outputs1, outputs2

    def rope(self, x: Tensor, grid: tuple[int, int], head_dim: int) -> RopeTables:
        """Tables of the rotary embedding for tokens `x` (B, N, C) on a grid.

        They are on the device of `x` and in the type in which attention computes, made when they
        are first needed and kept: a later forward pass copies nothing.
        """
        key = (*grid, head_dim, x.device, attention_dtype(x))
        if key not in self._tables:
            # A table first needed in inference mode must still serve a later training step.
            with torch.inference_mode(False):
                cosines, sines = rope_tables(*grid, head_dim, self.config.rope_base)
                self._tables[key] = (cosines.to(*key[-2:]), sines.to(*key[-2:]))
        return self._tables[key]

    def _decoder(self) -> nn.ModuleList:
        config = self.config
        return nn.ModuleList(
            DecoderBlock(config.dec_dim, heads, config.dec_head_dim, ffn)
            for heads, ffn in zip(config.dec_heads, config.dec_ffn, strict=True)
        )
