"""What a network costs besides time and operations: bytes and memory."""

import resource
import sys
from pathlib import Path

import torch

_LINUX_UNIT, _MAC_UNIT = 1024, 1  # ru_maxrss is in KiB on Linux and in bytes on macOS


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
