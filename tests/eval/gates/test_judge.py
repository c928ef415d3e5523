"""Verdicts, each with its whole message."""

from dataclasses import replace
from typing import Any

import pytest
import sample_results as sample
from lines import LATENCY, NAN, QUALITY, SIZE, line, outcome, student, teacher

from dust_core.declared.records import (
    BaselineRef,
    Latency,
    MeasuredDevice,
    Runtime,
)
from dust_eval.gates import GateLine, judge


def test_a_small_drop_passes_with_value_line_margin_unit_and_interval() -> None:
    verdict = judge(QUALITY, student(quality=sample.per_pair(delta1=0.94525)), teacher())
    assert outcome(verdict) == ("pass", None)
    assert (verdict.line, verdict.op, verdict.unit) == (1.0, "<=", "%")
    assert (verdict.value, verdict.margin) == pytest.approx((0.5, 0.5))
    assert verdict.interval is not None and verdict.interval.samples == 20
    assert (verdict.exp_id, verdict.baseline) == (sample.STUDENT, sample.TEACHER)
    assert (verdict.task, verdict.gate) == ("K-1", "the-line")


def test_a_large_drop_fails_by_its_margin() -> None:
    verdict = judge(QUALITY, student(quality=sample.per_pair(delta1=0.931)), teacher())
    assert outcome(verdict) == ("fail", "2 % is above 1 %")
    assert verdict.margin == pytest.approx(-1.0)


def test_the_other_quality_metrics_are_beside_and_bind_nothing() -> None:
    verdict = judge(QUALITY, student(quality=sample.per_pair(absrel=0.6)), teacher())
    assert verdict.status == "pass"
    beside = {effect.metric: effect for effect in verdict.beside}
    assert sorted(beside) == ["absrel", "chamfer", "rmse"]
    assert beside["absrel"].change == pytest.approx(900.0)
    assert beside["absrel"].interval is not None
    assert (beside["rmse"].candidate, beside["rmse"].baseline) == pytest.approx((0.31, 0.31))


def test_a_line_on_another_metric_binds_that_one() -> None:
    verdict = judge(
        line("absrel_drop", "<=", 5.0), student(quality=sample.per_pair(absrel=0.066)), teacher()
    )
    assert outcome(verdict) == ("fail", "10 % is above 5 %")
    assert sorted(effect.metric for effect in verdict.beside) == ["chamfer", "delta1", "rmse"]


@pytest.mark.parametrize("metric", ["delta1", "absrel", "rmse", "chamfer"])
@pytest.mark.parametrize("who", ["candidate", "baseline"])
def test_a_metric_that_is_missing_fails(metric: str, who: str) -> None:
    pairs = {name: values for name, values in sample.per_pair().items() if name != metric}
    results = {"candidate": student(), "baseline": teacher()}
    make = student if who == "candidate" else teacher
    results[who] = make(quality=pairs)
    verdict = judge(QUALITY, results["candidate"], results["baseline"])
    assert outcome(verdict) == (
        "fail",
        f"{metric} of the {who} was not measured: not measured in this test",
    )
    assert verdict.value is None and verdict.margin is None


def test_no_result_fails() -> None:
    assert outcome(judge(QUALITY, None, teacher())) == ("fail", "K-1 has no result")


def test_no_baseline_fails() -> None:
    verdict = judge(QUALITY, student(), None)
    assert outcome(verdict) == ("fail", "the baseline P0-2 has no result")


def test_a_result_of_another_version_of_the_spec_fails() -> None:
    verdict = judge(QUALITY, student(spec_digest="0" * 64), teacher())
    assert outcome(verdict) == ("fail", "the result is of another version of K-1: run it again")


OTHER_CPU = MeasuredDevice(kind="cpu", name="Other CPU", fingerprint="d" * 64)


def runtime(**changes: Any) -> Runtime:
    return Runtime(**dict(sample.OPENVINO) | changes)


@pytest.mark.parametrize("asked", [QUALITY, LATENCY, SIZE], ids=lambda asked: asked.gate.metric)
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"device": OTHER_CPU},
            "the baseline was measured on another device (cpu Other CPU dddddddddddd, not cpu "
            "Example CPU cccccccccccc)",
        ),
        (
            {"workload_sha256": "9" * 64},
            "the baseline was measured on another workload (999999999999, not 333333333333)",
        ),
        (
            {"runtime": runtime(name="torch", versions={"torch": "2.13.0"})},
            "the baseline was measured on another runtime (torch, not openvino)",
        ),
        (
            {"runtime": runtime(versions={"openvino": "2026.3.0"}, threads=4, tf32=True)},
            "the baseline was measured on another runtime (openvino 2026.3.0, not 2026.4.1; "
            "4 threads, not 2; TF32 on, not unknown)",
        ),
        ({"runtime": runtime(precision="bf16")}, "the baseline ran in bf16, not fp32"),
        ({"runtime": None}, "the baseline names no runtime"),
        (
            {"artifacts": {"teacher_fp32.pth": "8" * 64}},
            f"the candidate was compared with another artifact of {sample.TEACHER} (444444444444)",
        ),
        (
            {"device": OTHER_CPU, "workload_sha256": "9" * 64},
            "the baseline was measured on another workload (999999999999, not 333333333333); the "
            "baseline was measured on another device (cpu Other CPU dddddddddddd, not cpu Example "
            "CPU cccccccccccc)",
        ),
    ],
)
def test_a_baseline_measured_otherwise_is_inconclusive(
    asked: GateLine, change: dict[str, Any], reason: str
) -> None:
    verdict = judge(asked, student(latency=sample.turns(90.0, 200.0)), teacher(**change))
    assert outcome(verdict) == ("inconclusive", reason)
    assert verdict.value is None


def test_the_candidate_may_compute_in_eight_bits() -> None:
    quantized = student(runtime=runtime(precision="int8+bf16"), latency=sample.turns(90.0, 200.0))
    assert judge(LATENCY, quantized, teacher()).status == "pass"


def noisy(candidate: float, baseline: float) -> Latency:
    """Turns that differ by a third from one to the next, each on its own."""
    ours = tuple(candidate * (1 + 0.3 * ((7 * i) % 11 - 5) / 5) for i in range(50))
    theirs = tuple(baseline * (1 + 0.3 * ((5 * i) % 11 - 5) / 5) for i in range(50))
    return Latency(candidate_ms=ours, baseline="P0-2", baseline_ms=theirs)


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        (sample.turns(90.0, 200.0), ("pass", None)),
        (sample.turns(120.0, 200.0), ("fail", "40 % is below 50 %")),
        (
            noisy(95.0, 200.0),
            ("inconclusive", "the interval of the reduction straddles the line of 50 %"),
        ),
        (
            noisy(105.0, 200.0),
            ("inconclusive", "the interval of the reduction straddles the line of 50 %"),
        ),
        (noisy(60.0, 200.0), ("pass", None)),
        (noisy(160.0, 200.0), ("fail", "20 % is below 50 %")),
    ],
)
def test_latency_is_decided_by_its_interval(
    latency: Latency, expected: tuple[str, str | None]
) -> None:
    verdict = judge(LATENCY, student(latency=latency), teacher())
    assert outcome(verdict) == expected
    assert verdict.interval is not None and verdict.interval.samples == len(latency.candidate_ms)
    assert verdict.interval.low <= verdict.value <= verdict.interval.high
    assert verdict.margin == pytest.approx(verdict.value - 50)


@pytest.mark.parametrize("latency", [sample.turns(90.0), sample.turns(90.0, 200.0)])
def test_latencies_that_were_not_taken_in_turn_with_the_baseline_fail(latency: Latency) -> None:
    asked = line("t_pair_p50_down", ">=", 50.0, baseline="KQ-1")
    verdict = judge(asked, student(latency=latency), teacher())
    assert outcome(verdict) == (
        "fail",
        "latency was not measured in turn with KQ-1: a ratio needs both in one process",
    )


@pytest.mark.parametrize(
    ("size", "params", "status", "value"),
    [
        (28.5, 9.5, "pass", 25.0),
        (38.0, 4.75, "pass", 50.0),
        (30.4, 8.55, "fail", 20.0),
        (45.6, 9.5, "fail", 0.0),
    ],
)
def test_size_or_parameters_whichever_fell_more(
    size: float, params: float, status: str, value: float
) -> None:
    verdict = judge(SIZE, student(figures={"size_MB": size, "params_M": params}), teacher())
    assert (verdict.status, verdict.value) == (status, pytest.approx(value))
    assert [effect.metric for effect in verdict.beside] == ["size_MB", "params_M"]
    assert verdict.interval is None


def test_size_needs_both_figures() -> None:
    verdict = judge(SIZE, student(figures={"params_M": None}), teacher())
    assert outcome(verdict) == (
        "fail",
        "params_M of the candidate was not measured: not measured in this test",
    )


def test_only_quality_speaks_of_other_pictures() -> None:
    latency = judge(LATENCY, student(latency=sample.turns(90.0, 200.0)), teacher())
    assert latency.other_pictures is None
    assert judge(SIZE, student(), teacher()).other_pictures is None


@pytest.mark.parametrize(
    ("quantities", "expected", "margin"),
    [
        ({"nan_count": 0.0}, ("pass", None), 0.0),
        ({"nan_count": 3.0}, ("fail", "3 is not 0"), -3.0),
        ({}, ("fail", "nan_count was not measured"), None),
        ({"nan_counts": 0.0}, ("fail", "nan_count was not measured"), None),
    ],
)
def test_an_absolute_line_binds_what_the_task_measured(
    quantities: dict[str, float], expected: tuple[str, str | None], margin: float | None
) -> None:
    verdict = judge(NAN, student(quantities=quantities), None)
    assert (outcome(verdict), verdict.margin) == (expected, margin)


def test_a_verdict_depends_on_its_arguments_alone() -> None:
    candidate = student(latency=noisy(95.0, 200.0))
    assert judge(LATENCY, candidate, teacher()) == judge(LATENCY, candidate, teacher())


def test_a_baseline_may_be_named_by_several_tasks() -> None:
    refs = {
        "P0-2": BaselineRef(exp_id=sample.TEACHER, sha256="4" * 64),
        "KQ-1": BaselineRef(exp_id="K_T5B05_run1", sha256="7" * 64),
    }
    assert judge(QUALITY, student(baselines=refs), teacher()).status == "pass"


DRAFT = "a draft of K-1 ran: have its specs approved, and run it again without --draft"
DIRTY = (
    "K-1 ran in a working tree that differs from its commit: commit, remove or ignore what "
    "'git status' lists, and run it again"
)


@pytest.mark.parametrize(
    ("state", "reason"),
    [({"draft": True}, DRAFT), ({"dirty": True}, DIRTY), ({"draft": True, "dirty": True}, DRAFT)],
)
def test_a_draft_or_a_dirty_tree_decides_nothing_where_figures_may_be_quoted(
    state: dict[str, bool], reason: str
) -> None:
    verdict = judge(QUALITY, student(**state), teacher())
    assert outcome(verdict) == ("inconclusive", reason)
    assert verdict.value == pytest.approx(0.0) and verdict.other_pictures is None
    missed = judge(QUALITY, student(quality=sample.per_pair(delta1=0.931), **state), teacher())
    assert outcome(missed) == ("inconclusive", f"{reason}; 2 % is above 1 %")
    unquotable = replace(QUALITY, quotable=False)
    assert judge(unquotable, student(**state), teacher()).status == "pass"


def test_a_dirty_baseline_decides_nothing_either() -> None:
    verdict = judge(QUALITY, student(), teacher(task="P0-2", dirty=True))
    assert outcome(verdict) == ("inconclusive", DIRTY.replace("K-1", "P0-2"))
    assert judge(NAN, student(), teacher(dirty=True)).status == "pass"


def test_what_is_not_proven_never_passes() -> None:
    verdict = judge(QUALITY, student(), teacher(), ["one fault", "another"])
    assert outcome(verdict) == ("inconclusive", "one fault; another")
    assert judge(QUALITY, None, teacher(), ["one fault"]).reason == "K-1 has no result"


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (None, None, None),
        ("a" * 64, "a" * 64, None),
        ("a" * 64, "b" * 64, "bbbbbbbbbbbb, not aaaaaaaaaaaa"),
        ("a" * 64, None, "unknown, not aaaaaaaaaaaa"),
        (None, "b" * 64, "bbbbbbbbbbbb, not unknown"),
    ],
)
def test_both_sides_are_measured_by_the_same_code(
    ours: str | None, theirs: str | None, said: str | None
) -> None:
    verdict = judge(
        QUALITY, student(measuring_code=ours), teacher(task="P0-2", measuring_code=theirs)
    )
    if said is None:
        assert outcome(verdict) == ("pass", None)
    else:
        reason = f"the baseline was measured by other code ({said}): run P0-2 and K-1 again "
        assert outcome(verdict) == ("inconclusive", f"{reason}from one commit")
