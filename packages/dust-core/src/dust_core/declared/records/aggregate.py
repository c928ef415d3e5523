"""How per-pair values and latency samples become a single number in a record."""

import math
from collections.abc import Sequence


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean over pairs, which is every quality metric of a record.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("the mean of no values is undefined")
    return math.fsum(values) / len(values)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The percentile with linear interpolation between the closest ranks.

    This is definition 7 of Hyndman & Fan, "Sample Quantiles in Statistical Packages" (1996),
    NumPy's default. `statistics.quantiles(..., method="inclusive")` has the same definition, but
    accepts neither a single sample nor 0 or 100 %, and its rounding differs from NumPy's more
    often.

    Args:
        samples: in any order, at least one.
        percent: in [0, 100].

    Raises:
        ValueError: no samples, or `percent` outside [0, 100].
    """
    if not samples or not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent} of {len(samples)} samples is undefined")
    ordered = sorted(samples)
    rank = (len(ordered) - 1) * percent / 100
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
