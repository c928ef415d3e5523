"""What a network costs: parameters and operations."""

from functools import lru_cache

import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dust_core.network.model.config import Dust3rConfig
from dust_core.network.model.network import Dust3r

PARTS = {
    "patch embedding": ("patch_embed",),
    "encoder": ("enc_blocks", "enc_norm"),
    "decoder of view 1": ("decoder_embed", "dec_blocks", "dec_norm", "mask_token"),
    "decoder of view 2": ("dec_blocks2",),
    "heads": ("downstream_head1", "downstream_head2"),
}
"""Parts of a network by their modules; what both decoders share stands with view 1's."""


def parameters_millions(network: nn.Module) -> float:
    """Parameters, in millions; a tensor shared by two modules counts once."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def parameters_by_part(network: Dust3r) -> dict[str, float]:
    """Parameters of each of `PARTS`, in millions."""
    millions = dict.fromkeys(PARTS, 0.0)
    for name, parameter in network.named_parameters():
        part = next(part for part, roots in PARTS.items() if name.partition(".")[0] in roots)
        millions[part] += parameter.numel() / 1e6
    return millions


def flops_giga(network: Dust3r, height: int, width: int) -> float:
    """Floating-point operations of one pair at that size, in 10^9, by torch's counter.

    A multiplication and its addition count as two. Only products, convolutions and attention
    are counted.
    """
    return _flops_giga(network.config, height, width)


@lru_cache(maxsize=64)
def _flops_giga(config: Dust3rConfig, height: int, width: int) -> float:
    counter = FlopCounterMode(display=False)
    # The shape decides the count, so nothing is computed: a fake twin has no numbers. Torch counts
    # no FLOPs of its fused attention on CPUs; as plain products they are counted.
    with FakeTensorMode(), counter, torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        twin = Dust3r(config).eval()
        twin(*(torch.zeros(1, 3, height, width) for _ in range(2)))
    return float(counter.get_total_flops()) / 1e9
