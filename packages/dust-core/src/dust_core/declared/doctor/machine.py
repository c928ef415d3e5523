"""What the machine has: processor, memory, disk, GPU."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from dust_core.declared.protection.outcome import Outcome
from dust_core.declared.records.environment import EIGHT_BIT_SETS, processor_flags, usable_cores

_GB = 1e9
_MEMINFO = Path("/proc/meminfo")
# Any of a set makes products of that type fast, on x86 or ARM.
_INT8 = EIGHT_BIT_SETS | {"i8mm", "asimddp"}
_BF16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})


def machine_outcomes(found: Sequence[str]) -> Iterator[Outcome]:
    """Describe this machine; the disk is that of the working folder.

    Args:
        found: what `gpus` gives.
    """
    yield _processor(processor_flags())
    yield _memory()
    disk = shutil.disk_usage(Path())
    yield Outcome("disk", "ok", f"{disk.free / _GB:.0f} of {disk.total / _GB:.0f} GB free")
    yield Outcome("GPU", "ok", "; ".join(found) if found else "none that nvidia-smi names")


def gpus() -> list[str]:
    """Name, memory and driver of each visible GPU; empty where nvidia-smi names none."""
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        if not visible.strip():
            return []
        query.append(f"--id={visible}")
    try:
        done = subprocess.run(
            ["nvidia-smi", *query], capture_output=True, text=True, errors="replace", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return []
    return [line for line in done.stdout.splitlines() if line.strip()]


def _processor(flags: frozenset[str]) -> Outcome:
    cores = f"{usable_cores()} cores"
    if not flags:
        return Outcome("processor", "unknown", f"{cores}; its instruction sets are not stated")
    int8, bf16 = sorted(flags & _INT8), sorted(flags & _BF16)
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
