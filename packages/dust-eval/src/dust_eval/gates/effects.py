"""How far a candidate is from its baseline: drops and reductions, in percent of the baseline."""

from dust_core.declared.records import HIGHER_IS_BETTER


def drop_percent(metric: str, candidate: float, baseline: float) -> float:
    """How much worse a quality metric became, relative to the baseline (%).

    100 (b - c) / b where higher is better (delta1), 100 (c - b) / b where lower is (absrel, rmse,
    chamfer): positive is worse, negative is better.

    Raises:
        ZeroDivisionError: the baseline is 0, of which nothing is a percentage.
        KeyError: `metric` is not a quality metric.
    """
    reduction = reduction_percent(candidate, baseline)
    return reduction if HIGHER_IS_BETTER[metric] else 0.0 - reduction


def reduction_percent(candidate: float, baseline: float) -> float:
    """How much smaller a quantity became, relative to the baseline (%): 100 (b - c) / b.

    Raises:
        ZeroDivisionError: the baseline is 0.
    """
    return 100 * (baseline - candidate) / baseline
