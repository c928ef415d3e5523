import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
import torch
from onnx import TensorProto, helper

from dust_compress.engine.build import build_engine
from dust_compress.engine.worker import PEAK_MEMORY
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.runtimes import RuntimeOptions, load_model
from dust_eval.runtimes.engine_manifest import (
    EngineFloats,
    manifest_path,
    read_engine,
    verify_engine,
)

pytestmark = pytest.mark.skipif(
    find_spec("tensorrt_bindings") is None and find_spec("tensorrt_rtx") is None,
    reason="nothing that compiles engines is installed",
)
_BUILD = """
import signal
import sys
from pathlib import Path
from dust_compress.engine.build import build_engine
from dust_compress.engine.worker import PEAK_MEMORY
from dust_core.errors import DustError
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
try:
    build_engine(Path(sys.argv[1]), Path(sys.argv[2]), compiler="tensorrt_rtx")
except DustError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def built(int8_graph: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    engine = tmp_path_factory.mktemp("engines") / "student_int8.trt"
    build_engine(int8_graph, engine, compiler="tensorrt_rtx", floats="fp16")
    return engine


def test_an_engine_is_compiled_without_a_gpu(built: Path, int8_graph: Path) -> None:
    manifest = verify_engine(built, int8_graph)
    assert built.stat().st_size > int8_graph.stat().st_size / 4
    assert manifest.inputs == {"image1": (1, 3, 64, 64), "image2": (1, 3, 64, 64)}
    assert manifest.onnx_sha256 == sha256_file(int8_graph)
    assert manifest.floats == "fp16"
    assert not manifest.tf32
    assert "8.9" in manifest.compute_capabilities


def test_every_linear_layer_but_the_kept_ones_computes_in_int8(built: Path) -> None:
    # An attention has q, k, v and proj, an FFN two; one encoder block runs on both views, one layer
    # joins encoder and decoders, and two decoder blocks each have two attentions; and the patches
    # and two heads of four planes. In float: attention's products.
    products = read_engine(built)[0].products
    assert products == {"int8": 6 + 2 * 1 + 2 * 10 + 1 + 2 * 4, "fp16": 2 * 5}


def test_only_the_engine_its_manifest_and_its_log_are_left(built: Path) -> None:
    names = {path.name for path in built.parent.iterdir()}
    assert names == {"student_int8.trt", "student_int8.trt.json", "student_int8.trt.log"}
    log = built.with_name("student_int8.trt.log").read_text()
    assert "Engine generation completed" in log
    assert 50 < float(log.partition(PEAK_MEMORY)[2].split()[0]) < 5000


def test_everything_in_eight_bits_compiles_too(all_int8_graph: Path, tmp_path: Path) -> None:
    engine = tmp_path / "all_int8.trt"
    manifest = build_engine(all_int8_graph, engine, compiler="tensorrt_rtx", floats="fp16")
    assert manifest.products == {"int8": 37 + 2 * 5}


def test_an_engine_with_other_bytes_is_refused(built: Path, tmp_path: Path) -> None:
    swapped = tmp_path / built.name
    swapped.write_bytes(built.read_bytes()[:-1] + b"\0")
    manifest_path(swapped).write_text(manifest_path(built).read_text())
    options = RuntimeOptions(threads=1, device="cuda")
    with pytest.raises(DustError, match=r"the engine's SHA-256 is .*, its manifest says"):
        load_model("tensorrt", swapped, options)


def test_an_engine_without_a_manifest_is_refused(built: Path, tmp_path: Path) -> None:
    alone = tmp_path / built.name
    alone.write_bytes(built.read_bytes())
    with pytest.raises(DustError, match="the engine has no manifest"):
        load_model("tensorrt", alone, RuntimeOptions(threads=1, device="cuda"))


def test_an_engine_of_another_graph_is_refused(built: Path, float_graph: Path) -> None:
    with pytest.raises(DustError, match=r"compiled from a graph with SHA-256 .*, float\.onnx has"):
        verify_engine(built, float_graph)


def test_an_operator_that_nobody_knows_is_named(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    node = helper.make_node("Sharpen", ["x"], ["y"], name="/head/sharpen")
    graph, engine = tmp_path / "odd.onnx", tmp_path / "odd.trt"
    model = helper.make_model(
        helper.make_graph([node], "g", values[:1], values[1:]),
        opset_imports=[helper.make_opsetid("", 19)],
        ir_version=9,
    )
    onnx.save(model, graph)
    engine.write_bytes(b"an older engine")
    with pytest.raises(DustError, match=r"odd\.onnx.*cannot be compiled.*/head/sharpen") as caught:
        build_engine(graph, engine, compiler="tensorrt_rtx")
    assert caught.value.exit_code == 1
    assert engine.read_bytes() == b"an older engine"
    assert not manifest_path(engine).exists()


def test_a_graph_that_parses_and_does_not_compile_says_why(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 2]) for name in "xy"]
    graph = tmp_path / "dynamic.onnx"
    model = helper.make_model(
        helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "g", values[:1], values[1:]),
        opset_imports=[helper.make_opsetid("", 19)],
        ir_version=9,
    )
    onnx.save(model, graph)
    with pytest.raises(DustError, match=r"dynamic\.onnx.*cannot be compiled.*dynamic"):
        build_engine(graph, tmp_path / "dynamic.trt", compiler="tensorrt_rtx")
    assert not (tmp_path / "dynamic.trt").exists()


@pytest.mark.parametrize(
    ("floats", "message"), [("fp32", "cannot be compiled"), ("fp16", "this is no ONNX graph")]
)
def test_a_file_that_is_no_graph_is_named(
    floats: EngineFloats, message: str, tmp_path: Path
) -> None:
    graph = tmp_path / "noise.onnx"
    graph.write_bytes(np.random.default_rng(0).bytes(1000))
    with pytest.raises(DustError, match=rf"noise\.onnx.*{message}"):
        build_engine(graph, tmp_path / "noise.trt", compiler="tensorrt_rtx", floats=floats)
    assert not (tmp_path / "noise.trt").exists()


def test_a_graph_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DustError, match=r"absent\.onnx: cannot read the file"):
        build_engine(tmp_path / "absent.onnx", tmp_path / "a.trt", compiler="tensorrt_rtx")


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="TensorRT is installed")
def test_a_missing_compiler_is_named(int8_graph: Path, tmp_path: Path) -> None:
    with pytest.raises(DustError, match=r"TensorRT is not installed(.|\n)*pip install tensorrt"):
        build_engine(int8_graph, tmp_path / "a.trt", compiler="tensorrt")
    assert list(tmp_path.iterdir()) == []


def test_a_killed_compiler_leaves_nothing_half_written(float_graph: Path, tmp_path: Path) -> None:
    with _building(float_graph, tmp_path / "a.trt") as process:
        _worker_of(process).kill()
        words, _ = process.communicate(timeout=60)
    assert "the compiler was killed, probably because memory ran out" in words
    assert {path.name for path in tmp_path.iterdir()} <= {"a.trt.log"}


def test_ctrl_c_ends_the_compiler_too(float_graph: Path, tmp_path: Path) -> None:
    with _building(float_graph, tmp_path / "a.trt") as process:
        worker = _worker_of(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    worker.wait(timeout=120)  # it notices a moment later that its caller is gone
    assert {path.name for path in tmp_path.iterdir()} <= {"a.trt.log"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.skipif(find_spec("tensorrt") is None, reason="TensorRT is not installed")
def test_an_engine_computes_what_its_graph_computes(int8_graph: Path, tmp_path: Path) -> None:
    engine = tmp_path / "a.trt"
    build_engine(int8_graph, engine, compiler="tensorrt", floats="fp16")
    random = np.random.default_rng(0)
    images = [random.uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32) for _ in range(2)]
    on_gpu = load_model("tensorrt", engine, RuntimeOptions(threads=1, device="cuda"))
    on_cpu = load_model("onnxruntime", int8_graph, RuntimeOptions(threads=1))
    for output, expected in zip(on_gpu(*images), on_cpu(*images), strict=True):
        assert np.linalg.norm(output - expected) <= 3e-2 * np.linalg.norm(expected)


def _building(graph: Path, engine: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _BUILD, str(graph), str(engine)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _worker_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """The compiler, as soon as it is there."""

    def workers() -> Iterator[psutil.Process]:
        for child in psutil.Process(process.pid).children():
            if "dust_compress.engine.worker" in child.cmdline():
                yield child

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        worker = next(workers(), None)
        if worker is not None:
            return worker
    raise AssertionError("the compiler never started")
