"""Intervals: what they cover, what is drawn together, and where there is none."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dust_core.declared.records import Interval
from dust_core.declared.specs import load_specs
from dust_eval.gates import (
    Resampling,
    drop_interval,
    drop_percent,
    p50_reduction_interval,
    reduction_percent,
    resampling,
)

PLAN = Resampling(resamples=1000, confidence=0.95, seed=42)
PLACES = Resampling(resamples=1000, confidence=0.95, seed=42, together=10)
WORLDS = 300


def covers(interval: Interval | None, truth: float) -> bool:
    assert interval is not None
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("pairs", [20, 50])
def test_drops_are_covered_about_as_often_as_promised(pairs: int) -> None:
    """Scenes differ a lot, the candidate is 2 % worse on each with a little noise of its own."""
    world = np.random.default_rng(7)
    truth, hits = 2.0, 0
    for _ in range(WORLDS):
        baseline = world.uniform(0.6, 1.0, pairs)
        candidate = baseline * (0.98 + world.normal(0, 0.01, pairs))
        hits += covers(drop_interval("delta1", candidate.tolist(), baseline.tolist(), PLAN), truth)
    # The bootstrap of 20 values promises a little more than it holds.
    assert 0.88 <= hits / WORLDS <= 0.99


@pytest.mark.parametrize(("places", "promised"), [(2, 0.5), (3, 0.75), (12, 0.95)])
def test_the_median_place_is_covered_no_more_often_than_the_interval_claims(
    places: int, promised: float
) -> None:
    """Places differ; within a place the pairs are much alike, as pairs that share images are."""
    world = np.random.default_rng(5)
    hits = 0
    for _ in range(WORLDS):
        baseline = world.uniform(0.6, 1.0, (places, 10))
        drops = world.normal(0.02, 0.01, (places, 1)) + world.normal(0, 0.001, (places, 10))
        candidate = baseline * (1 - drops)
        interval = drop_interval(
            "delta1", candidate.ravel().tolist(), baseline.ravel().tolist(), PLACES
        )
        assert interval is not None
        assert interval.confidence == promised
        hits += covers(interval, 2.0)
    assert promised - 0.12 <= hits / WORLDS <= promised + 0.05


def test_two_places_show_their_own_two_drops_and_nothing_between_or_beyond() -> None:
    baseline = [0.8, 0.6] * 5 + [0.5, 0.9] * 5
    candidate = [0.99 * value for value in baseline[:10]] + [
        0.96 * value for value in baseline[10:]
    ]
    interval = drop_interval("delta1", candidate, baseline, PLACES)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((1.0, 4.0))
    assert (interval.samples, interval.groups, interval.method) == (20, 2, "BCa")


def test_places_weigh_by_their_pairs() -> None:
    baseline = [0.8] * 10 + [0.4] * 4
    candidate = [0.72] * 10 + [0.40] * 4
    interval = drop_interval("delta1", candidate, baseline, PLACES)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.0, 10.0))
    assert (interval.samples, interval.groups) == (14, 2)


def test_one_place_or_one_turn_has_no_interval() -> None:
    assert drop_interval("delta1", [0.8, 0.7], [0.9, 0.9], PLACES) is None
    assert p50_reduction_interval([50.0], [100.0], PLAN) is None


def test_the_protocol_says_which_pairs_share_a_place() -> None:
    workload = load_specs(Path(__file__).parents[3] / "specs").workload
    plan = resampling(workload)
    assert plan == Resampling(10000, 0.95, 42, together=10)
    scene = workload.scene.model_copy(update={"images": 4})
    assert resampling(workload.model_copy(update={"scene": scene})).together == 6


def test_skewed_samples_have_an_interval_that_is_not_the_plain_percentiles() -> None:
    baseline = [1.0] * 20
    candidate = np.random.default_rng(2).exponential(0.5, 20).tolist()
    interval = drop_interval("rmse", candidate, baseline, PLAN)
    assert interval is not None and interval.method == "BCa"
    generator = np.random.default_rng(42)
    means = np.array(candidate)[generator.integers(20, size=(20_000, 20))].mean(axis=1)
    low, high = (float(100 * (end - 1)) for end in np.percentile(means, [2.5, 97.5]))
    # Large values are rare, so the true mean may lie further above the estimate than below it.
    assert interval.low > low + 1 and interval.high > high + 1


def test_latency_reductions_are_covered_about_as_often_as_promised() -> None:
    """The machine's mood moves both of a turn; the candidate takes half the baseline's time."""
    world = np.random.default_rng(11)
    hits = 0
    for _ in range(WORLDS):
        mood = world.lognormal(0, 0.05, 60)
        baseline = 100 * mood * world.lognormal(0, 0.05, 60)
        candidate = 50 * mood * world.lognormal(0, 0.05, 60)
        interval = p50_reduction_interval(candidate.tolist(), baseline.tolist(), PLAN)
        hits += covers(interval, 50.0)
    assert 0.90 <= hits / WORLDS <= 0.99


def test_pairing_takes_what_both_share_out_of_the_interval() -> None:
    world = np.random.default_rng(3)
    baseline = world.uniform(0.2, 1.0, 20)
    candidate = 0.98 * baseline
    paired = drop_interval("delta1", candidate.tolist(), baseline.tolist(), PLAN)
    broken = drop_interval("delta1", candidate[::-1].tolist(), baseline.tolist(), PLAN)
    assert paired is not None and broken is not None
    assert paired.high - paired.low < 1e-9 < 5 < broken.high - broken.low


values = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=30)


@settings(deadline=None, max_examples=30)
@given(values, st.floats(0.5, 1.5), st.sampled_from(["delta1", "absrel"]))
@example([0.8528378996516072, 0.01, 0.654618052787973], 1.3017498509539824, "delta1")
def test_a_constant_factor_leaves_no_doubt(
    baseline: list[float], factor: float, metric: str
) -> None:
    candidate = [factor * value for value in baseline]
    interval = drop_interval(metric, candidate, baseline, PLAN)
    truth = drop_percent(metric, factor, 1.0)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((truth, truth), abs=1e-9)


def test_where_nothing_varies_the_method_is_named_that_was_used() -> None:
    interval = drop_interval("delta1", [0.5] * 4, [1.0] * 4, PLAN)
    assert interval is not None
    assert (interval.low, interval.high, interval.method) == (50.0, 50.0, "percentile")


@settings(deadline=None, max_examples=30)
@given(values, st.integers(0, 2**32))
def test_lower_is_better_mirrors_higher_is_better(baseline: list[float], seed: int) -> None:
    plan = Resampling(resamples=200, confidence=0.9, seed=seed)
    candidate = list(reversed(baseline))
    up = drop_interval("delta1", candidate, baseline, plan)
    down = drop_interval("rmse", candidate, baseline, plan)
    assert up is not None and down is not None
    assert down.method == up.method
    assert (down.low, down.high) == pytest.approx((-up.high, -up.low), abs=1e-6)


def test_the_same_seed_gives_the_same_interval_and_says_how_it_was_drawn() -> None:
    candidate, baseline = [50.0, 52.0, 51.0, 49.5], [100.0, 99.0, 103.0, 101.0]
    first, again = (p50_reduction_interval(candidate, baseline, PLAN) for _ in range(2))
    assert first == again
    assert first is not None
    assert (first.confidence, first.resamples, first.seed, first.samples) == (0.95, 1000, 42, 4)
    other = p50_reduction_interval(candidate, baseline, Resampling(1000, 0.95, 43))
    assert other is not None and other.seed == 43


def test_many_samples_are_resampled_within_bounded_memory() -> None:
    samples = np.random.default_rng(0).uniform(1, 2, 5000)
    interval = drop_interval("rmse", samples.tolist(), samples.tolist(), PLAN)
    assert interval is not None
    assert (interval.low, interval.high, interval.samples) == (0.0, 0.0, 5000)
    assert reduction_percent(1.0, 1.0) == 0.0


def test_a_baseline_that_may_be_zero_has_no_interval() -> None:
    assert drop_interval("absrel", [0.1, 0.1], [0.0, 0.2], PLAN) is None


def test_no_pairs_have_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        drop_interval("rmse", [], [], PLAN)
    with pytest.raises(ValueError, match="12 values of the candidate and 13 of the baseline"):
        drop_interval("rmse", [1.0] * 12, [1.0] * 13, PLACES)
