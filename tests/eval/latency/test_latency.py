import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dust_eval.latency import LatencyReport, Timing, measure_latency
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
    report = measure_latency(
        Busy("a", calls), Busy("b", calls), IMAGES, Timing(warmup=3, repeats=50)
    )
    assert calls[-100:] == ["a", "b", "b", "a"] * 25
    assert len(report.candidate_ms) == len(report.baseline_ms) == 50
    warm = calls.index("prepare b") - 1
    assert 3 <= warm <= 30


@given(st.lists(st.floats(1, 100), min_size=2, max_size=20), st.floats(0.1, 10))
def test_the_ratio_of_proportional_samples_is_exact(base: list[float], factor: float) -> None:
    report = LatencyReport(tuple(factor * b for b in base), tuple(base))
    assert report.ratio == pytest.approx(factor)
