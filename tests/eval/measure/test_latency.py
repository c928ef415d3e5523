import numpy as np

from dust_eval.measure.latency import Timing, measure_latency
from dust_eval.runtimes import RuntimeOptions


class Busy:
    """A model that notes its calls and does a little work."""

    runtime, version, options = "busy", "0", RuntimeOptions(threads=1)

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def prepare(self, image1: np.ndarray, image2: np.ndarray) -> None:
        self.calls.append(f"prepare {self.name}")

    def execute(self) -> None:
        self.calls.append(self.name)
        np.sort(np.arange(20_000) % 37)


IMAGES = (np.zeros((1, 3, 32, 32), np.float32),) * 2


def test_calls_alternate_and_so_does_who_goes_first() -> None:
    calls: list[str] = []
    models = [Busy("a", calls), Busy("b", calls)]
    first, second = measure_latency(models, IMAGES, Timing(warmup=3, repeats=50))
    assert calls[-100:] == ["a", "b", "b", "a"] * 25
    assert len(first) == len(second) == 50
    warm = calls.index("prepare b") - 1
    assert 3 <= warm <= 30


def test_of_three_each_goes_first_as_often() -> None:
    calls: list[str] = []
    models = [Busy(name, calls) for name in "abc"]
    assert len(measure_latency(models, IMAGES, Timing(warmup=3, repeats=6))) == 3
    assert "".join(calls[-18:]) == "abcbcacab" * 2
