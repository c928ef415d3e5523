"""Every runtime computes what torch computes, in the precision that it was asked for."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx
from dust_eval.runtimes import PairModel, PairOutput, RuntimeOptions, load_any, load_model
from dust_eval.runtimes.engine_manifest import EngineManifest, write_manifest

SIDE = 64
IMAGES = tuple(np.random.default_rng(7).uniform(-1, 1, (2, 1, 3, SIDE, SIDE)).astype(np.float32))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny network as a checkpoint and as a graph."""
    torch.manual_seed(1)
    shape = {"enc_dim": 64, "enc_depth": 3, "enc_heads": 2, "dec_dim": 32, "dec_depth": 2}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear")).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("network")
    save_checkpoint(network, folder / "tiny.pth")
    export_onnx(network, folder / "tiny.onnx", height=SIDE, width=SIDE)
    return {".pth": folder / "tiny.pth", ".onnx": folder / "tiny.onnx"}


def loaded(files: dict[str, Path], runtime: str, precision: str = "fp32") -> PairModel:
    path = files[".pth" if runtime == "torch" else ".onnx"]
    return load_model(runtime, path, RuntimeOptions(precision=precision, threads=1))  # type: ignore[arg-type]


def distance(found: PairOutput, expected: PairOutput) -> float:
    """The largest difference of any output, relative to the output's largest value."""
    return max(
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_in_fp32_a_runtime_agrees_with_torch(files: dict[str, Path], runtime: str) -> None:
    expected = loaded(files, "torch")(*IMAGES)
    found = loaded(files, runtime)(*IMAGES)
    assert found.pts3d_1.shape == (1, SIDE, SIDE, 3) and found.conf_2.shape == (1, SIDE, SIDE)
    assert {part.dtype for part in found} == {np.dtype(np.float32)}
    assert distance(found, expected) < 1e-4


def test_views_are_not_exchanged(files: dict[str, Path]) -> None:
    for runtime in ("torch", "openvino", "onnxruntime"):
        model = loaded(files, runtime)
        one, other = model(*IMAGES), model(*IMAGES[::-1])
        assert distance(one, other) > 1e-2


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bf16_is_narrow_where_it_is_asked_for_and_only_there(
    files: dict[str, Path], runtime: str
) -> None:
    import openvino

    if runtime == "openvino" and "BF16" not in openvino.Core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        pytest.skip("this processor has no bf16")
    expected = loaded(files, "torch")(*IMAGES)
    narrow = distance(loaded(files, runtime, "bf16")(*IMAGES), expected)
    assert 1e-4 < narrow < 0.2
    # A narrow model that was loaded before leaves a wide one as it is.
    assert distance(loaded(files, runtime)(*IMAGES), expected) < 1e-4


def test_openvino_is_pinned(files: dict[str, Path]) -> None:
    for precision, hint in (("fp32", "f32"), ("bf16", "bf16")):
        model = loaded(files, "openvino", precision)
        compiled = model.compiled  # type: ignore[attr-defined]
        assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == hint
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert compiled.get_property("NUM_STREAMS") == 1


def test_outputs_of_one_call_survive_the_next(files: dict[str, Path]) -> None:
    for runtime in ("torch", "openvino", "onnxruntime"):
        model = loaded(files, runtime)
        first = model(*IMAGES)
        kept = first.pts3d_1.copy()
        model(*IMAGES[::-1])
        np.testing.assert_array_equal(first.pts3d_1, kept)


def test_onnxruntime_refuses_a_precision_that_it_does_not_choose(files: dict[str, Path]) -> None:
    with pytest.raises(DustError, match="runs a graph in its own types, not in bf16"):
        loaded(files, "onnxruntime", "bf16")


def test_an_unknown_runtime_and_another_file_are_named(files: dict[str, Path]) -> None:
    options = RuntimeOptions(threads=1)
    with pytest.raises(DustError, match="no runtime is called 'tflite'") as unknown:
        load_model("tflite", files[".onnx"], options)
    assert "onnxruntime" in unknown.value.fix
    with pytest.raises(DustError, match=r"torch reads \.pth files"):
        load_model("torch", files[".onnx"], options)
    with pytest.raises(DustError, match="no such file"):
        load_model("openvino", files[".onnx"].with_name("absent.onnx"), options)


def test_a_hub_folder_is_a_checkpoint(files: dict[str, Path], tmp_path: Path) -> None:
    network = load_checkpoint(files[".pth"]).network
    shape = {"enc_embed_dim": 64, "enc_depth": 3, "enc_num_heads": 2}
    shape |= {"dec_embed_dim": 32, "dec_depth": 2, "dec_num_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(shape | {"head_type": "linear"}))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    found = load_any(tmp_path, RuntimeOptions(threads=1))(*IMAGES)
    assert distance(found, loaded(files, "torch")(*IMAGES)) == 0


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, runtime: str) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(DustError) as refused:
        load_model(runtime, path, RuntimeOptions(threads=1))
    assert refused.value.where == str(path)


@pytest.mark.parametrize(
    ("runtime", "extra"), [("openvino", "runtimes"), ("onnxruntime", "runtimes")]
)
def test_a_runtime_that_is_not_installed_says_what_brings_it(
    files: dict[str, Path], runtime: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    monkeypatch.delitem(sys.modules, f"dust_eval.runtimes.{runtime}_runtime", raising=False)
    with pytest.raises(DustError, match=f"needs the module {runtime}") as refused:
        loaded(files, runtime)
    assert f"'dust-eval[{extra}]'" in refused.value.fix


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A file that its manifest calls an engine."""
    path = tmp_path / "tiny.trt"
    path.write_bytes(b"engine")
    write_manifest(
        EngineManifest(
            engine=path.name,
            sha256=sha256_file(path),
            onnx_sha256="0" * 64,
            compiler="tensorrt",
            versions={"tensorrt": "11.4"},
            compute_capabilities=("9.0",),
            inputs={"image1": (1, 3, SIDE, SIDE), "image2": (1, 3, SIDE, SIDE)},
            floats="fp32",
            tf32=False,
            products={"INT8": 1},
        ),
        path,
    )
    return path


def test_an_engine_of_other_bytes_is_never_loaded(engine: Path) -> None:
    engine.write_bytes(b"engine, changed")
    with pytest.raises(DustError, match="its manifest says"):
        load_model("tensorrt", engine, RuntimeOptions(threads=1, device="cuda"))


def test_an_engine_without_a_manifest_is_never_loaded(engine: Path) -> None:
    engine.with_name("tiny.trt.json").unlink()
    with pytest.raises(DustError, match="the engine has no manifest"):
        load_model("tensorrt", engine, RuntimeOptions(threads=1, device="cuda"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_without_a_gpu_an_engine_is_refused_with_another_way(engine: Path) -> None:
    with pytest.raises(DustError, match="an engine runs on a GPU only") as refused:
        load_model("tensorrt", engine, RuntimeOptions(threads=1, device="cuda"))
    assert "openvino" in refused.value.fix
