"""How far a candidate is from its baseline: drops and reductions, in percent of the baseline.

Every sign is decided here, from `HIGHER_IS_BETTER`. The functions take numbers, or arrays of them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from dust_core.declared.records import HIGHER_IS_BETTER

if TYPE_CHECKING:
    from dust_eval.arrays import Floats

Quantity = TypeVar("Quantity", float, "Floats")


def drop_percent(metric: str, candidate: Quantity, baseline: Quantity) -> Quantity:
    """How much worse a quality metric became, relative to the baseline (%).

    100 (b - c) / b where higher is better (delta1), 100 (c - b) / b where lower is (absrel, rmse,
    chamfer): positive is worse, negative is better.

    Raises:
        ZeroDivisionError: the baseline is the number 0, so the drop has no percentage.
        KeyError: `metric` is not a quality metric.
    """
    reduction = reduction_percent(candidate, baseline)
    return reduction if HIGHER_IS_BETTER[metric] else 0.0 - reduction


def reduction_percent(candidate: Quantity, baseline: Quantity) -> Quantity:
    """How much smaller a quantity became, relative to the baseline (%): 100 (b - c) / b.

    Raises:
        ZeroDivisionError: the baseline is the number 0.
    """
    return 100 * (baseline - candidate) / baseline


def best_by(metric: str, values: Mapping[str, float]) -> str:
    """The name whose value of a quality metric is best; the first of several equal ones.

    Raises:
        KeyError: `metric` is not a quality metric.
        ValueError: there are no values.
    """
    choose = max if HIGHER_IS_BETTER[metric] else min
    return choose(values, key=values.__getitem__)


def rank_by(metric: str, name: str, values: Mapping[str, float]) -> int:
    """The rank of `name` among `values` by a quality metric: 1 where none is better.

    Raises:
        KeyError: `metric` is not a quality metric, or `values` has no such name.
    """
    own, higher = values[name], HIGHER_IS_BETTER[metric]
    return 1 + sum(value > own if higher else value < own for value in values.values())
