"""Results that come from elsewhere than they say: another machine, code, commit or task."""

import hashlib
import json
from datetime import datetime, timedelta

from declared_specs import result_file

from dust_core.declared.reading.yaml_text import load_yaml
from manipulations.case import case
from manipulations.clone import Clone, of_role, scale_quality
from manipulations.results import GATE, RECORDS, RESULTS
from manipulations.stored import missed_task, stored


@case(
    RESULTS,
    "The candidate is measured on a faster machine than its baseline.",
    GATE,
    "inconclusive: the baseline was measured on another device",
)
def other_machine(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        device = of_role(values, "candidate")["provenance"]["device"]
        device["fingerprint"] = hashlib.sha256(b"faster").hexdigest()
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The candidate is measured by another release of the runtime.",
    GATE,
    "inconclusive: the baseline was measured on another runtime",
)
def other_runtime(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["provenance"]["runtime"]["versions"] = {"openvino": "2027.1"}
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "Candidate and baseline are measured by different code.",
    GATE,
    "inconclusive: the baseline was measured by other code",
)
def other_code(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["provenance"]["measuring_code"] = "1" * 64
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The record has another seed.",
    RECORDS,
    "PROOF001 a figure does not follow from its source found: seed: 7",
)
def other_seed(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["record"]["seed"] = 7
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The network's file is said to be smaller than it is.",
    RECORDS,
    "PROOF005 the size in a record is not that of the file",
)
def other_size(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["record"]["size_MB"] = 3.9
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The record is dated after its measurement.",
    RECORDS,
    "PROOF001 a figure does not follow from its source found: datetime",
)
def other_date(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        record = of_role(values, "candidate")["record"]
        moment = datetime.fromisoformat(record["datetime"]) + timedelta(hours=1)
        record["datetime"] = moment.isoformat()
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The result names a commit that is not in the history.",
    RECORDS,
    "PROOF006 the result is not of the recorded run found: commit abababababab",
)
def other_commit(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        of_role(values, "candidate")["provenance"]["commit"] = "ab" * 20
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "The result was measured from files with uncommitted changes.",
    GATE,
    "inconclusive: KQ-3 ran in a working tree that differs from its commit",
)
def dirty_tree(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        for result in values["results"]:
            result["provenance"]["dirty"] = True
    clone.consistent("kq_eval.json")


@case(RESULTS, "The result is that of a draft.", GATE, "inconclusive: a draft of KQ-3 ran")
def draft(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        for result in values["results"]:
            result["provenance"]["draft"] = True
    clone.consistent("kq_eval.json")


_ENGINE = of_role(stored("KQ-2"), "candidate")["provenance"]["artifacts"]["student_int8.onnx"]


@case(
    RESULTS,
    "The result was measured on another input than the task before it wrote.",
    GATE,
    f"expected {_ENGINE[:12]}, as KQ-2 recorded it in {result_file('KQ-2')}",
)
def other_input(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        for result in values["results"]:
            result["provenance"]["inputs"]["student_int8.onnx"] = "2" * 64
            if "student_int8.onnx" in result["provenance"]["artifacts"]:
                result["provenance"]["artifacts"]["student_int8.onnx"] = "2" * 64
    clone.consistent("kq_eval.json")


@case(
    RESULTS,
    "A stored verdict is set to pass.",
    RECORDS,
    "VERD001 a verdict contradicts its own value",
)
def verdict_edited(clone: Clone) -> None:
    name = result_file(missed_task())
    with clone.result(name) as values:
        for verdict in values["verdicts"]:
            verdict["status"] = "pass"
            verdict["reason"] = None
    clone.relock(name)


@case(
    RESULTS,
    "A verdict is edited together with its value.",
    RECORDS,
    "VERD001 a verdict contradicts its own value found: delta1_drop: 0.4",
)
def verdict_and_value_edited(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        for verdict in values["verdicts"]:
            if verdict["metric"] == "delta1_drop":
                verdict.update(status="pass", value=0.4, margin=0.6, reason=None)
    clone.relock("kq_eval.json")


@case(
    RESULTS,
    "A metric is left out of the record, with a reason.",
    GATE,
    "found no values of rmse, expected every quality metric",
)
def metric_left_out(clone: Clone) -> None:
    with clone.result("kq_eval.json") as values:
        for result in values["results"]:
            for metric in ("rmse", "chamfer"):
                result["record"][metric] = None
                del result["provenance"]["per_pair"][metric]
                result["provenance"]["reasons"][metric] = "it was not asked for"
        for verdict in values["verdicts"]:
            verdict["beside"] = []
    clone.relock("kq_eval.json")


@case(
    RESULTS,
    "The result of another task is copied to the declared file.",
    GATE,
    "this is the result file of KQ-3, and it holds results of Q-4",
    code=2,
)
def other_tasks_result(clone: Clone) -> None:
    text = clone.path("artifacts/small/quant_eval.json").read_text()
    clone.path("artifacts/small/kq_eval.json").write_text(text)


@case(RESULTS, "The result is removed, so that nothing fails.", GATE, "KQ-3: no result here")
def result_removed(clone: Clone) -> None:
    clone.path("artifacts/small/kq_eval.json").unlink()


@case(
    RESULTS,
    "A result is edited, and the lock is spelt so that it may be overlooked: as JSON.",
    GATE,
    "as dvc.lock recorded it when KQ-3 ran",
)
def lock_in_another_spelling(clone: Clone) -> None:
    lock = load_yaml(clone.path("dvc.lock")).data
    clone.path("dvc.lock").write_text(json.dumps(lock, indent=1))
    with clone.result("kq_eval.json") as values:
        scale_quality(of_role(values, "candidate"), 1.19)
