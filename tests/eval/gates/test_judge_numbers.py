"""Which numbers decide a line: zero, infinite, a point, an interval, and what is said of them."""

import math
from dataclasses import replace

import pytest
import sample_results as sample
from lines import LATENCY, NAN, PLAN, QUALITY, line, outcome, student, teacher

from dust_core.declared.records import Result
from dust_eval.gates import judge


def test_of_a_baseline_of_zero_nothing_is_a_percentage() -> None:
    bound = line("absrel_drop", "<=", 5.0)
    verdict = judge(bound, student(), teacher(quality=sample.per_pair(absrel=0.0)))
    assert outcome(verdict) == (
        "inconclusive",
        "the baseline is 0, so the change has no percentage",
    )


def test_a_baseline_of_zero_that_nothing_binds_decides_nothing() -> None:
    verdict = judge(QUALITY, student(), teacher(quality=sample.per_pair(absrel=0.0)))
    assert verdict.status == "pass"
    beside = {effect.metric: effect for effect in verdict.beside}
    assert (beside["absrel"].change, beside["absrel"].interval) == (None, None)


def test_a_drop_beyond_all_numbers_fails() -> None:
    tiny = dict.fromkeys(sample.per_pair(), (5e-324,) * 20)
    verdict = judge(line("absrel_drop", "<=", 5.0), student(), teacher(quality=tiny))
    assert outcome(verdict) == ("fail", "absrel_drop is inf, which is not a finite number")
    assert verdict.value is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_quantity_that_is_no_number_fails(value: float) -> None:
    measured = student()
    proof = measured.provenance.model_copy(update={"quantities": {"nan_count": value}})
    verdict = judge(NAN, measured.model_copy(update={"provenance": proof}))
    assert outcome(verdict) == ("fail", f"nan_count is {value}, which is not a finite number")


def of_places(*drops: float) -> tuple[Result, Result]:
    """A student whose delta1 drops by so many percent in each place of ten pairs, and a teacher."""
    ours = [0.9 * (1 - drop / 100) for drop in drops for _ in range(10)]
    theirs = [0.9] * len(ours)
    others = sample.per_pair(pairs=len(ours))
    return (
        student(quality=others | {"delta1": tuple(ours)}),
        teacher(quality=others | {"delta1": tuple(theirs)}),
    )


@pytest.mark.parametrize(
    ("drops", "status", "said"),
    [
        ((0.2, 1.4), "pass", "20 pairs of 2 places cannot tell it from 1 % on other pictures"),
        ((0.8, 1.6), "fail", "20 pairs of 2 places cannot tell it from 1 % on other pictures"),
        (
            (0.2, 0.4),
            "pass",
            "for other pictures 2 places make it 50 % sure at most",
        ),
        (
            (2.0, 3.0, 4.0),
            "fail",
            "for other pictures 3 places make it 75 % sure at most",
        ),
        ((0.1, 0.2) * 4, "pass", "it holds for other pictures too"),
        ((2.0, 3.0) * 4, "fail", "it is missed on other pictures too"),
        ((0.5,), "pass", "10 pairs of one place say nothing of other pictures"),
    ],
)
def test_quality_is_decided_by_its_value_and_the_interval_is_put_into_words(
    drops: tuple[float, ...], status: str, said: str
) -> None:
    plan = replace(PLAN, together=10)
    verdict = judge(replace(QUALITY, resampling=plan), *of_places(*drops))
    assert verdict.status == status
    assert verdict.value == pytest.approx(sum(drops) / len(drops))
    assert verdict.other_pictures == f"decided by its value on the whole workload; {said}"


def test_one_turn_decides_no_latency() -> None:
    verdict = judge(LATENCY, student(latency=sample.turns(90.0, 200.0, repeats=1)), teacher())
    assert outcome(verdict) == (
        "inconclusive",
        "1 turn has no interval, which a latency needs",
    )
