"""The interleaved timing protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from dust_eval.runtimes import Images, PairModel

_STABLE_CALLS = 3
_STABLE_SPREAD = 0.1
_LONGEST_WARMUP = 10  # times the declared warm-up


@dataclass(frozen=True)
class Timing:
    """How often to call: before the first timed call, and timed, of each model."""

    warmup: int
    repeats: int


@dataclass(frozen=True)
class LatencyReport:
    """Samples in milliseconds in the order in which they were taken, i-th beside i-th."""

    candidate_ms: tuple[float, ...]
    baseline_ms: tuple[float, ...]

    @property
    def p50_ms(self) -> float:
        """Median of the candidate."""
        return float(np.percentile(self.candidate_ms, 50))

    @property
    def p95_ms(self) -> float:
        """95th percentile of the candidate."""
        return float(np.percentile(self.candidate_ms, 95))

    @property
    def pairs_per_second(self) -> float:
        """Pairs the candidate would do in a second at its median."""
        return 1000 / self.p50_ms

    @property
    def ratio(self) -> float:
        """Candidate's median over the baseline's: below 1 is faster."""
        return self.p50_ms / float(np.percentile(self.baseline_ms, 50))


def measure_latency(
    candidate: PairModel,
    baseline: PairModel,
    images: Images,
    timing: Timing,
    on_call: Callable[[], None] = lambda: None,
) -> LatencyReport:
    """Time both models on one pair, in turn, after each has become steady.

    Args:
        images: two images (1, 3, H, W) float32 in [-1, 1].
        on_call: told of every timed pair of calls.
    """
    for model in (candidate, baseline):
        model.prepare(*images)
        _warm_up(model, timing.warmup)
    samples: tuple[list[float], list[float]] = ([], [])
    for turn in range(timing.repeats):
        # Who goes first alternates too: the first call after a change of model finds cold caches.
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        for index in order:
            samples[index].append(_time_ms((candidate, baseline)[index]))
        on_call()
    return LatencyReport(tuple(samples[0]), tuple(samples[1]))


def _warm_up(model: PairModel, least: int) -> None:
    # Clocks, caches and lazy compilation settle at their own pace: go on until three calls agree.
    recent: list[float] = []
    for call in range(least * _LONGEST_WARMUP):
        recent = [*recent, _time_ms(model)][-_STABLE_CALLS:]
        steady = len(recent) == _STABLE_CALLS and max(recent) < (1 + _STABLE_SPREAD) * min(recent)
        if call + 1 >= least and steady:
            return


def _time_ms(model: PairModel) -> float:
    start = perf_counter()
    model.execute()
    return 1000 * (perf_counter() - start)
