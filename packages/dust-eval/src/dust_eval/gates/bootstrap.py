"""Paired percentile-bootstrap intervals (Efron & Tibshirani, 1993, chapters 8 and 13).

Pairs are resampled, never the two sides apart: pair i of the candidate and pair i of the baseline
saw the same images, or ran in the same turn, and most of their spread is common to both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dust_core.declared.records import HIGHER_IS_BETTER, Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are drawn; the workload's protocol says it once for all lines."""

    resamples: int
    confidence: float
    seed: int


def drop_interval(
    metric: str, candidate: Sequence[float], baseline: Sequence[float], plan: Resampling
) -> Interval | None:
    """Interval of `drop_percent` between the means over pairs (%).

    Args:
        metric: the quality metric, which decides the sign.
        candidate: its value for every pair.
        baseline: the same pairs in the same order.
        plan: resamples, confidence and seed.

    Returns:
        None where a resample's baseline is 0 and the drop has no distribution.

    Raises:
        ValueError: no pairs, or as many on one side as not on the other.
    """
    import numpy as np

    interval = _ratio_interval(candidate, baseline, plan, lambda drawn: np.mean(drawn, axis=1))
    if interval is None or HIGHER_IS_BETTER[metric]:
        return interval
    return interval.model_copy(update={"low": 0.0 - interval.high, "high": 0.0 - interval.low})


def p50_reduction_interval(
    candidate_ms: Sequence[float], baseline_ms: Sequence[float], plan: Resampling
) -> Interval | None:
    """Interval of the reduction of the median latency (%), turns resampled together.

    Args and errors are those of `drop_interval`, with latencies in ms in place of metrics.
    """
    import numpy as np

    return _ratio_interval(candidate_ms, baseline_ms, plan, lambda drawn: np.median(drawn, axis=1))


def _ratio_interval(
    candidate: Sequence[float],
    baseline: Sequence[float],
    plan: Resampling,
    summarise: "Callable[[Floats], Floats]",
) -> Interval | None:
    """Interval of 100 (s(b) - s(c)) / s(b) for a summary s over resampled pairs."""
    import numpy as np

    sides: Any = np.array([candidate, baseline], dtype=np.float64)
    count = sides.shape[1]
    if count == 0:
        raise ValueError("an interval needs at least one pair")
    generator = np.random.default_rng(plan.seed)
    rows = max(1, _VALUES_AT_ONCE // count)
    reductions = []
    for start in range(0, plan.resamples, rows):
        drawn = generator.integers(count, size=(min(rows, plan.resamples - start), count))
        ours, theirs = (summarise(side[drawn]) for side in sides)
        if not theirs.all():
            return None
        reductions.append(100 * (theirs - ours) / theirs)
    tail = 50 * (1 - plan.confidence)
    low, high = np.percentile(np.concatenate(reductions), [tail, 100 - tail])
    return Interval(
        low=float(low),
        high=float(high),
        confidence=plan.confidence,
        resamples=plan.resamples,
        seed=plan.seed,
        samples=count,
    )
