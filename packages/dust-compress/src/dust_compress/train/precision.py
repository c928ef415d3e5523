"""The precision of matrix products: bf16 where the device has it, FP32 elsewhere."""

from functools import cache

import torch

_CPU_BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Instructions that multiply in bf16, as `torch.cpu.get_capabilities` names them."""


def computes_in_bf16(device: torch.device) -> bool:
    """Whether a device multiplies matrices in bf16 by instructions of its own.

    Without them PyTorch emulates bf16 on a CPU: a product of 1024 x 1024 matrices took 90 times as
    long as in FP32 on a processor with AVX2 alone (`benchmarks/distill.py precision`).
    """
    return torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_has_bf16()


def products_in(precision: str, device: torch.device) -> torch.autocast:
    """The context in which products are in `precision`, or in FP32 where the device has no bf16.

    FP32 is the finer of the two, so a recipe in bf16 loses no digits by it.

    Args:
        precision: `bf16`, or anything else for FP32.
    """
    narrow = precision == "bf16" and computes_in_bf16(device)
    return torch.autocast(device.type, torch.bfloat16, enabled=narrow)


@cache
def _cpu_has_bf16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _CPU_BF16)
