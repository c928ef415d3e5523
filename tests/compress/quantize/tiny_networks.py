"""Networks that quantize in a moment, with policies and images for them."""

import torch
from torch import nn

from dust_core.declared.specs.models.quant import Policy
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig

SHAPE = {"enc_dim": 32, "enc_depth": 2, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
LINEAR = Dust3rConfig.uniform(**SHAPE, dec_heads=2, head="linear")
WIDTHS = DptConfig(layer_dims=(8, 8, 16, 16), feature_dim=8, last_dim=8)
DPT = Dust3rConfig.uniform(**SHAPE, dec_heads=2, head="dpt", dpt=WIDTHS)
EVERY = ("layernorm", "softmax", "attn_scale", "rope", "postprocess", "patch_embed", "head_last")


def policy(**changes: object) -> Policy:
    eight = {"bits": 8}
    values = {
        "weights": eight | {"granularity": "per_channel"},
        "activations": eight | {"granularity": "per_tensor"},
        "keep_list": list(EVERY),
        "attention_products": False,
        "calibrator": "percentile",
        "percentile": 99.99,
        "smoothing": None,
        "bias_correction": False,
    }
    return Policy.model_validate(values | changes)


def without(*families: str) -> list[str]:
    return [family for family in EVERY if family not in families]


def images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = (2 * torch.rand(2, 1, 3, 64, 64, generator=generator) - 1).unbind()
    return first, second


def run(network: nn.Module) -> None:
    for seed in range(3):
        network(*images(seed))


def make(config: Dust3rConfig = LINEAR) -> Dust3r:
    torch.manual_seed(0)
    return Dust3r(config).eval()
