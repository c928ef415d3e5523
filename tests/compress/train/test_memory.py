"""What a training does to the memory of its process."""

import subprocess
import sys

import pytest

_STEPS = """
import resource, torch
from dust_compress.train.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def step():
    return sum(float(torch.ones(size << 20)[0]) for size in (1, 9, 4, 16, 2))
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="an allocator of Linux")
def test_tensors_are_put_where_earlier_ones_were_freed() -> None:
    assert faults(keep=True) < faults(keep=False) / 2


def faults(*, keep: bool) -> int:
    """Pages that steps which allocate the same tensors ask of the kernel."""
    code = _STEPS.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)
