"""Q-3, `build-engine`, in a project of its own."""

import subprocess
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from dust_compress.engine.quantized import build_quantized
from dust_compress.quantize.checkpoint import save_quantized
from dust_compress.quantize.export import read_origin
from dust_core.declared.records import ResultFile, read_result_folder
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.quant import Policy
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_eval.runtimes.engine_manifest import verify_engine


@pytest.fixture
def folder(
    quantized_network: Dust3r, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """artifacts/ci, with what Q-2 leaves there."""
    monkeypatch.chdir(tmp_path)
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m a"):
        subprocess.run(["git", *command.split()], check=True)  # results name their commit
    folder = tmp_path / "artifacts" / "ci"
    folder.mkdir(parents=True)
    checkpoint = folder / "quant_ckpt.pth"
    save_quantized(
        quantized_network, checkpoint, policy, exp_id="Q_QAT_keepLN_run1", spec_digest=None
    )
    return folder


@pytest.mark.skipif(
    find_spec("tensorrt_bindings") is None, reason="nothing that compiles engines is installed"
)
def test_graph_engine_and_verdict_are_left(folder: Path, engine_task: ResolvedTask) -> None:
    build_quantized(engine_task)
    manifest = verify_engine(folder / "quantized_model.trt", folder / "quantized_model.onnx")
    assert manifest.inputs["image1"] == (1, 3, 512, 512)
    assert manifest.floats == "fp16"
    assert manifest.products["int8"] > manifest.products["fp16"] > 0
    assert read_origin(folder / "quantized_model.onnx").exp_id == "Q_QAT_keepLN_run1"
    file = _result(folder)
    assert file.verdicts[0].status == "pass"
    assert file.extra["engine"]["sha256"] == manifest.sha256
    assert set(file.results[0].provenance.artifacts) == {
        "quantized_model.onnx",
        "quantized_model.trt",
    }


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_an_engine_that_cannot_be_built_fails_with_its_reason(
    folder: Path, engine_task: ResolvedTask
) -> None:
    runtime = engine_task.profile.runtime.model_copy(update={"compiler": "tensorrt"})
    profile = engine_task.profile.model_copy(update={"runtime": runtime})
    with pytest.raises(DustError, match="TensorRT is not installed"):
        build_quantized(replace(engine_task, profile=profile))
    assert not (folder / "quantized_model.trt").exists()
    file = _result(folder)
    assert file.verdicts[0].status == "fail"
    assert file.extra["reason"] == "TensorRT is not installed"


def _result(folder: Path) -> ResultFile:
    (file,) = read_result_folder(folder).values()
    return file
