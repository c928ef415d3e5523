"""Runs the operations on a GPU that computes nothing: `python fake_gpu.py`; it prints a JSON.

Tensors there have shapes and a device, and no values (`FakeTensorMode`). An operation that mixes
devices fails, and so does one that waits for a value: on a GPU that holds up its queue.

A process of its own, because a backend stays registered.
"""

import json
import traceback
from unittest.mock import patch

import torch
import torch.utils.backend_registration as registration
from modelopt.torch.quantization import tensor_quant
from operations import OPERATIONS
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

NAME = "gpu"


class Backend(registration._DummyBackendModule):
    """What torch asks of a backend, with what autocast asks."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """The types that autocast may use there."""
        return [torch.bfloat16, torch.float16]


class FakeGpu:
    """The place without values."""

    def __init__(self, mode: FakeTensorMode) -> None:
        self.mode, self.device = mode, torch.device(NAME, 0)

    def tensor(self, tensor: Tensor) -> Tensor:
        """A tensor of the same shape there."""
        if isinstance(tensor, FakeTensor):
            return tensor
        return FakeTensor(self.mode, tensor.detach().to("meta"), self.device)

    def network(self, network: nn.Module) -> nn.Module:
        """The network, in place."""
        for module in network.modules():
            for name, own in list(module._parameters.items()):
                if own is not None:
                    there = nn.Parameter(self.tensor(own), requires_grad=own.requires_grad)
                    module._parameters[name] = there
            for name, buffer in list(module._buffers.items()):
                if buffer is not None:
                    module._buffers[name] = self.tensor(buffer)
        return network


def unchecked(inputs: Tensor, amax: Tensor, *how: object) -> Tensor:
    """modelopt's `_tensor_quant` without its checks of values, which its kernel for GPUs lacks."""
    scale = 127 / amax.float()
    return (inputs.float() * scale).round().clamp(-127, 127).div(scale).to(inputs.dtype)


def outcome(name: str) -> str:
    """`` if the operation ends with all its values on the GPU, or what went wrong."""
    mode = FakeTensorMode()
    place = FakeGpu(mode)
    run = OPERATIONS[name](place)  # with quantizers, which are calibrated on values
    try:
        with mode, patch.object(tensor_quant, "_tensor_quant", unchecked):
            values = run()
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = next(frame for frame in reversed(frames) if "dust_" in frame.filename)
        return f"{type(error).__name__}: {error}; {ours.filename}:{ours.lineno}: {ours.line}"
    elsewhere = {str(value.device) for value in values} - {str(place.device)}
    return f"values on {', '.join(elsewhere)}" if elsewhere or not values else ""


if __name__ == "__main__":
    registration._setup_privateuseone_for_python_backend(NAME, backend_module=Backend())
    print(json.dumps({name: outcome(name) for name in OPERATIONS}))
