"""Clocks for calls: the host's on a CPU, events of the device on a GPU."""

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch


class Clock(Protocol):
    """Times one call."""

    def time_ms(self, call: Callable[[], None]) -> float:
        """Milliseconds from the start of `call` until its work is complete."""


class HostClock:
    """For work that is complete when the call returns."""

    def time_ms(self, call: Callable[[], None]) -> float:
        start = perf_counter()
        call()
        return 1000 * (perf_counter() - start)


class DeviceClock:
    """For work that the call queues on a stream of the GPU.

    Two events on that stream, before and after the work, measure the time on the device itself, so
    that the host's delay does not count.

    Args:
        stream: the stream of the work.
        event: creates an event with the methods of `torch.cuda.Event`; None: torch's own.
    """

    def __init__(self, stream: "torch.cuda.Stream", event: Callable[[], Any] | None = None) -> None:
        self.stream = stream
        self._event = event or _timing_event

    def time_ms(self, call: Callable[[], None]) -> float:
        start, end = self._event(), self._event()
        start.record(self.stream)
        call()
        end.record(self.stream)
        end.synchronize()
        return float(start.elapsed_time(end))


def _timing_event() -> Any:
    import torch

    return torch.cuda.Event(enable_timing=True)
