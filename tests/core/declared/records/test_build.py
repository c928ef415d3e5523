"""Results as executors write them, from this repository's own specs."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from pydantic import ValidationError

from dust_core.declared.records import (
    BaselineRef,
    Environment,
    Execution,
    Measurement,
    Result,
    build_result,
    percentile,
    task_parameters,
)
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.names import STANDARD_KEEP, parse_exp_id

SPECS = load_specs(Path(__file__).parents[4] / "specs")
ENVIRONMENT = Environment(
    device=sample.CPU,
    versions={"python": "3.11.7"},
    commit="6" * 40,
    changed=(),
    measuring_code="a" * 64,
    training_code="b" * 64,
    draft=False,
)
LATENCY = sample.turns(90.0, 200.0)
FIGURES: dict[str, Any] = {
    "params_M": 9.5,
    "flops_G": 60.0,
    "size_MB": 38.0,
    "vram_GB": 1.5,
    "t_scene_s": 14.5,
    "pairs_per_sec": 11.0,
    "per_pair": sample.per_pair(delta1=0.94),
    "latency": LATENCY,
    "reasons": {"gpu_hours": "no GPU on this machine"},
}


def task(task_id: str) -> ResolvedTask:
    return resolve(SPECS, task_id, "small")


def built(task_id: str, *built_on: str, **figures: Any) -> Result:
    resolved = task(task_id)
    execution = Execution(
        task=resolved,
        environment=ENVIRONMENT,
        runtime=sample.OPENVINO,
        inputs={"teacher_fp32.pth": "4" * 64},
        started=sample.MOMENT - dt.timedelta(minutes=10),
    )
    return build_result(
        execution,
        task_parameters(resolved, *map(parse_exp_id, built_on)),
        Measurement(**FIGURES | figures),
        artifacts={"student.pth": "5" * 64},
        baselines={"P0-2": BaselineRef(exp_id=sample.TEACHER, sha256="4" * 64)},
        finished=sample.MOMENT,
    )


def test_a_built_result_holds_what_was_measured_and_what_was_executed() -> None:
    result, spec = built("K-1"), task("K-1")
    record, proof = result.record, result.provenance
    assert record is not None
    assert (record.exp_id, record.T, record.beta, record.gamma) == (spec.exp_id, 3.0, 0.5, 0.0)
    assert (record.rho, record.bits_w, record.keep_list, record.gpu_hours) == (None,) * 4
    assert record.delta1 == pytest.approx(0.94)
    assert record.t_pair_p95_ms == percentile(LATENCY.candidate_ms, 95)
    assert (record.seed, record.datetime) == (42, sample.MOMENT)
    assert (proof.task, proof.profile, proof.role) == ("K-1", "small", "candidate")
    assert proof.spec_digest == spec.digest
    assert proof.profile_digest == spec.profile_digest
    assert proof.workload_sha256 == spec.workload_digest


def test_the_quantized_student_takes_its_policy_from_the_spec() -> None:
    record = built("KQ-2", "K_T5B05_run1").record
    assert record is not None
    assert (record.exp_id, record.combo, record.T) == (task("KQ-2").exp_id, "INT8", 5.0)
    assert (record.bits_w, record.bits_a, record.keep_list) == (8, 8, STANDARD_KEEP)


def test_every_experiment_of_the_specs_has_its_parameters() -> None:
    for task_id in SPECS.tasks:
        resolved = task(task_id)
        if resolved.exp_id is None:
            with pytest.raises(ValueError, match=f"{task_id} runs no experiment of its own"):
                task_parameters(resolved)
            continue
        student = [parse_exp_id(sample.STUDENT)] if task_id == "KQ-2" else []
        assert task_parameters(resolved, *student)["exp_id"] == resolved.exp_id


def test_a_figure_without_a_reason_or_a_number_is_refused() -> None:
    with pytest.raises(ValidationError, match="gpu_hours is null and provenance"):
        built("K-1", reasons={})
    with pytest.raises(ValidationError, match="finite number"):
        built("K-1", size_MB=float("nan"))
    with pytest.raises(ValidationError, match="finite number"):
        built("K-1", per_pair=sample.per_pair(delta1=float("nan")))


def test_a_task_without_an_experiment_leaves_its_proof() -> None:
    execution = Execution(
        task=task("P0-1"),
        environment=ENVIRONMENT,
        runtime=None,
        inputs={},
        started=sample.MOMENT,
    )
    result = build_result(
        execution, None, Measurement(quantities={"missing_pairs": 0}), artifacts={}
    )
    assert result.record is None
    assert result.provenance.quantities == {"missing_pairs": 0.0}
    assert result.provenance.finished >= sample.MOMENT


def test_a_clock_that_is_set_back_loses_no_result() -> None:
    task = resolve(SPECS, "P0-1", "small")
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    execution = Execution(
        task=task, environment=ENVIRONMENT, runtime=None, inputs={}, started=tomorrow
    )
    provenance = build_result(execution, None, Measurement(), artifacts={}).provenance
    assert dt.timedelta(0) <= provenance.finished - provenance.started < dt.timedelta(minutes=1)
