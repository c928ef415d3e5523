"""Peak memory: of the process on a CPU, of one subject on a GPU."""

import resource
import sys
from types import TracebackType
from typing import Protocol

_LINUX_UNIT, _MAC_UNIT = 1024, 1  # ru_maxrss is in KiB on Linux and in bytes on macOS


class DeviceMemory(Protocol):
    """Counts the bytes of a GPU's memory."""

    def settle(self) -> None:
        """Wait for the device, free what is cached, and begin a new peak."""

    def used(self) -> int:
        """Bytes of the device in use by any process."""

    def reserved(self) -> int:
        """Bytes that torch's allocator holds, in use or cached."""

    def allocated(self) -> int:
        """Bytes in torch's tensors."""

    def peak_allocated(self) -> int:
        """The largest number of bytes in torch's tensors since `settle`."""


class SubjectMemory:
    """The device memory that one subject takes while it is loaded and runs.

    It is the sum of two parts. The first is torch's: the peak of its tensors while the block runs,
    less their size before. The second is allocated outside torch, such as a TensorRT engine's
    weights and the workspace of its execution context, or ONNX Runtime's arena. It is the growth of
    the device's used memory over the block, less the growth of torch's allocator. Such memory is
    kept as long as its owner exists, so its size after a run is the peak.

    The block must load the subject and run it. The device must be otherwise idle, as for
    latencies: memory that another process takes meanwhile is counted too.
    """

    def __init__(self, device: DeviceMemory) -> None:
        self._device = device
        self._used = self._reserved = self._allocated = 0
        self.peak_bytes = 0

    def __enter__(self) -> "SubjectMemory":
        self._device.settle()
        self._used, self._reserved = self._device.used(), self._device.reserved()
        self._allocated = self._device.allocated()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        by_torch = self._device.peak_allocated() - self._allocated
        grown = self._device.used() - self._used
        outside = grown - (self._device.reserved() - self._reserved)
        self.peak_bytes = by_torch + max(outside, 0)


class CudaMemory:
    """The current CUDA device, by the counts of torch and the driver."""

    def settle(self) -> None:
        import gc

        import torch

        torch.cuda.init()
        torch.empty(1, device="cuda")  # the driver's own context must not count for a subject
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def used(self) -> int:
        import torch

        torch.cuda.synchronize()
        free, total = torch.cuda.mem_get_info()
        return total - free

    def reserved(self) -> int:
        import torch

        return torch.cuda.memory_reserved()

    def allocated(self) -> int:
        import torch

        return torch.cuda.memory_allocated()

    def peak_allocated(self) -> int:
        import torch

        return torch.cuda.max_memory_allocated()


def process_peak_gb() -> float:
    """Peak memory of this process since it began, in 10^9 bytes."""
    unit = _MAC_UNIT if sys.platform == "darwin" else _LINUX_UNIT
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
