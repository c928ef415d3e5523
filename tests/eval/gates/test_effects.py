"""Drops, reductions, ranks: one formula and one sign for each metric."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dust_core.declared.records import QUALITY_METRICS
from dust_core.declared.specs.models.gates import METRICS
from dust_eval.gates import best_by, drop_percent, rank_by, reduction_percent

positive = st.floats(min_value=1e-6, max_value=1e6)


@pytest.mark.parametrize(
    ("metric", "candidate", "baseline", "drop"),
    [
        ("delta1", 0.90, 1.0, 10.0),
        ("delta1", 0.99, 0.90, -10.0),
        ("absrel", 0.11, 0.10, 10.0),
        ("rmse", 0.45, 0.50, -10.0),
        ("chamfer", 0.2, 0.1, 100.0),
    ],
)
def test_a_drop_is_worse_whatever_the_metric(
    metric: str, candidate: float, baseline: float, drop: float
) -> None:
    assert drop_percent(metric, candidate, baseline) == pytest.approx(drop)


@settings(deadline=None)
@given(st.sampled_from(QUALITY_METRICS), positive, positive)
def test_the_drop_is_positive_just_where_the_candidate_is_worse(
    metric: str, candidate: float, baseline: float
) -> None:
    worse = candidate < baseline if metric == "delta1" else candidate > baseline
    assert (drop_percent(metric, candidate, baseline) > 0) == worse


@settings(deadline=None)
@given(st.floats(-50, 99), positive)
def test_a_reduction_by_so_much_is_so_much(percent: float, baseline: float) -> None:
    candidate = baseline * (1 - percent / 100)
    assert reduction_percent(candidate, baseline) == pytest.approx(percent, abs=1e-9)


def test_the_same_figure_is_no_drop_and_no_minus_zero() -> None:
    for metric in QUALITY_METRICS:
        assert str(drop_percent(metric, 0.5, 0.5)) == "0.0"


def test_nothing_is_a_percentage_of_zero() -> None:
    with pytest.raises(ZeroDivisionError):
        drop_percent("absrel", 0.1, 0.0)


@pytest.mark.parametrize("metric", QUALITY_METRICS)
def test_what_the_specs_say_of_a_metric_is_what_is_computed(metric: str) -> None:
    formula, _, rest = METRICS[f"{metric}_drop"].meaning.partition(" of ")
    assert rest.split(",")[0] == metric
    from_four_fifths_to_three = {"100 (b - c) / b": 25.0, "100 (c - b) / b": -25.0}
    assert drop_percent(metric, 0.6, 0.8) == pytest.approx(from_four_fifths_to_three[formula])


@pytest.mark.parametrize(
    ("metric", "best", "ranks"),
    [("delta1", "b", {"a": 2, "b": 1, "c": 2}), ("rmse", "a", {"a": 1, "b": 3, "c": 1})],
)
def test_best_and_rank_follow_the_metric(metric: str, best: str, ranks: dict[str, int]) -> None:
    values = {"a": 0.5, "b": 0.7, "c": 0.5}
    assert best_by(metric, values) == best
    assert {name: rank_by(metric, name, values) for name in values} == ranks
