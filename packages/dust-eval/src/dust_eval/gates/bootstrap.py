"""Paired bootstrap intervals by `scipy.stats.bootstrap`, method BCa.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 14.
Both sides are resampled together: pair i of the candidate and pair i of the baseline have the same
images, or ran in the same turn, and most of their spread is common to both.
docs/adr/020-what-an-interval-decides.md says what an interval decides.
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dust_core.declared.records import Interval
from dust_eval.gates.effects import drop_percent, reduction_percent

if TYPE_CHECKING:
    from dust_core.declared.specs.models import WorkloadSpec
    from dust_eval.arrays import Floats

    Statistic = Callable[..., Floats]

_VALUES_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are drawn.

    Attributes:
        resamples, confidence, seed: as in `Interval`.
        together: how many pairs in a row are of one place and are drawn together. Turns are
            always drawn one by one.
    """

    resamples: int
    confidence: float
    seed: int
    together: int = 1


def resampling(workload: "WorkloadSpec") -> Resampling:
    """How the workload's protocol draws intervals, the same for all lines.

    A scene of n views is a clique: its n (n - 1) / 2 pairs share their images and follow each
    other in the workload.
    """
    quality = workload.quality
    together = math.comb(workload.scene.images, 2)
    return Resampling(quality.bootstrap, quality.confidence, workload.seed, together)


def drop_interval(
    metric: str, candidate: Sequence[float], baseline: Sequence[float], plan: Resampling
) -> Interval | None:
    """Interval of `drop_percent` between the means over pairs (%), for pictures of other places.

    Whole places are drawn. A resample of k places is always within the range of their values, and
    that range covers the median place with a probability of 1 - 2^(1 - k) at most. The interval's
    confidence is therefore no higher than that.

    Args:
        metric: the quality metric, which decides the sign.
        candidate: its value for every pair.
        baseline: the same pairs in the same order.
        plan: resamples, confidence, seed, and which pairs are of one place.

    Returns:
        None for a single place, which gives no information on others. None where a resample's
        baseline is 0, so that the drop has no distribution.

    Raises:
        ValueError: no pairs, or not as many on one side as on the other.
    """
    _require_pairs(candidate, baseline)
    ours, theirs = (_sums_of_places(side, plan.together) for side in (candidate, baseline))
    interval = _paired_interval(
        (ours, theirs), plan, lambda c, b, axis: drop_percent(metric, c.sum(axis), b.sum(axis))
    )
    return _of_places(interval, len(candidate), len(ours), plan)


def drop_reduction_interval(
    candidate: Sequence[float], other: Sequence[float], baseline: Sequence[float], plan: Resampling
) -> Interval | None:
    """Interval of how much smaller the candidate's drop is than another's, in percent of it.

    Both drops are relative to the baseline, of a metric of which higher is better. All three are
    drawn together, place by place.

    Args, None and errors are those of `drop_interval`.
    """
    _require_pairs(candidate, other)
    _require_pairs(candidate, baseline)
    sides = tuple(_sums_of_places(side, plan.together) for side in (candidate, other, baseline))

    def statistic(ours: "Floats", theirs: "Floats", best: "Floats", axis: int) -> "Floats":
        ours, theirs, best = (side.sum(axis) for side in (ours, theirs, best))
        return reduction_percent(best - ours, best - theirs)

    interval = _paired_interval(sides, plan, statistic)
    return _of_places(interval, len(candidate), len(sides[0]), plan)


def _of_places(
    interval: Interval | None, pairs: int, places: int, plan: Resampling
) -> Interval | None:
    """The interval with the confidence that its number of places can reach."""
    if interval is None:
        return None
    attainable = min(plan.confidence, 1 - 2.0 ** (1 - places))
    return interval.model_copy(
        update={"samples": pairs, "groups": places, "confidence": attainable}
    )


def p50_reduction_interval(
    candidate_ms: Sequence[float], baseline_ms: Sequence[float], plan: Resampling
) -> Interval | None:
    """Interval of the reduction of the median latency (%), both sides of a turn drawn together.

    Args and errors are those of `drop_interval`, with latencies in ms in place of metrics.
    """
    import numpy as np

    _require_pairs(candidate_ms, baseline_ms)
    return _paired_interval(
        (np.array(candidate_ms, dtype=np.float64), np.array(baseline_ms, dtype=np.float64)),
        plan,
        lambda c, b, axis: reduction_percent(np.median(c, axis), np.median(b, axis)),
    )


def _require_pairs(candidate: Sequence[float], baseline: Sequence[float]) -> None:
    if len(candidate) != len(baseline):
        raise ValueError(
            f"{len(candidate)} values of the candidate and {len(baseline)} of the baseline"
        )
    if not candidate:
        raise ValueError("an interval needs at least one pair")


def _sums_of_places(values: Sequence[float], together: int) -> "Floats":
    """The sum over each place's pairs (places,): ratios of sums are ratios of means over pairs."""
    import numpy as np

    starts = range(0, len(values), together)
    return np.array([math.fsum(values[start : start + together]) for start in starts])


def _paired_interval(
    sides: "tuple[Floats, ...]", plan: Resampling, statistic: "Statistic"
) -> Interval | None:
    """The BCa interval of a statistic of samples (n,) that are drawn together.

    BCa has no value where its jackknife has no spread or the estimate is outside all resamples.
    The interval is then made of the plain percentiles of the same resamples, and `method` names
    them.
    """
    import numpy as np
    from scipy.stats import DegenerateDataWarning, bootstrap

    count = len(sides[0])
    if count == 1:
        return None
    shared = {
        "paired": True,
        "vectorized": True,
        "confidence_level": plan.confidence,
        "batch": max(1, _VALUES_AT_ONCE // count),
    }
    generator = np.random.default_rng(plan.seed)
    method: Literal["BCa", "percentile"] = "BCa"
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        drawn = bootstrap(
            sides, statistic, n_resamples=plan.resamples, rng=generator, method=method, **shared
        )
        if not np.isfinite(drawn.bootstrap_distribution).all():
            return None
        if not np.isfinite(drawn.confidence_interval).all():
            method = "percentile"
            drawn = bootstrap(
                sides, statistic, n_resamples=0, bootstrap_result=drawn, method=method, **shared
            )
    # Percentiles are interpolated: rounding can put ends that are equal the wrong way round.
    low, high = sorted(drawn.confidence_interval)
    return Interval(
        low=float(low),
        high=float(high),
        confidence=plan.confidence,
        resamples=plan.resamples,
        seed=plan.seed,
        samples=count,
        method=method,
    )
