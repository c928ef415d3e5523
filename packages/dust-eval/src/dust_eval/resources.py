"""What a network costs besides time: parameters, work, bytes, memory."""

import resource
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

_LINUX_UNIT, _MAC_UNIT = 1024, 1  # ru_maxrss is in KiB on Linux and in bytes on macOS


def parameters_millions(network: nn.Module) -> float:
    """Parameters, in millions; a tensor shared by two modules counts once."""
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def flops_giga(network: nn.Module, height: int, width: int) -> float:
    """Floating-point operations of one pair at that size, in 10^9, by torch's counter.

    A multiplication and its addition count as two. Only products, convolutions and attention
    are counted.
    """
    device = next(network.parameters()).device
    images = [torch.zeros(1, 3, height, width, device=device) for _ in range(2)]
    counter = FlopCounterMode(display=False)
    # Torch counts no FLOPs of its fused attention on CPUs; as plain products they are counted.
    with counter, torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        network(*images)
    return float(counter.get_total_flops()) / 1e9


def size_mb(path: Path) -> float:
    """Size of a file with its external data, in 10^6 bytes."""
    parts = [path, *path.parent.glob(path.name + ".data")]
    return sum(part.stat().st_size for part in parts) / 1e6


def peak_memory_gb(device: str) -> float:
    """Peak memory in 10^9 bytes: of the device on a GPU, of the whole process on a CPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    unit = _MAC_UNIT if sys.platform == "darwin" else _LINUX_UNIT
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
