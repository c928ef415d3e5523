"""Results that are edited, chosen or borrowed."""

import re
import statistics
from typing import Any

from declared_specs import exp_id, result_file, run, specs

from manipulations.case import case
from manipulations.clone import Clone, of_role, scale_quality
from manipulations.stored import delta1, kept_student, stored

RESULTS = "Results"
GATE = "gate KQ"
RECORDS = "validate artifacts/small --ignore ART"
KEPT, INT8_LOG = kept_student(), result_file("KQ-2")
REPEATS = specs().workload.timing.repeats


@case(
    RESULTS,
    "The student's delta1 is multiplied by 1.19, pair by pair, and the mean with it.",
    GATE,
    "results[0].provenance.per_pair.delta1: "
    f"found delta1 of pair 1: {1.19 * delta1(stored('KQ-3'), 'candidate'):.9g}",
)
def values_edited(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        scale_quality(of_role(values, "candidate"), 1.19)


@case(
    RESULTS,
    "The same, and the lock holds the edited file's digest.",
    "diff main",
    f"KQ-3 (run {run('KQ-3')}) was executed again on the same inputs",
)
def values_edited_and_locked(clone: Clone) -> None:
    values_edited(clone)
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The same in every file that measured the student, all of them in the lock.",
    "diff main",
    f"{KEPT} ({exp_id(KEPT)}) was executed again on the same inputs",
)
def values_edited_everywhere(clone: Clone) -> None:
    for task in ("KQ-3", "KQ-2", KEPT, "K-4"):
        name = result_file(task)
        with clone.result(name) as values:
            for result in values["results"]:
                if result["record"] and result["record"]["exp_id"].startswith("K"):
                    scale_quality(result, 1.19)
        clone.consistent(name)


@case(RESULTS, "Only the mean is edited.", RECORDS, "the mean of per_pair")
def mean_edited(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["record"]["delta1"] = 0.55


@case(
    RESULTS,
    "The copy of the teacher beside the student is lowered.",
    GATE,
    f"expected {delta1(stored('P0-2'), 'candidate'):.9g} within ... of its value, "
    "from P0-2 in teacher_eval.json",
)
def teacher_lowered(clone: Clone) -> None:
    for name in ("kq_eval.json", INT8_LOG):
        with clone.result(name) as values:
            scale_quality(of_role(values, "baseline", exp_id("P0-2")), 0.84)
        clone.consistent(name)


@case(
    RESULTS,
    "Of twenty pairs the best five are kept.",
    GATE,
    "found 5 pairs, expected 20, the pairs that small measures",
)
def best_pairs(clone: Clone) -> None:
    for name in ("kq_eval.json", INT8_LOG):
        with clone.result(name) as values:
            for result in values["results"]:
                _keep(result, 5)
        clone.consistent(name)


def _keep(result: dict[str, Any], count: int) -> None:
    per_pair = result["provenance"]["per_pair"]
    order = sorted(range(20), key=per_pair["delta1"].__getitem__, reverse=True)[:count]
    for metric, values in per_pair.items():
        per_pair[metric] = [values[index] for index in order]
        result["record"][metric] = statistics.fmean(per_pair[metric])


@case(
    RESULTS,
    "The baseline's latencies beside the candidate's are multiplied by 1.5.",
    GATE,
    f"expected those of the result of {exp_id(KEPT)} that was timed in turn in this file",
)
def baseline_slowed(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        latency = of_role(values, "candidate")["provenance"]["latency"]
        latency["baseline_ms"] = [1.5 * sample for sample in latency["baseline_ms"]]
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The verdict on the fastest float compares with FP32.",
    RECORDS,
    "VERD001 a verdict contradicts its own value "
    f"found: t_pair_p50_down_fastest_float: {stored('KQ-3')['verdicts'][-2]['value']:.6g}",
)
def compared_with_fp32(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        halved, faster = values["verdicts"][-2:]
        faster |= {name: halved[name] for name in ("value", "interval", "beside")}
        faster["margin"] = faster["value"] - faster["line"]


@case(
    RESULTS,
    f"Of {REPEATS} turns the ten slowest are left out.",
    GATE,
    f"found {REPEATS - 10} turns, expected {REPEATS}, as the protocol says",
)
def turns_left_out(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        result = of_role(values, "candidate")
        latency = result["provenance"]["latency"]
        for side in ("candidate_ms", "baseline_ms"):
            latency[side] = sorted(latency[side])[:-10]
        _percentiles(result)
    clone.consistent("kq_eval.json")


def _percentiles(result: dict[str, Any]) -> None:
    samples = result["provenance"]["latency"]["candidate_ms"]
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    record = result["record"]
    record["t_pair_p50_ms"], record["t_pair_p95_ms"] = statistics.median(samples), cuts[94]
    record["pairs_per_sec"] = 1000 / record["t_pair_p50_ms"]


@case(
    RESULTS,
    "The candidate's own latencies are halved, and their percentiles with them.",
    "diff main",
    f"KQ-3 (run {run('KQ-3')}) was executed again on the same inputs",
)
def candidate_faster(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        result = of_role(values, "candidate")
        latency = result["provenance"]["latency"]
        latency["candidate_ms"] = [sample / 2 for sample in latency["candidate_ms"]]
        _percentiles(result)
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "A second, later file claims to be the result of the same task.",
    RECORDS,
    "PROOF004 a second file claims to be the result of a task",
)
def second_file(clone: Clone) -> None:
    text = clone.path("artifacts/small/kq_eval.json").read_text()
    year = re.compile(r'"finished": "(\d{4})')
    later = year.sub(lambda found: f'"finished": "{int(found[1]) + 1}', text)
    assert later != text
    clone.path("artifacts/small/second.json").write_text(later)


@case(
    RESULTS,
    "The teacher is measured in the place of the student.",
    GATE,
    "found teacher_fp32.pth, expected an input or an output of KQ-3",
)
def teacher_as_candidate(clone: Clone) -> None:
    for name in ("kq_eval.json", INT8_LOG):
        with clone.result(name) as values:
            teacher = of_role(values, "baseline", exp_id("P0-2"))
            candidate = of_role(values, "candidate")
            for field in ("absrel", "rmse", "delta1", "chamfer"):
                candidate["record"][field] = teacher["record"][field]
            candidate["provenance"]["per_pair"] = teacher["provenance"]["per_pair"]
            candidate["provenance"]["artifacts"] = teacher["provenance"]["artifacts"]
        clone.consistent(name)


@case(
    RESULTS,
    "The teacher's file is measured under the student's name.",
    GATE,
    "expected another file than that of the baseline P0-2",
)
def teachers_file_renamed(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        teacher = of_role(values, "baseline", exp_id("P0-2"))
        candidate = of_role(values, "candidate")
        digest = next(iter(teacher["provenance"]["artifacts"].values()))
        candidate["provenance"]["artifacts"]["student_int8.onnx"] = digest
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "A float network is measured, and the record says eight bits.",
    GATE,
    f"found precision bf16, expected an INT8 precision, as bits_w of {exp_id('KQ-2')} is 8",
)
def float_as_int8(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["provenance"]["runtime"]["precision"] = "bf16"
    clone.consistent("kq_eval.json")
