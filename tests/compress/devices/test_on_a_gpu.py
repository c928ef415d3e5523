"""What trainings run on a GPU mixes no devices and waits for no value."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from operations import OPERATIONS


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What became of each operation on a GPU that computes nothing."""
    script = Path(__file__).with_name("fake_gpu.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", OPERATIONS)
def test_it_mixes_no_devices_and_waits_for_no_value(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name] == ""


class Moved:
    """A real device."""

    def __init__(self, device: str) -> None:
        self.device = device

    def network(self, network: torch.nn.Module) -> torch.nn.Module:
        return network.to(self.device)

    def tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.device)


@pytest.mark.gpu
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_gpu_gives_the_values_of_the_cpu(name: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    values = (value.cpu() for value in OPERATIONS[name](Moved("cuda"))())
    for ours, theirs in zip(values, OPERATIONS[name](Moved("cpu"))(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-3, atol=2e-4)
