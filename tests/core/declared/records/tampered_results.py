"""Edits of stored results, each made well: means and percentiles follow."""

import datetime as dt
from typing import Any

import sample_results as sample
from declared_specs import exp_id, specs
from whole_profile import Edit

from dust_core.declared.records import mean, percentile


def provenance(data: dict[str, Any], index: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = data["results"][index]["provenance"]
    return found


def rescore(result: dict[str, Any], values: list[float]) -> None:
    """Other values of delta1, with their mean."""
    result["provenance"]["per_pair"]["delta1"] = values
    result["record"]["delta1"] = mean(values)


def retime(result: dict[str, Any], samples: list[float]) -> None:
    """Other latencies, with the percentiles and the throughput that follow."""
    result["provenance"]["latency"]["candidate_ms"] = samples
    median = percentile(samples, 50)
    record = {"t_pair_p50_ms": median, "pairs_per_sec": 1000 / median}
    result["record"] |= record | {"t_pair_p95_ms": percentile(samples, 95)}


def scaled(index: int, factor: float) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        values = provenance(data, index)["per_pair"]["delta1"]
        rescore(data["results"][index], [value * factor for value in values])

    return edit


def best_five(data: dict[str, Any]) -> None:
    for result in data["results"]:
        for metric, values in result["provenance"]["per_pair"].items():
            result["provenance"]["per_pair"][metric] = values[-5:]
            result["record"][metric] = mean(values[-5:])


def slower_baseline(data: dict[str, Any]) -> None:
    latency = provenance(data)["latency"]
    latency["baseline_ms"] = [1.5 * value for value in latency["baseline_ms"]]


def fewer_turns(data: dict[str, Any]) -> None:
    for result in data["results"]:
        latency = result["provenance"]["latency"]
        retime(result, latency["candidate_ms"][:20])
        if latency["baseline_ms"]:
            latency["baseline_ms"] = latency["baseline_ms"][:20]


def one_metric_only(data: dict[str, Any]) -> None:
    for metric in ("absrel", "rmse", "chamfer"):
        del provenance(data)["per_pair"][metric]
        data["results"][0]["record"][metric] = None
        provenance(data)["reasons"][metric] = "not needed"


def put(value: Any, *place: str | int) -> Edit:
    def edit(data: Any) -> None:
        for key in place[:-1]:
            data = data[key]
        data[place[-1]] = value

    return edit


def teacher_as_candidate(data: dict[str, Any]) -> None:
    """KQ-3 measures the teacher and calls it the student."""
    student, teacher = data["results"][0], data["results"][1]
    student["provenance"]["artifacts"] = teacher["provenance"]["artifacts"]
    rescore(student, teacher["provenance"]["per_pair"]["delta1"])


def another_student(data: dict[str, Any]) -> None:
    """K-4's candidate is measured on the checkpoint of K-2."""
    provenance(data)["artifacts"] = {"student_fp32_t5b05.pth": "6" * 64}


def another_machine(data: dict[str, Any]) -> None:
    for result in data["results"]:
        result["provenance"]["device"]["fingerprint"] = "e" * 64


def later(**by: int) -> Edit:
    moment = (dt.datetime.now(dt.UTC) + dt.timedelta(**by)).isoformat()

    def edit(data: dict[str, Any]) -> None:
        for result in data["results"]:
            result["record"]["datetime"] = result["provenance"]["finished"] = moment

    return edit


KQ3 = "kq_eval.json: results[0]"
K1, REPEATS = exp_id("K-1"), specs().workload.timing.repeats
TAMPERED: dict[str, tuple[str, Edit, str]] = {
    "values times 1.05": (
        "KQ-3",
        scaled(0, 1.05),
        f"agreement {KQ3}.provenance.per_pair.delta1: found delta1 of pair 1: 0.973",
    ),
    "a lowered teacher copy": (
        "KQ-3",
        scaled(1, 0.85),
        "agreement kq_eval.json: results[1].provenance.per_pair.delta1: "
        "found delta1 of pair 1: 0.79",
    ),
    "a lowered teacher copy by one part in a thousand": (
        "KQ-3",
        scaled(1, 0.999),
        "agreement kq_eval.json: results[1].provenance.per_pair.delta1",
    ),
    "a lowered copy of the student": (
        "K-4",
        scaled(0, 0.99),
        "agreement distill_log.json: results[0].provenance.per_pair.delta1",
    ),
    "the best 5 of 20 pairs": (
        "KQ-3",
        best_five,
        f"source {KQ3}.provenance.per_pair.chamfer: "
        "found 5 pairs, expected 20, the pairs that small measures",
    ),
    "one metric of four": (
        "KQ-3", one_metric_only, f"source {KQ3}.provenance.per_pair: found no values of absrel"
    ),
    "a slower baseline": (
        "KQ-3",
        slower_baseline,
        f"source {KQ3}.provenance.latency.baseline_ms: "
        "found samples of K-4, expected those of the result of",
    ),
    "20 turns": (
        "KQ-3",
        fewer_turns,
        f"source {KQ3}.provenance.latency.candidate_ms: "
        f"found 20 turns, expected {REPEATS}, as the protocol says",
    ),
    "another throughput": (
        "KQ-3",
        put(90.0, "results", 0, "record", "pairs_per_sec"),
        f"source {KQ3}.record.pairs_per_sec: "
        "found pairs_per_sec: 90, expected 50, from t_pair_p50_ms",
    ),
    "another seed": (
        "KQ-3",
        put(43, "results", 0, "record", "seed"),
        f"source {KQ3}.record.seed: found seed: 43, expected 42, the seed of the workload",
    ),
    "another date": (
        "KQ-3",
        put("2026-11-23T09:15:00Z", "results", 0, "record", "datetime"),
        f"source {KQ3}.record.datetime: "
        "found datetime: 2026-11-23T09:15:00Z, expected 2026-11-23T08:15:00Z",
    ),
    "a date to come": (
        "KQ-3", later(days=1), f"source {KQ3}.provenance.finished: found finished: "
    ),
    "the teacher as candidate": (
        "KQ-3",
        teacher_as_candidate,
        f"task {KQ3}.provenance.artifacts.teacher_fp32.pth: "
        "found teacher_fp32.pth: 444444444444, expected "
        "another file than that of the baseline P0-2",
    ),
    "another student's checkpoint": (
        "K-4",
        another_student,
        "task distill_log.json: results[0].provenance.artifacts.student_fp32_t5b05.pth: "
        "found student_fp32_t5b05.pth, expected a file of K_T3B05_run",
    ),
    "another experiment": (
        "KQ-3",
        put(exp_id("K-2"), "results", 0, "record", "exp_id"),
        "task kq_eval.json: results[0].record.exp_id: "
        f"found candidate {exp_id('K-2')}, expected one of KQ_INT8",
    ),
    "a quantized network in floating point": (
        "KQ-3",
        put("bf16", "results", 0, "provenance", "runtime", "precision"),
        f"task {KQ3}.provenance.runtime.precision: "
        "found precision bf16, expected an INT8 precision, as",
    ),
    "a student in eight bits": (
        "K-1",
        put("int8+bf16", "results", 0, "provenance", "runtime", "precision"),
        "expected a floating-point precision, as bits_w of K_T3B05_run",
    ),
    "another input": (
        "KQ-2",
        put("f" * 64, "results", 0, "provenance", "inputs", "student_fp32_best.pth"),
        "provenance.inputs.student_fp32_best.pth: "
        "found student_fp32_best.pth: ffffffffffff, expected "
        "555555555555, as K-4 recorded it in distill_log.json",
    ),
    "an output of another task": (
        "KQ-2",
        put({"quantized_model.onnx": "8" * 64}, "results", 0, "provenance", "artifacts"),
        "quantized_model.onnx: found quantized_model.onnx, expected an input or an output of KQ-2",
    ),
    "more threads": (
        "KQ-3",
        put(8, "results", 0, "provenance", "runtime", "threads"),
        f"task {KQ3}.provenance.runtime: found threads 8, expected 2, as for small",
    ),
    "a result of another profile": (
        "KQ-3",
        put("ci", "results", 0, "provenance", "profile"),
        f"task {KQ3}.provenance.profile: found profile ci, expected small, as for small",
    ),
    "another size": (
        "KQ-3",
        put(3.5, "results", 0, "record", "size_MB"),
        f"size {KQ3}.record.size_MB: found size_MB: 3.5, expected 7, the size of student_int8.onnx",
    ),
    "a larger baseline": (
        "KQ-3",
        put(20.0, "results", 1, "record", "params_M"),
        "agreement kq_eval.json: results[1].record.params_M: "
        "found params_M: 20, expected 9.5, from P0-2",
    ),
    "a commit that nobody has": (
        "KQ-3",
        put("f" * 40, "results", 0, "provenance", "commit"),
        f"history {KQ3}.provenance.commit: "
        "found commit ffffffffffff, expected a commit that leads to the",
    ),
    "a start before the commit": (
        "KQ-3",
        put("2026-11-01T00:00:00Z", "results", 0, "provenance", "started"),
        f"history {KQ3}.provenance.started: "
        "found started: 2026-11-01T00:00:00Z, expected a time after",
    ),
    "a baseline that its task did not measure": (
        "KQ-3",
        put("f" * 64, "results", 0, "provenance", "baselines", "P0-2", "sha256"),
        f"agreement {KQ3}.provenance.baselines.P0-2: "
        f"found {sample.TEACHER}, ffffffffffff, expected the",
    ),
}  # fmt: skip
