"""Engines are checked before they run; what runs them is a double, for there is no GPU."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest
import torch

from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.runtimes import RuntimeOptions, engine_manifest, load_model
from dust_eval.runtimes.engine_manifest import EngineManifest, read_engine, write_manifest
from dust_eval.runtimes.graph_model import GraphModel
from dust_eval.runtimes.tensorrt_runtime import TensorRtGraph

SIDE = 64


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


def test_what_is_loaded_is_what_was_checked_even_if_the_file_changes(
    engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_once(path: Path) -> BinaryIO:
        content = io.BytesIO(path.read_bytes())
        path.write_bytes(b"another engine")
        return content

    monkeypatch.setattr(engine_manifest, "open_regular", read_once)
    _, content = read_engine(engine)
    assert content == b"engine"
    assert engine.read_bytes() == b"another engine"


def test_an_engine_that_cannot_be_read_is_named(engine: Path) -> None:
    engine.unlink()
    engine.mkdir()
    with pytest.raises(DustError, match="cannot read the engine"):
        read_engine(engine)


class Context:
    """An execution context that computes nothing, and may refuse to run."""

    def __init__(self, engine: "Engine") -> None:
        self.engine = engine
        self.addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        return self.engine.runs


class Engine:
    """An ICudaEngine whose tensors come in an order of its own."""

    def __init__(self, *, runs: bool = True) -> None:
        images, points, confidences = (1, 3, 4, 4), (1, 4, 4, 3), (1, 4, 4)
        self.shapes = {
            "conf_2": confidences,
            "image2": images,
            "pts3d_2": points,
            "conf_1": confidences,
            "image1": images,
            "pts3d_1": points,
        }
        self.runs = runs
        self.num_io_tensors = len(self.shapes)

    def create_execution_context(self) -> Context:
        self.context = Context(self)
        return self.context

    def get_tensor_name(self, index: int) -> str:
        return list(self.shapes)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def get_tensor_mode(self, name: str) -> str:
        return "input" if name.startswith("image") else "output"


TRT = SimpleNamespace(__version__="11.4", TensorIOMode=SimpleNamespace(INPUT="input"))
STREAM: Any = SimpleNamespace(cuda_stream=0, synchronize=lambda: None)


def loaded(engine: Engine, path: Path) -> TensorRtGraph:
    manifest, _ = read_engine(path)
    return TensorRtGraph(engine, TRT, manifest, RuntimeOptions(threads=1), STREAM)


def test_images_go_to_the_inputs_of_their_names(engine: Path) -> None:
    double = Engine()
    model = GraphModel(loaded(double, engine), engine)
    images = [np.full((1, 3, 4, 4), value, np.float32) for value in (1, 2)]
    model.prepare(*images)
    for name, image in zip(("image1", "image2"), images, strict=True):
        tensor = model.graph._tensors[name]  # type: ignore[attr-defined]
        assert double.context.addresses[name] == tensor.data_ptr()
        np.testing.assert_array_equal(tensor.numpy(), image)
    assert (model.size, model.precision) == ((4, 4), "fp32")
    assert model(*images).conf_1.shape == (1, 4, 4)


def test_a_run_that_tensorrt_refuses_is_an_error(engine: Path) -> None:
    model = loaded(Engine(runs=False), engine)
    with pytest.raises(DustError, match=r"tensorrt 11\.4 did not run the engine"):
        model.execute()
