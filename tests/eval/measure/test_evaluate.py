"""P0 by `dust run` on a miniature workload, and what its figures must agree with."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from declared_specs import specs

from dust_core.cli import main
from dust_core.declared.records import (
    MEASURED_FIELDS,
    Latency,
    Measurement,
    Runtime,
    read_result_file,
)
from dust_core.declared.specs import ResolvedTask, load_specs, load_yaml, resolve
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.pairs.shards.reader import read_samples
from dust_eval.measure.baseline import agreement
from dust_eval.measure.evaluate import Evaluation, Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin


def has_bf16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def dust(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    code = ending.value.code
    return code if isinstance(code, int) else 0


def test_the_frozen_workload_is_written_down_and_complete(evaluated: Path) -> None:
    written = load_yaml(evaluated / "artifacts" / "ci" / "workload.yaml").data
    protocol = load_yaml(evaluated / "specs" / "v1" / "workload.yaml").data
    assert written["kind"] == "Workload"
    assert written["spec"]["data"]["workload"] == protocol["spec"]["data"]["workload"]
    file = read_result_file(evaluated / "artifacts" / "ci" / "P0-1_log.json")
    assert [verdict.status for verdict in file.verdicts] == ["pass"]
    assert file.results[0].provenance.quantities == {"missing_pairs": 0}


def test_the_teacher_has_a_record_in_fp32_and_a_reference_beside_it(evaluated: Path) -> None:
    file = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json")
    runs = [(result.provenance.role, result.provenance.runtime) for result in file.results]
    assert [(role, run.name, run.precision, run.threads) for role, run in runs if run] == [
        ("candidate", "openvino", "fp32", 1),
        ("reference", "openvino", "bf16" if has_bf16() else "fp32", 1),
    ]
    for result in file.results:
        record, provenance = result.record, result.provenance
        assert record is not None and provenance.latency is not None
        assert {len(values) for values in provenance.per_pair.values()} == {4}
        assert len(provenance.latency.candidate_ms) == specs().workload.timing.repeats
        assert record.pairs_per_sec == pytest.approx(1000 / (record.t_pair_p50_ms or 0))
        assert "vram_GB is the peak of the process" in (record.notes or "")
        never_steady = "never became steady" in (record.notes or "")
        assert provenance.quantities["unsettled_warmups"] == never_steady
    statuses = {verdict.gate: verdict.status for verdict in file.verdicts}
    assert statuses["no_nan"] == "pass"


def test_the_teacher_is_held_to_a_line_of_its_own(evaluated: Path) -> None:
    folder = evaluated / "artifacts" / "ci"
    (measured,) = read_result_file(folder / "teacher_eval.json").candidates
    file = read_result_file(folder / "P0-3_log.json")
    (judged,), (verdict,) = file.results, file.verdicts
    assert measured.record is not None
    assert verdict.value == measured.record.delta1
    assert verdict.margin == pytest.approx(verdict.value - 0.65)
    assert verdict.status == "fail"  # an untrained network
    assert (judged.record, verdict.unit) == (None, "fraction")
    sha256 = sha256_file(folder / "teacher_eval.json")
    assert judged.provenance.inputs == {"teacher_eval.json": sha256}
    assert judged.provenance.artifacts == {"teacher_eval.json": sha256}


def test_the_reference_is_computed_in_the_precision_that_it_claims(evaluated: Path) -> None:
    file = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json")
    wide, narrow = (result.provenance.per_pair["absrel"] for result in file.results)
    notes = [(result.record and result.record.notes) or "" for result in file.results]
    assert "float operations ran in" not in notes[0]
    assert (
        "float operations ran in fp32, because this machine has no bf16" in notes[1]
    ) != has_bf16()
    assert (wide != narrow) == has_bf16()
    assert narrow == pytest.approx(wide, rel=0.05)


def test_fields_without_a_value_are_counted(evaluated: Path) -> None:
    candidate = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json").candidates[0]
    wanted = set(MEASURED_FIELDS) - {"gpu_hours"}
    missing = [field for field in wanted if getattr(candidate.record, field) is None]
    assert candidate.provenance.quantities["missing_fields"] == len(missing)


def test_measured_again_the_teacher_has_the_same_quality(evaluated: Path) -> None:
    again = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json").extra["again"]
    assert isinstance(again, dict)
    assert again["same_quality"] is True


@pytest.mark.parametrize(
    ("absrel", "same"), [((0.1, 0.2), True), ((0.1, 0.2000001), False), ((), False)]
)
def test_two_measurements_agree_by_their_medians_and_their_quality(
    task: ResolvedTask, absrel: tuple[float, ...], same: bool
) -> None:
    def measured(milliseconds: float, values: tuple[float, ...]) -> Measurement:
        samples = tuple(milliseconds + 0.01 * turn for turn in range(50))
        latency = Latency(candidate_ms=samples, baseline=None, baseline_ms=None)
        return Measurement(latency=latency, per_pair={"absrel": values} if values else {})

    first = measured(100, (0.1, 0.2) if absrel else ())
    again = agreement(task, first, measured(110, absrel))
    assert again["t_pair_p50_ratio"] == pytest.approx(1.1, rel=1e-3)
    assert 1.099 < again["low"] < again["high"] < 1.101
    assert again["same_quality"] is same


def test_the_result_files_are_valid(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(evaluated)
    assert dust("validate", "artifacts/ci", "--ignore", "GATE") == 0


def test_quality_is_what_torch_and_plain_arithmetic_give(task: ResolvedTask) -> None:
    network = load_checkpoint(Path("artifacts/ci/teacher_fp32.pth")).network.eval()
    file = read_result_file(Path("artifacts/ci/teacher_eval.json"))
    per_pair = file.candidates[0].provenance.per_pair
    for index, pair in enumerate(read_samples(Path("data/workload"))):
        images = [torch.from_numpy(i.astype(np.float32) / 127.5 - 1) for i in pair.images]
        with torch.inference_mode():
            points = network(*(image.permute(2, 0, 1)[None] for image in images))
        first, second = (part[0].double().numpy() for part in (points.pts3d_1, points.pts3d_2))
        ahead = first[..., 2] > 0  # an untrained network puts points behind the camera, too
        scale = np.median(pair.depths[0][ahead] / first[..., 2][ahead])
        back = np.linalg.inv(pair.view1_from_view2.astype(np.float64))
        across = scale * second @ back[:3, :3].T + back[:3, 3]
        predicted = np.concatenate([scale * first[..., 2].ravel(), across[..., 2].ravel()])
        true = np.concatenate([depth.ravel() for depth in pair.depths])
        error = np.abs(predicted - true)
        assert per_pair["absrel"][index] == pytest.approx(np.mean(error / true), rel=2e-3)
        assert per_pair["rmse"][index] == pytest.approx(np.sqrt(np.mean(error**2)), rel=2e-3)


_EVALUATE = """
import json
from pathlib import Path
from dust_core.declared.specs import load_specs, resolve
from dust_eval.measure.baseline import agreement
from dust_eval.measure.evaluate import Evaluation, Subject, evaluate
task = resolve(load_specs(Path("specs")), "P0-2", "ci")
subject = Subject(path=Path("artifacts/ci/teacher_fp32.pth"), computed="fp32")
measured = evaluate(task, {"teacher": subject})["teacher"].measured
Path("again.json").write_text(json.dumps({"flops": measured.flops_G, **measured.per_pair}))
"""


def test_quality_is_the_same_in_another_process(evaluated: Path) -> None:
    first = read_result_file(evaluated / "artifacts/ci/teacher_eval.json").candidates[0]
    subprocess.run([sys.executable, "-c", _EVALUATE], cwd=evaluated, check=True)
    again = json.loads((evaluated / "again.json").read_text())
    (evaluated / "again.json").unlink()
    assert first.record is not None
    assert again.pop("flops") == first.record.flops_G
    assert again == {metric: list(values) for metric, values in first.provenance.per_pair.items()}


def test_a_baseline_is_timed_in_the_same_turns(task: ResolvedTask) -> None:
    path = Path("artifacts/ci/teacher_fp32.pth")
    subjects = {
        "narrow": Subject(path=path, computed="bf16"),
        "teacher": Subject(path=path, computed="fp32"),
    }
    evaluations = evaluate(task, subjects, baseline=("P0-2", "teacher"))
    narrow, teacher = (evaluations[name].measured.latency for name in subjects)
    assert narrow is not None and teacher is not None
    assert (narrow.baseline, narrow.baseline_ms) == ("P0-2", teacher.candidate_ms)
    assert (teacher.baseline, teacher.baseline_ms) == (None, None)
    assert not set(narrow.candidate_ms) & set(teacher.candidate_ms)


def test_a_graph_is_exported_once_for_a_checkpoint(task: ResolvedTask) -> None:
    (graph,) = Path("artifacts/ci/.work/exported").glob("*.onnx")
    before = graph.stat().st_mtime_ns
    teacher = Subject(path=Path("artifacts/ci/teacher_fp32.pth"), computed="fp32")
    evaluate(task, {"the teacher": teacher})
    assert graph.stat().st_mtime_ns == before


def test_provenance_names_the_file_the_commit_and_the_runtime(evaluated: Path) -> None:
    provenance = (
        read_result_file(evaluated / "artifacts/ci/teacher_eval.json").results[0].provenance
    )
    sha256 = sha256_file(evaluated / "artifacts/ci/teacher_fp32.pth")
    assert provenance.artifacts == provenance.inputs == {"teacher_fp32.pth": sha256}
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=evaluated, check=True, capture_output=True, text=True
    )
    assert provenance.commit == head.stdout.strip() and not provenance.dirty
    assert provenance.runtime is not None
    assert provenance.runtime.versions == {"openvino": openvino.__version__}


def test_a_scene_is_timed_only_where_it_is_asked_for(evaluated: Path) -> None:
    teacher, reference = read_result_file(evaluated / "artifacts/ci/teacher_eval.json").results
    assert teacher.record is not None and reference.record is not None
    assert teacher.provenance.reasons.get("t_scene_s") != "no scene was asked for"
    assert reference.record.t_scene_s is None
    assert reference.provenance.reasons["t_scene_s"] == "no scene was asked for"


def test_a_baseline_without_a_result_is_asked_for(damaged: Path) -> None:
    resolved = resolve(load_specs(Path("specs")), "P0-2", "ci")
    runtime = Runtime(
        name="openvino", versions={"openvino": "1"}, precision="fp32", threads=1, tf32=None
    )
    evaluation = Evaluation(measured=Measurement(), runtime=runtime)
    with pytest.raises(DustError, match="P0-2, which P0-2 builds on, has no result") as refused:
        baseline_beside(begin(resolved), "P0-2", evaluation, "0" * 64, "teacher_fp32.pth")
    assert "dust run P0-2 --profile ci" in refused.value.fix


def test_a_baseline_in_another_precision_than_the_protocol_pins_is_refused(
    task: ResolvedTask,
) -> None:
    whole = Path("artifacts/ci/teacher_fp32.pth")
    pinned = task.workload.timing.model_copy(update={"baseline_precision": "bf16"})
    changed = replace(task, workload=task.workload.model_copy(update={"timing": pinned}))
    subjects = {"teacher": Subject(path=whole, computed="fp32")}
    with pytest.raises(DustError, match="computes in fp32, and the workload pins it to bf16"):
        evaluate(changed, subjects, baseline=("P0-2", "teacher"))


@pytest.mark.slow
def test_a_network_with_nan_gets_a_record_and_the_verdict_is_fail(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = damaged / "artifacts/ci/teacher_fp32.pth"
    network = load_checkpoint(checkpoint).network
    bias = network.downstream_head1.proj.bias
    with torch.no_grad():
        bias[:3] = torch.nan
    save_checkpoint(network, checkpoint)
    for task_id in ("P0-1", "P0-2"):
        assert dust("run", task_id, "--profile", "ci") == 0
    file = read_result_file(damaged / "artifacts/ci/teacher_eval.json")
    candidate = file.candidates[0]
    assert candidate.record is not None
    # Of the predictions some: OpenVINO's minimum and maximum turn NaN into a bound.
    assert candidate.provenance.quantities["nan_count"] > 3
    assert candidate.record.delta1 is None and candidate.record.t_pair_p50_ms is not None
    assert "4 of 4 pairs cannot be scored" in candidate.provenance.reasons["delta1"]
    statuses = {verdict.gate: verdict.status for verdict in file.verdicts}
    assert statuses == {"no_nan": "fail", "log_complete": "fail"}
    assert candidate.provenance.quantities["missing_fields"] == 5
    assert dust("gate", "P0", "--profile", "ci") == 1
    assert "no_nan" in capsys.readouterr().out
