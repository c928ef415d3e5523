"""Q-1, Q-2 and Q-4's executors on a repository in miniature: both ways of the escalation."""

import shutil
from dataclasses import replace
from pathlib import Path

import openvino
import pytest
import torch
from miniature_repository import quick

from dust_compress.quantize.checkpoint import load_quantized
from dust_compress.quantize.evaluate import evaluate_quantized
from dust_compress.quantize.network import ranges
from dust_compress.quantize.ptq import ptq
from dust_compress.quantize.qat import qat
from dust_compress.train.task_training import work_folder
from dust_core.declared.records import ResultFile, read_result_folder
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint

IMAGES = 8  # the miniature's four pairs; the spec asks for 512
ALWAYS, NEVER = 1e9, -1e9  # lines, in percent of delta1, that every network meets, or none


def task_of(root: Path, name: str, line: float = ALWAYS) -> ResolvedTask:
    """A task under ci, calibrated on what is there, with a line of our own."""
    resolved = quick(resolve(load_specs(root / "specs"), name, "ci"))
    gates = {
        key: gate.model_copy(update={"value": line}) if key == "quality_kept" else gate
        for key, gate in resolved.gates.items()
    }
    changes = {"calibration_images": IMAGES} if name in ("Q-1", "Q-2") else {}
    return replace(resolved, task=resolved.task.model_copy(update=changes), gates=gates)


def result(root: Path, task: str) -> ResultFile:
    files = read_result_folder(root / "artifacts" / "ci").values()
    (own,) = (file for file in files if file.task == task)
    return own


def without_pictures(root: Path) -> None:
    """Remove what there is to calibrate on: a later task takes an earlier calibration."""
    for shard in (root / "data" / "calibration").glob("*.tar"):
        shard.unlink()


@pytest.fixture
def root(evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "repository"
    shutil.copytree(evaluated, copy)
    monkeypatch.chdir(copy)
    return copy


def test_met_without_training_the_line_needs_none(root: Path) -> None:
    ptq(task_of(root, "Q-1"))
    first = result(root, "Q-1")
    assert [verdict.status for verdict in first.verdicts] == ["pass"]
    assert {entry.provenance.role for entry in first.results} == {
        "candidate",
        "baseline",
        "reference",
    }
    precisions = {entry.provenance.runtime.precision for entry in first.results}  # type: ignore[union-attr]
    in_bf16 = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert precisions == ({"int8+bf16", "fp32", "bf16"} if in_bf16 else {"int8+fp32", "fp32"})
    layers = first.extra["sensitivity"]
    assert isinstance(layers, dict)
    assert "enc_blocks.0.attn.qkv" in layers
    assert list(layers.values()) == sorted(layers.values(), reverse=True)

    without_pictures(root)
    qat(task_of(root, "Q-2"))
    second = result(root, "Q-2")
    assert "meets its line" in str(second.extra["not_needed"])
    assert second.verdicts == ()
    kept = load_quantized(root / "artifacts/ci/quant_ckpt.pth")
    # Not a name of Q-2's own, whose run may be another.
    assert str(kept.exp_id).startswith("Q_PTQ_keepLN-n8_")
    assert kept.exp_id == first.candidates[0].exp_id
    teacher = load_checkpoint(root / "artifacts/ci/teacher_fp32.pth").network
    now = kept.network.state_dict()
    same = {name for name, value in teacher.state_dict().items() if torch.equal(now[name], value)}
    moved = teacher.state_dict().keys() - same
    assert moved and all(name.endswith(".bias") for name in moved), "corrected, not trained"
    assert "dec_blocks.0.mlp.fc1.bias" in moved and "enc_norm.bias" in same


def test_missed_without_training_the_line_is_trained_for(root: Path) -> None:
    ptq(task_of(root, "Q-1", NEVER))
    assert [verdict.status for verdict in result(root, "Q-1").verdicts] == ["fail"]
    without_pictures(root)
    own = task_of(root, "Q-2")
    qat(own)
    second = result(root, "Q-2")
    assert "not_needed" not in second.extra
    assert str(second.candidates[0].exp_id).startswith("Q_QAT_keepLN-n8_")
    path = root / "artifacts/ci/quant_ckpt.pth"
    kept = load_quantized(path)
    assert str(kept.exp_id).startswith("Q_QAT_keepLN-n8_")
    assert all(bool((amax > 0).all()) for amax in ranges(kept.network).values())
    teacher = load_checkpoint(root / "artifacts/ci/teacher_fp32.pth").network
    name = "enc_blocks.0.mlp.fc1.weight"
    assert not torch.equal(kept.network.state_dict()[name], teacher.state_dict()[name])

    # A second run takes up the finished training: the same weights, and no epoch of its own.
    before = {key: value.clone() for key, value in kept.network.state_dict().items()}
    (state,) = work_folder(own, own.profile.training.qat, teacher).glob("finished*")
    trained_at = state.stat().st_mtime_ns
    path.unlink()
    qat(own)
    again = load_quantized(path).network.state_dict()
    assert all(torch.equal(value, again[key]) for key, value in before.items())
    assert state.stat().st_mtime_ns == trained_at


def test_without_a_result_of_q1_nobody_knows_whether_to_train(root: Path) -> None:
    with pytest.raises(DustError, match="Q-1, which Q-2 builds on, has no result"):
        qat(task_of(root, "Q-2"))


def test_too_small_a_calibration_set_is_an_error(root: Path) -> None:
    large = resolve(load_specs(root / "specs"), "Q-1", "ci")
    with pytest.raises(DustError, match="calibration asks for 512 images, and the set holds 8"):
        ptq(large)


def test_a_swapped_engine_is_not_measured(root: Path) -> None:
    folder = root / "artifacts" / "ci"
    for name in ("quantized_model.onnx", "quantized_model.trt"):
        (folder / name).write_bytes(b"nothing of the kind")
    with pytest.raises(DustError, match="the engine has no manifest"):
        evaluate_quantized(task_of(root, "Q-4"))
    assert not (folder / "quant_eval.json").exists()


def test_a_damaged_teacher_is_one_clear_error(root: Path) -> None:
    path = root / "artifacts/ci/teacher_fp32.pth"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DustError, match=r"teacher_fp32\.pth"):
        ptq(task_of(root, "Q-1"))
    assert not (root / "artifacts/ci/ptq_int8.onnx").exists()
