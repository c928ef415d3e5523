"""Where a network was trained."""

from dataclasses import dataclass
from typing import Literal

import torch

from dust_core.declared.records.environment import described_device
from dust_core.declared.records.sources import training_code


@dataclass(frozen=True)
class Origin:
    """The device and the sources of a training.

    Attributes:
        kind: `cpu` or `cuda`.
        device: its name.
        torch: the version of PyTorch.
        training_code: the digest of the sources that trained.
        compiled: whether its steps were compiled, which rounds differently.
    """

    kind: str
    device: str
    torch: str
    training_code: str | None
    compiled: bool = False

    @property
    def sentence(self) -> str:
        """For notes: the device and the version of PyTorch."""
        steps = ", compiled" if self.compiled else ""
        return f"trained on {self.device} with PyTorch {self.torch}{steps}"


def origin_of(device: torch.device, *, compiled: bool = False) -> Origin:
    """The origin of what this process trains on a device."""
    kind: Literal["cpu", "cuda"] = "cuda" if device.type == "cuda" else "cpu"
    name = described_device(kind).name
    return Origin(kind, name, str(torch.__version__), training_code(), compiled)
