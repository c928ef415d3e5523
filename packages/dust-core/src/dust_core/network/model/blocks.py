"""Transformer blocks of the encoder and the decoders."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from dust_core.network.model.rope import rotate

RopeTables = tuple[Tensor, Tensor]
_EPSILON = 1e-6


def layer_norm(dim: int) -> nn.LayerNorm:
    """LayerNorm with the published epsilon."""
    return nn.LayerNorm(dim, eps=_EPSILON)


class FeedForward(nn.Module):
    """Two linear layers with GELU between them, (B, N, dim) to (B, N, dim)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(gelu(self.fc1(x)))
        return out


class Attend(nn.Module):
    """Softmax of the products of queries and keys, times the values; a module, to be quantized."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries, keys and values (B, heads, N, head_dim) to (B, heads, N, head_dim)."""
        # Spelt out because an exporter would otherwise compute the scale from a dynamic shape.
        return scaled_dot_product_attention(q, k, v, scale=scale_of(q))


class SelfAttention(nn.Module):
    """Attention among the tokens of one view; heads may span less than `dim`."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.qkv = nn.Linear(dim, 3 * heads * head_dim)
        self.proj = nn.Linear(heads * head_dim, dim)
        self.attend = Attend()

    def forward(self, x: Tensor, rope: RopeTables) -> Tensor:
        batch, tokens, _ = sizes(x)
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_dim)
        # One copy here: attention on CPUs is up to twice as slow on strided heads.
        q, k, v = qkv.permute(2, 0, 3, 1, 4).contiguous().unbind()
        out = self.attend(rotate(q, *rope), rotate(k, *rope), v)
        return project(self.proj, out)


class CrossAttention(nn.Module):
    """Attention of one view's tokens to the other view's, each with positions in its own grid."""

    def __init__(self, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        self.projq = nn.Linear(dim, heads * head_dim)
        self.projk = nn.Linear(dim, heads * head_dim)
        self.projv = nn.Linear(dim, heads * head_dim)
        self.proj = nn.Linear(heads * head_dim, dim)
        self.attend = Attend()

    def forward(
        self, x: Tensor, opposite: Tensor, rope: RopeTables, opposite_rope: RopeTables
    ) -> Tensor:
        q = rotate(self._split(self.projq(x)), *rope)
        k = rotate(self._split(self.projk(opposite)), *opposite_rope)
        return project(self.proj, self.attend(q, k, self._split(self.projv(opposite))))

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, _ = sizes(x)
        return x.reshape(batch, tokens, self.heads, self.head_dim).transpose(1, 2).contiguous()


class EncoderBlock(nn.Module):
    """Pre-norm self-attention and feed-forward network."""

    def __init__(self, dim: int, heads: int, head_dim: int, ffn: int) -> None:
        super().__init__()
        self.norm1 = layer_norm(dim)
        self.attn = SelfAttention(dim, heads, head_dim)
        self.norm2 = layer_norm(dim)
        self.mlp = FeedForward(dim, ffn)

    def forward(self, x: Tensor, rope: RopeTables) -> Tensor:
        x = x + self.attn(self.norm1(x), rope)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class DecoderBlock(nn.Module):
    """Pre-norm self-attention, cross-attention to the other view, feed-forward network."""

    def __init__(self, dim: int, heads: int, head_dim: int, ffn: int) -> None:
        super().__init__()
        self.norm1 = layer_norm(dim)
        self.attn = SelfAttention(dim, heads, head_dim)
        self.norm_y = layer_norm(dim)
        self.norm2 = layer_norm(dim)
        self.cross_attn = CrossAttention(dim, heads, head_dim)
        self.norm3 = layer_norm(dim)
        self.mlp = FeedForward(dim, ffn)

    def forward(
        self, x: Tensor, opposite: Tensor, rope: RopeTables, opposite_rope: RopeTables
    ) -> Tensor:
        x = x + self.attn(self.norm1(x), rope)
        x = x + self.cross_attn(self.norm2(x), self.norm_y(opposite), rope, opposite_rope)
        out: Tensor = x + self.mlp(self.norm3(x))
        return out


def scale_of(q: Tensor) -> float:
    """What attention multiplies the products of queries and keys by."""
    return float(sizes(q)[-1] ** -0.5)


def project(layer: nn.Linear, attended: Tensor) -> Tensor:
    """Heads (B, heads, N, head_dim) side by side, through an attention's last layer."""
    batch, heads, tokens, head_dim = sizes(attended)
    out: Tensor = layer(attended.transpose(1, 2).reshape(batch, tokens, heads * head_dim))
    return out


def sizes(x: Tensor) -> tuple[int, ...]:
    """The shape as Python numbers even while tracing: an exported graph is static throughout."""
    return tuple(int(side) for side in x.shape)


def attention_dtype(x: Tensor) -> torch.dtype:
    """The type in which attention on tokens `x` computes: autocast's where it is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
