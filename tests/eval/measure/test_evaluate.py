"""P0 by `dust run` on a miniature workload, and what its figures must agree with."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dust_core.cli import main
from dust_core.declared.records import read_result_file
from dust_core.declared.specs import ResolvedTask, load_specs, load_yaml, resolve
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.pairs.shards.reader import read_samples
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin
from dust_eval.measure.samples import scene_images, workload_samples


def dust(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    code = ending.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture(scope="module")
def evaluated(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature after P0-1 and P0-2."""
    root = tmp_path_factory.mktemp("evaluated") / "repository"
    shutil.copytree(miniature, root)
    before = Path.cwd()
    os.chdir(root)
    try:
        for task in ("P0-1", "P0-2"):
            assert dust("run", task, "--profile", "ci") == 0
    finally:
        os.chdir(before)
    return root


@pytest.fixture
def task(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> ResolvedTask:
    """P0-2 under ci, in the evaluated repository."""
    monkeypatch.chdir(evaluated)
    return resolve(load_specs(Path("specs")), "P0-2", "ci")


@pytest.fixture
def damaged(miniature: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the miniature, the current folder, for tests that break it."""
    shutil.copytree(miniature, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    return tmp_path / "repository"


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
    found = [(one.provenance.role, one.provenance.runtime) for one in file.results]
    assert [(role, run.name, run.precision, run.threads) for role, run in found if run] == [
        ("candidate", "openvino", "fp32", 2),
        ("reference", "openvino", "bf16", 2),
    ]
    for one in file.results:
        assert one.record is not None and one.provenance.latency is not None
        assert {len(values) for values in one.provenance.per_pair.values()} == {4}
        assert len(one.provenance.latency.candidate_ms) == 50
        assert one.record.pairs_per_sec == pytest.approx(1000 / (one.record.t_pair_p50_ms or 0))
        assert "vram_GB is the peak of the process" in (one.record.notes or "")
    statuses = {verdict.gate: verdict.status for verdict in file.verdicts}
    assert statuses["no_nan"] == "pass"


def test_the_reference_is_computed_in_the_precision_that_it_claims(evaluated: Path) -> None:
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    file = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json")
    wide, narrow = (one.provenance.per_pair["absrel"] for one in file.results)
    assert wide != narrow
    assert narrow == pytest.approx(wide, rel=0.05)


def test_fields_without_a_value_are_counted(evaluated: Path) -> None:
    file = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json")
    proof = file.candidates[0].provenance
    assert proof.quantities["missing_fields"] == len(set(proof.reasons) - {"gpu_hours"})


def test_measured_again_the_teacher_is_the_same(evaluated: Path) -> None:
    again = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json").extra["again"]
    assert isinstance(again, dict)
    assert again["same_quality"] is True
    assert again["low"] <= again["t_pair_p50_ratio"] <= again["high"]  # type: ignore[operator]


def test_the_result_files_are_valid(evaluated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(evaluated)
    assert dust("validate", "artifacts/ci", "--ignore", "GATE") == 0


def test_quality_is_what_torch_and_plain_arithmetic_give(task: ResolvedTask) -> None:
    network = load_checkpoint(Path("artifacts/ci/teacher_fp32.pth")).network.eval()
    file = read_result_file(Path("artifacts/ci/teacher_eval.json"))
    found = file.candidates[0].provenance.per_pair
    for index, pair in enumerate(read_samples(Path("data/workload"))):
        images = [torch.from_numpy(i.astype(np.float32) / 127.5 - 1) for i in pair.images]
        with torch.inference_mode():
            points = network(*(image.permute(2, 0, 1)[None] for image in images))
        one, two = points.pts3d_1[0].double().numpy(), points.pts3d_2[0].double().numpy()
        ahead = one[..., 2] > 0  # an untrained network puts points behind the camera, too
        scale = np.median(pair.depths[0][ahead] / one[..., 2][ahead])
        back = np.linalg.inv(pair.view1_from_view2.astype(np.float64))
        across = scale * two @ back[:3, :3].T + back[:3, 3]
        predicted = np.concatenate([scale * one[..., 2].ravel(), across[..., 2].ravel()])
        true = np.concatenate([depth.ravel() for depth in pair.depths])
        error = np.abs(predicted - true)
        assert found["absrel"][index] == pytest.approx(np.mean(error / true), rel=2e-3)
        assert found["rmse"][index] == pytest.approx(np.sqrt(np.mean(error**2)), rel=2e-3)


def test_quality_is_the_same_in_another_process_of_measuring(task: ResolvedTask) -> None:
    first = read_result_file(Path("artifacts/ci/teacher_eval.json")).candidates[0]
    subject = Subject(path=Path("artifacts/ci/teacher_fp32.pth"), computed="fp32")
    again = evaluate(task, {"it": subject})["it"]
    assert again.measured.per_pair == first.provenance.per_pair
    assert first.record is not None
    assert again.measured.flops_G == first.record.flops_G


def test_a_baseline_is_timed_in_the_same_turns(task: ResolvedTask) -> None:
    path = Path("artifacts/ci/teacher_fp32.pth")
    subjects = {
        "narrow": Subject(path=path, computed="bf16"),
        "teacher": Subject(path=path, computed="fp32"),
    }
    found = evaluate(task, subjects, baseline=("P0-2", "teacher"))
    narrow, teacher = (found[name].measured.latency for name in subjects)
    assert narrow is not None and teacher is not None
    assert (narrow.baseline, narrow.baseline_ms) == ("P0-2", teacher.candidate_ms)
    assert (teacher.baseline, teacher.baseline_ms) == (None, None)
    assert not set(narrow.candidate_ms) & set(teacher.candidate_ms)


def test_images_and_truth_are_those_of_the_set_in_its_order(task: ResolvedTask) -> None:
    pairs = list(read_samples(Path("data/workload")))
    samples = list(workload_samples(task))
    assert len(samples) == len(pairs) == 4
    for sample, pair in zip(samples, pairs, strict=True):
        for image, pixels in zip(sample.images, pair.images, strict=True):
            assert image.shape == (1, 3, 512, 512) and image.dtype == np.float32
            restored = np.rint(127.5 * image[0].transpose(1, 2, 0) + 127.5)
            np.testing.assert_array_equal(restored, pixels)
            assert image.min() >= -1 and image.max() <= 1
        np.testing.assert_array_equal(sample.truth.depth_2, pair.depths[1])
        np.testing.assert_array_equal(sample.truth.view1_from_view2, pair.view1_from_view2)
        assert "room/workload" in sample.name


def test_another_workload_than_the_specs_name_is_refused(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = damaged / "data" / "workload" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("CC0-1.0", "CC-BY-4.0"))
    assert dust("run", "P0-1", "--profile", "ci") == 1 + 1
    assert "not the workload set that the specs name" in capsys.readouterr().err
    assert not (damaged / "artifacts" / "ci" / "workload.yaml").exists()
    resolved = resolve(load_specs(Path("specs")), "P0-2", "ci")
    with pytest.raises(DustError, match="not the workload that the specs name"):
        list(workload_samples(resolved))


def test_a_changed_byte_in_a_shard_stops_the_measurement(
    damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tar = damaged / "data" / "workload" / "pairs-000001.tar"
    content = bytearray(tar.read_bytes())
    content[len(content) // 2] ^= 1
    tar.write_bytes(content)
    assert dust("run", "P0-1", "--profile", "ci") != 0
    assert "pairs-000001.tar" in capsys.readouterr().err


def test_a_missing_set_is_named(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(damaged / "data" / "calibration")
    assert dust("run", "P0-1", "--profile", "ci") == 2
    assert "the calibration set is not here" in capsys.readouterr().err


def test_a_graph_is_exported_once_for_a_checkpoint(task: ResolvedTask) -> None:
    exported = list(Path("artifacts/ci/.work/exported").glob("*.onnx"))
    assert len(exported) == 1
    before = exported[0].stat().st_mtime_ns
    evaluate(task, {"it": Subject(path=Path("artifacts/ci/teacher_fp32.pth"), computed="fp32")})
    assert exported[0].stat().st_mtime_ns == before


def test_json_of_the_evaluation_holds_no_number_without_provenance(evaluated: Path) -> None:
    data: dict[str, Any] = json.loads(
        (evaluated / "artifacts" / "ci" / "teacher_eval.json").read_text()
    )
    proof = data["results"][0]["provenance"]
    assert proof["artifacts"].keys() == {"teacher_fp32.pth"} == proof["inputs"].keys()
    assert len(proof["commit"]) == 40 and proof["dirty"] is False
    assert proof["runtime"]["versions"].keys() == {"openvino"}


def test_a_scene_is_timed_or_its_absence_explained(evaluated: Path) -> None:
    file = read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json")
    teacher, reference = file.results
    assert teacher.record is not None and reference.record is not None
    if teacher.record.t_scene_s is None:  # an untrained network need not align
        assert "could not be aligned" in teacher.provenance.reasons["t_scene_s"]
    else:
        assert teacher.record.t_scene_s > 0
    assert reference.provenance.reasons["t_scene_s"] == "no scene was asked for"


def test_a_scene_is_five_images_of_one_place(task: ResolvedTask) -> None:
    images = scene_images(task)
    assert len(images) == 5
    assert len({image.tobytes() for image in images}) == 5
    for image, sample in zip(images, workload_samples(task), strict=False):
        np.testing.assert_array_equal(image, sample.images[0])


def test_a_baseline_without_a_result_is_asked_for(damaged: Path) -> None:
    resolved = resolve(load_specs(Path("specs")), "P0-2", "ci")
    teacher = Subject(path=Path("artifacts/ci/teacher_fp32.pth"), computed="fp32")
    found = evaluate(resolved, {"it": teacher})["it"]
    with pytest.raises(DustError, match="P0-2, which P0-2 is compared with, has no result") as told:
        baseline_beside(begin(resolved), "P0-2", found, "0" * 64, "teacher_fp32.pth")
    assert "dust run P0-2 --profile ci" in told.value.fix
