"""Turns, warm-up, and the clocks that time them."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat

import numpy as np
import pytest

from dust_core.declared.specs.models.workload import Timing
from dust_core.errors import DustError
from dust_eval.measure.latency import measure_latency
from dust_eval.runtimes import RuntimeOptions
from dust_eval.runtimes.clock import DeviceClock

IMAGES = (np.zeros((1, 3, 32, 32), np.float32),) * 2


def protocol(*, warmup: int = 3, repeats: int = 50, order: str = "alternate") -> Timing:
    """The workload's timing; tests may ask for fewer turns than a spec."""
    return Timing.model_construct(warmup=warmup, repeats=repeats, order=order)


class Scripted:
    """A model that notes its calls, and its own clock, which reads what the test says."""

    runtime, version, options = "scripted", "0", RuntimeOptions(threads=1)
    precision, size = "fp32", None

    def __init__(self, name: str, calls: list[str], times_ms: Iterator[float]) -> None:
        self.name, self.calls, self.times_ms = name, calls, times_ms
        self.clock = self

    def prepare(self, image1: np.ndarray, image2: np.ndarray) -> None:
        self.calls.append(f"prepare {self.name}")

    def execute(self) -> None:
        self.calls.append(self.name)

    def time_ms(self, call: Callable[[], None]) -> float:
        call()
        return next(self.times_ms)


def models(names: str, calls: list[str]) -> list[Scripted]:
    return [Scripted(name, calls, repeat(1.0)) for name in names]


def test_calls_alternate_and_so_does_who_goes_first() -> None:
    calls: list[str] = []
    measure_latency(models("ab", calls), IMAGES, protocol())
    assert calls[-100:] == ["a", "b", "b", "a"] * 25


def test_of_three_each_goes_first_as_often() -> None:
    calls: list[str] = []
    assert len(measure_latency(models("abc", calls), IMAGES, protocol(repeats=6))) == 3
    assert "".join(calls[-18:]) == "abcbcacab" * 2


def test_each_model_is_prepared_and_warmed_up_as_often_as_the_protocol_says() -> None:
    calls: list[str] = []
    measure_latency(models("ab", calls), IMAGES, protocol(warmup=7))
    assert calls[:16] == ["prepare a", *"a" * 7, "prepare b", *"b" * 7]


def test_warm_up_goes_on_until_three_calls_agree() -> None:
    calls: list[str] = []
    cooling = chain([9.0, 7.0, 5.0, 3.0, 1.05, 1.0, 1.02], repeat(1.0))
    (samples,) = measure_latency([Scripted("a", calls, cooling)], IMAGES, protocol(repeats=4))
    assert calls == ["prepare a", *"a" * (7 + 4)]
    assert samples.settled and samples.ms == (1.0,) * 4


def test_warm_up_that_never_settles_ends_and_is_said() -> None:
    calls: list[str] = []
    restless = Scripted("a", calls, iter([1.0, 2.0] * 50))
    steady = Scripted("b", calls, repeat(1.0))
    samples = measure_latency([restless, steady], IMAGES, protocol(repeats=4))
    assert [model.settled for model in samples] == [False, True]
    assert calls.index("prepare b") == 1 + 10 * 3


def test_samples_are_what_the_clock_of_each_model_reads() -> None:
    calls: list[str] = []
    pair = [
        Scripted("a", calls, chain(repeat(5.0, 3), [10.0, 11.0, 12.0])),
        Scripted("b", calls, chain(repeat(7.0, 3), [20.0, 21.0, 22.0])),
    ]
    first, second = measure_latency(pair, IMAGES, protocol(repeats=3))
    assert (first.ms, second.ms) == ((10.0, 11.0, 12.0), (20.0, 21.0, 22.0))


def test_an_order_that_is_not_built_is_an_error() -> None:
    with pytest.raises(
        DustError, match=r"timing\.order is 'blocks', and only 'alternate' is built"
    ):
        measure_latency(models("ab", []), IMAGES, protocol(order="blocks"))


class Stream:
    """A simulated stream: what is queued ends `device_ms` after the work before it."""

    def __init__(self) -> None:
        self.device_ms = 0.0
        self.waited_for = 0.0


class Event:
    """As `torch.cuda.Event`: it has a time once the stream has been waited for."""

    def record(self, stream: Stream) -> None:
        self.stream, self.at_ms = stream, stream.device_ms

    def synchronize(self) -> None:
        self.stream.waited_for = self.at_ms

    def elapsed_time(self, end: "Event") -> float:
        if end.stream.waited_for < end.at_ms:
            raise RuntimeError("the end has not been reached")
        return end.at_ms - self.at_ms


def test_a_device_clock_takes_the_time_of_the_queued_work_alone() -> None:
    stream = Stream()
    stream.device_ms = 100.0

    def queue() -> None:
        stream.device_ms += 7.5

    clock = DeviceClock(stream, Event)  # type: ignore[arg-type]
    assert clock.time_ms(queue) == 7.5
    assert clock.time_ms(queue) == 7.5


@pytest.mark.gpu
def test_on_a_gpu_queued_work_is_timed_whole() -> None:
    import torch

    stream = torch.cuda.Stream()
    values = torch.rand(4096, 4096, device="cuda")

    def products(count: int) -> Callable[[], None]:
        def queue() -> None:
            with torch.cuda.stream(stream):
                for _ in range(count):
                    values @ values

        return queue

    clock = DeviceClock(stream)
    clock.time_ms(products(20))
    few, many = clock.time_ms(products(5)), clock.time_ms(products(50))
    assert 5 < many / few < 20
