"""What a training does to the memory of its process."""

import subprocess
import sys

import pytest

_STEPS = """
import contextlib, resource, torch
from dust_compress.train.memory import freed_memory_kept
def step():
    return sum(float(torch.ones(size << 20)[0]) for size in (1, 9, 4, 16, 2))
def resident():
    return int(open("/proc/self/statm").read().split()[1])
at_first = resident()
with freed_memory_kept() if {keep} else contextlib.nullcontext():
    step()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        step()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(resident() - at_first)
"""
PAGES = (16 << 20) * 4 // 4096  # of the largest tensor


@pytest.mark.skipif(sys.platform != "linux", reason="an allocator of Linux")
def test_steps_reuse_freed_memory_and_the_training_returns_it() -> None:
    kept, left = pages(keep=True)
    returned, _ = pages(keep=False)
    assert kept < returned / 2
    assert left < PAGES / 2


def pages(*, keep: bool) -> tuple[int, int]:
    """Pages that steps ask of the kernel, and those that the process still has in the end."""
    code = _STEPS.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    asked, left = done.stdout.split()
    return int(asked), int(left)
