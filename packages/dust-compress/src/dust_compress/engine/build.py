"""From an ONNX graph to a TensorRT engine, its manifest and its log."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dust_compress.engine.half import write_half
from dust_compress.engine.toolchain import Compiler, Toolchain, find_toolchain
from dust_core.console import Terminal
from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file
from dust_eval.runtimes.engine_manifest import (
    EngineFloats,
    EngineManifest,
    capability,
    compiler_versions,
    manifest_path,
    write_manifest,
)

_RTX_CAPABILITIES = ("8.0", "8.6", "8.9", "12.0")


def build_engine(
    graph: Path,
    engine: Path,
    *,
    compiler: Compiler,
    floats: EngineFloats = "fp32",
    workspace_gb: float = 8.0,
    tf32: bool = False,
    verbose: bool = False,
) -> EngineManifest:
    """Compile a static graph, strongly typed: the engine has the graph's types.

    Writes `engine`, its manifest (`.trt.json`) and the compiler's log (`.trt.log`). The engine is
    whole or absent, and no runtime loads it without its manifest.

    Args:
        graph: ONNX, opset 19, static shapes, float32 or Q/DQ with float32.
        compiler: `tensorrt` for this machine's GPU; `tensorrt_rtx` needs no GPU.
        floats: the precision of operations that are not INT8; with `fp16`, post-processing stays
            in float32.
        workspace_gb: memory that a layer may use, in 10^9 bytes.
        tf32: whether FP32 products may run in TF32.
        verbose: whether the log names every tactic.

    Raises:
        DustError: no compiler is installed, the graph cannot be compiled, or the process died.
    """
    graph_sha256 = sha256_file(graph)
    engine.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=engine.parent, prefix=f".{engine.name}.") as folder:
        scratch = Path(folder)
        toolchain = find_toolchain(compiler, scratch / "libraries")
        capabilities = _capabilities(compiler)
        built = scratch / "engine"
        request = {
            "module": toolchain.module,
            "onnx": str(_in_floats(graph, floats, scratch).absolute()),
            "engine": str(built),
            "report": str(scratch / "report.json"),
            "log": str(engine.with_name(engine.name + ".log")),
            "timing_cache": _timing_cache(engine, compiler),
            "workspace_bytes": int(workspace_gb * 1e9),
            "tf32": tf32,
            "verbose": verbose,
        }
        report = _compile(toolchain, request, scratch / "request.json", graph, engine.name)
        manifest = EngineManifest(
            engine=engine.name,
            sha256=sha256_file(built),
            onnx_sha256=graph_sha256,
            compiler=compiler,
            versions={"api": report["version"], **compiler_versions()},
            compute_capabilities=capabilities,
            inputs={name: tuple(shape) for name, shape in report["inputs"].items()},
            floats=floats,
            tf32=tf32,
            products=report["products"],
        )
        _put(built, engine, manifest)
    return manifest


def _in_floats(graph: Path, floats: EngineFloats, scratch: Path) -> Path:
    """The graph to compile: the graph itself, or its variant in 16 bits."""
    if floats != "fp16":
        return graph
    half = scratch / "half.onnx"
    write_half(graph, half)
    return half


def _put(built: Path, engine: Path, manifest: EngineManifest) -> None:
    """Move an engine to its place, its manifest last: an engine with a manifest is whole."""
    manifest_path(engine).unlink(missing_ok=True)  # it is not valid for the next engine
    with atomic_path(engine) as temporary:
        built.replace(temporary)
    write_manifest(manifest, engine)


def _timing_cache(engine: Path, compiler: Compiler) -> str | None:
    """The file of timings; None for TensorRT for RTX, which times nothing at build time."""
    if compiler == "tensorrt_rtx":
        return None
    path = engine.parent / ".work" / "tensorrt.timings"
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def _compile(
    toolchain: Toolchain, request: dict[str, Any], path: Path, graph: Path, name: str
) -> Any:
    """Run the worker, show its phases, and return its report."""
    path.write_text(json.dumps(request))
    command = [sys.executable, "-m", "dust_compress.engine.worker", str(path)]
    crash = Path(request["report"]).with_name("stderr.txt")
    with (
        crash.open("w") as stderr,
        Terminal(stderr=True).status(f"compiling {name}") as status,
        subprocess.Popen(
            command,
            env=toolchain.environment(),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                status.update(f"compiling {name}: {line.strip().lower()}")
            code = process.wait()
        finally:
            process.kill()  # Ctrl-C here must end the compiler too
    report_path = Path(request["report"])
    report = json.loads(report_path.read_text()) if report_path.is_file() else {}
    if code or "version" not in report:
        raise _failure(graph, code, report.get("errors", []), crash, Path(request["log"]))
    return report


def _failure(graph: Path, code: int, errors: list[str], crash: Path, log: Path) -> DustError:
    fix = f"{log} has the messages of the compiler"
    if errors:
        what = f"the graph cannot be compiled: {'; '.join(errors)}"
    elif code == -signal.SIGKILL:
        what = "the compiler was killed, probably because memory ran out"
        fix = "give it more memory, or less workspace"
    elif code < 0:
        what = f"the compiler crashed with signal {-code} ({signal.Signals(-code).name})"
    else:
        words = crash.read_text().strip().splitlines() or [f"exit code {code}"]
        what = f"the compiler did not run: {words[-1]}"
        fix = "install the versions that requirements.lock pins"
    return DustError(what, where=str(graph), fix=fix, exit_code=1)


def _capabilities(compiler: Compiler) -> tuple[str, ...]:
    if compiler == "tensorrt_rtx":
        return _RTX_CAPABILITIES
    import torch

    if not torch.cuda.is_available():
        raise DustError(
            "TensorRT compiles for the GPU of this machine, which has none",
            fix="choose the compiler tensorrt_rtx in the profile, which needs no GPU",
        )
    return (capability(),)
