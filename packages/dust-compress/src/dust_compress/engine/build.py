"""From an ONNX graph to a TensorRT engine, its manifest and its log."""

import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console

from dust_compress.engine.toolchain import Compiler, Toolchain, find_toolchain
from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file
from dust_eval.runtimes.engine_manifest import EngineManifest, write_manifest

_RTX_CAPABILITIES = ("8.0", "8.6", "8.9", "12.0")
_RECORDED = (
    "tensorrt",
    "tensorrt-rtx",
    "tensorrt-cu12-bindings",
    "onnxruntime-ep-nv-tensorrt-rtx-cu12",
)


def build_engine(
    graph: Path,
    engine: Path,
    *,
    compiler: Compiler,
    workspace_gb: float = 8.0,
    tf32: bool = False,
    verbose: bool = False,
) -> EngineManifest:
    """Compile a static graph, strongly typed: the graph's own types are the engine's.

    Writes `engine`, its manifest beside it (`.trt.json`) and the compiler's log (`.trt.log`); the
    engine is whole or absent.

    Args:
        graph: ONNX, opset 19, static shapes.
        compiler: `tensorrt` for this machine's GPU; `tensorrt_rtx` for any GPU from compute
            capability 8.0 on, without one here.
        workspace_gb: memory that a layer may use, in 10^9 bytes.
        tf32: whether FP32 products may run in TF32.
        verbose: whether the log names every tactic.

    Raises:
        DustError: no compiler is installed, the graph cannot be compiled, or the process died.
    """
    work = engine.parent / ".work" / "engine"
    toolchain = find_toolchain(compiler, work / "libraries")
    log = engine.with_name(engine.name + ".log")
    engine.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=engine.parent, prefix=f".{engine.name}.") as scratch:
        built, report = Path(scratch) / "engine", Path(scratch) / "report.json"
        request = {
            "module": toolchain.module,
            "onnx": str(graph.absolute()),
            "engine": str(built),
            "report": str(report),
            "timing_cache": str(work / f"{compiler}.timings"),
            "workspace_bytes": int(workspace_gb * 1e9),
            "tf32": tf32,
            "verbose": verbose,
        }
        code = _compile(toolchain, request, Path(scratch) / "request.json", log, engine.name)
        found = json.loads(report.read_text()) if report.is_file() else {"errors": []}
        if code or found["errors"] or not built.is_file():
            raise _failure(graph, code, found["errors"], log)
        manifest = EngineManifest(
            engine=engine.name,
            sha256=sha256_file(built),
            onnx_sha256=sha256_file(graph),
            compiler=compiler,
            versions={"api": found["version"], **_versions()},
            compute_capabilities=_capabilities(compiler),
            inputs={name: tuple(shape) for name, shape in found["inputs"].items()},
        )
        with atomic_path(engine) as temporary:
            built.rename(temporary)
    write_manifest(manifest, engine)
    return manifest


def _compile(
    toolchain: Toolchain, request: dict[str, object], path: Path, log: Path, name: str
) -> int:
    """Run the worker, its output in the log; its exit code."""
    path.write_text(json.dumps(request))
    Path(str(request["timing_cache"])).parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "dust_compress.engine.worker", str(path)]
    with log.open("w") as output, Console(stderr=True).status(f"compiling {name}"):
        done = subprocess.run(
            command, env=toolchain.environment(), stdout=output, stderr=output, check=False
        )
    return done.returncode


def _failure(graph: Path, code: int, errors: list[str], log: Path) -> DustError:
    if errors:
        what = f"the graph cannot be compiled: {'; '.join(errors[:3])}"
    elif code < 0:
        what = f"the compiler was killed by signal {-code}, as it is when memory runs out"
    else:
        what = f"the compiler ended with code {code}"
    return DustError(what, where=str(graph), fix=f"{log} has the compiler's own words", exit_code=1)


def _capabilities(compiler: Compiler) -> tuple[str, ...]:
    if compiler == "tensorrt_rtx":
        return _RTX_CAPABILITIES
    import torch

    major, minor = torch.cuda.get_device_capability()
    return (f"{major}.{minor}",)


def _versions() -> dict[str, str]:
    found = {}
    for name in _RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
