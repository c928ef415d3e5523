"""What the machine has: processor, memory, disk, GPU."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dust_core.declared.protection.outcome import Outcome
from dust_core.declared.records.environment import processor_flags, usable_cores

_GB = 1e9
_MEMINFO = Path("/proc/meminfo")
# Any of a row makes products of that type fast, on x86 or ARM.
_INT8 = ("amx_int8", "avx512_vnni", "avx_vnni", "i8mm", "asimddp")
_BF16 = ("amx_bf16", "avx512_bf16", "bf16")


def machine_outcomes(folder: Path = Path()) -> Iterator[Outcome]:
    """Describe this machine.

    Args:
        folder: the project; the disk is the one that holds it.
    """
    yield _processor(processor_flags())
    yield _memory()
    disk = shutil.disk_usage(folder)
    yield Outcome("disk", "ok", f"{disk.free / _GB:.0f} of {disk.total / _GB:.0f} GB free")
    yield _gpu()


def gpus() -> list[str]:
    """Name, memory and driver of each visible GPU; empty where nvidia-smi names none."""
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        if not visible.strip():
            return []
        query.append(f"--id={visible}")
    try:
        done = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [line for line in done.stdout.splitlines() if line.strip()]


def _processor(flags: frozenset[str]) -> Outcome:
    cores = f"{usable_cores()} cores"
    if not flags:
        return Outcome("processor", "unknown", f"{cores}; its instruction sets are not stated")
    int8 = [flag for flag in _INT8 if flag in flags]
    bf16 = [flag for flag in _BF16 if flag in flags]
    said = [
        cores,
        f"INT8 by {', '.join(int8)}" if int8 else "no 8-bit products: INT8 saves size, not time",
        f"bf16 by {', '.join(bf16)}" if bf16 else "no bf16 products: trainings compute in FP32",
    ]
    return Outcome("processor", "ok", "; ".join(said))


def _memory() -> Outcome:
    try:
        lines = _MEMINFO.read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        total, free = (int(fields[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable"))
    except (OSError, ValueError, KeyError):
        return Outcome("memory", "unknown", "this system does not say")
    return Outcome("memory", "ok", f"{free / _GB:.0f} of {total / _GB:.0f} GB free")


def _gpu() -> Outcome:
    found = gpus()
    return Outcome("GPU", "ok", "; ".join(found) if found else "none that nvidia-smi names")
