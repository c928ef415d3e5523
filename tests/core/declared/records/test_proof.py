"""Manipulations of stored results. Each edit is made well: means follow, and so does dvc.lock."""

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from declared_specs import exp_id, specs
from whole_profile import TASKS, Edit, Profile

from dust_core.declared.records import mean, percentile, write_result_file
from dust_core.declared.records.proof import gathered, unproven


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    profile = Profile(tmp_path_factory.mktemp("whole"))
    profile.write()
    return profile


@pytest.fixture
def profile(template: Profile, tmp_path: Path) -> Profile:
    """Consistent results of P0, P1 and P3."""
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    copy = Profile(tmp_path)
    copy.commit = template.commit
    return copy


def complaints(profile: Profile) -> list[str]:
    """Every fault, as `kind file: place: what is there, expected`."""
    faults = unproven(gathered(profile.folder, TASKS))
    return [f"{fault.kind} {str(fault).removesuffix(fault.fix)}"[:-2] for fault in faults]


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


def test_consistent_results_are_proven(profile: Profile) -> None:
    assert len(list(profile.folder.glob("*.json"))) == 8
    assert complaints(profile) == []


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


@pytest.mark.parametrize("name", TAMPERED)
def test_each_manipulation_is_seen(profile: Profile, name: str) -> None:
    task, edit, expected = TAMPERED[name]
    profile.edit(task, edit)
    faults = complaints(profile)
    assert any(expected in fault for fault in faults), faults
    assert not any(fault.startswith("history") for fault in faults) or expected.startswith("hist")


def test_an_edit_that_the_lock_does_not_follow_is_seen(profile: Profile) -> None:
    profile.edit("KQ-3", put("a note", "results", 0, "record", "notes"), resealed=False)
    (fault,) = complaints(profile)
    assert fault.startswith("history kq_eval.json: found a file of MD5 ")
    assert fault.endswith("as dvc.lock recorded it when KQ-3 ran")


def test_the_teacher_itself_cannot_be_lowered_alone(profile: Profile) -> None:
    profile.edit("P0-2", scaled(0, 0.85))
    copies = [fault for fault in complaints(profile) if fault.startswith("agreement")]
    assert len(copies) == 6  # in K-1 to K-4, KQ-2 and KQ-3
    assert all("from P0-2 in teacher_eval.json" in fault for fault in copies)


@pytest.mark.parametrize(
    ("name", "experiment", "seen"),
    [
        ("K_T3B05_run1_log.json", "K_T3B05_run1", False),
        (f"{K1}_new_log.json", K1, True),
        ("K_T3B05_run1_log.json", K1, True),
        (f"{K1}9_log.json", f"{K1}9", True),
    ],
)
def test_only_earlier_runs_may_stay(
    profile: Profile, name: str, experiment: str, *, seen: bool
) -> None:
    write_result_file(profile.folder / name, sample.result_file(sample.result(experiment)))
    expected = f"twice {name}: task: found a second result of K-1, expected {K1}_log.json alone"
    assert complaints(profile) == ([expected] if seen else [])


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "null"])
def test_a_damaged_file_of_the_device_names_none(text: str, profile: Profile) -> None:
    (profile.folder / "device.json").write_text(text)
    assert complaints(profile) == []


def test_a_latency_belongs_to_the_device_of_the_profile(profile: Profile) -> None:
    device = sample.CPU.model_dump()
    (profile.folder / "device.json").write_text(json.dumps(device))
    assert complaints(profile) == []
    profile.edit("KQ-3", another_machine)
    faults = [fault for fault in complaints(profile) if fault.startswith("task")]
    assert faults[0] == (
        f"task {KQ3}.provenance.device: "
        "found device eeeeeeeeeeee, expected cccccccccccc, as for small"
    )


@pytest.mark.parametrize(("change", "seen"), [(1e-5, False), (1e-4, True)])
def test_on_another_machine_a_baseline_agrees_within_rounding(
    profile: Profile, change: float, *, seen: bool
) -> None:
    profile.edit("KQ-3", another_machine)
    profile.edit("KQ-3", scaled(1, 1 + change))
    faults = [fault for fault in complaints(profile) if fault.startswith("agreement")]
    assert bool(faults) == seen
    assert all("within 6.1e-05 of its value" in fault for fault in faults)


def test_other_measuring_code_leaves_rounding_too(profile: Profile) -> None:
    code = put("a" * 64, "results", 1, "provenance", "measuring_code")
    profile.edit("KQ-3", scaled(1, 1 + 1e-5))
    assert "to the last digit" in complaints(profile)[0]
    profile.edit("KQ-3", code)
    assert complaints(profile) == []


def test_a_baseline_without_its_own_result_is_not_proven(profile: Profile) -> None:
    (profile.folder / "teacher_eval.json").unlink()
    faults = [fault for fault in unproven(gathered(profile.folder, TASKS)) if fault.absent]
    assert {fault.task for fault in faults} == {"K-1", "K-2", "K-3", "K-4", "KQ-2", "KQ-3"}
    assert faults[0].fix == "fetch it with 'dvc pull --allow-missing', or run P0-2"


def test_a_file_under_the_name_of_another_task_stands_for_neither(profile: Profile) -> None:
    shutil.copy(profile.folder / "kq_eval.json", profile.folder / "teacher_eval.json")
    profile.lock()
    faults = complaints(profile)
    assert any(
        fault.startswith("twice teacher_eval.json: task: found a second result") for fault in faults
    )
    assert any("its own result, of P0-2 in " in fault for fault in faults)


def test_without_git_commits_are_not_checked(profile: Profile) -> None:
    shutil.rmtree(profile.root / ".git")
    assert complaints(profile) == []
