"""Engines of the graphs that are measured on a GPU."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from dust_core.cli import plugins
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.runtimes.base import Precision
from dust_eval.runtimes.engine_manifest import (
    EngineManifest,
    capability,
    compiler_versions,
    manifest_path,
    verify_engine,
)

ENGINES_GROUP = "dust.engines"

Builder = Callable[..., EngineManifest]


def compiled(task: ResolvedTask, graph: Path, precision: Precision) -> Path:
    """The graph's engine with floats in that precision; compiled once for the same inputs.

    This package has no compiler. A package that compiles offers `build` in the entry-point group
    `dust.engines`.

    Raises:
        DustError: no such package is installed, there are no engines in that precision, or the
            graph does not compile.
    """
    if precision == "bf16":
        raise DustError(
            "engines compute in fp32 or fp16, not in bf16",
            where=f"profile {task.profile_name}",
            fix="set runtime.float_precision to fp16, or to auto",
        )
    build = _builder()
    name = f"{sha256_file(graph)[:16]}-{precision}-{engine_key(task, build)[:16]}.trt"
    engine = ARTIFACTS / task.profile_name / ".work" / "engines" / name
    # The manifest is written last: an engine with a manifest is whole.
    if manifest_path(engine).is_file():
        verify_engine(engine, graph)
    else:
        build(
            graph,
            engine,
            compiler=task.profile.runtime.compiler,
            floats=precision,
            tf32=task.workload.timing.tf32,
        )
    return engine


def engine_key(task: ResolvedTask, build: Builder) -> str:
    """SHA-256 of everything that decides an engine besides its graph and its precision.

    These are the compiler, its versions, the GPU that it compiles for, TF32, and the code of the
    package that `build` comes from.
    """
    compiler = task.profile.runtime.compiler
    source = sys.modules[build.__module__].__file__
    assert source is not None
    modules = sorted(Path(source).parent.glob("*.py"))
    decisive = {
        "compiler": compiler,
        "versions": compiler_versions(),
        # TensorRT for RTX compiles for many GPUs, TensorRT for the GPU of this machine.
        "capability": capability() if compiler == "tensorrt" and _has_gpu() else None,
        "tf32": task.workload.timing.tf32,
        "code": [sha256_file(module) for module in modules],
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _builder() -> Builder:
    offered = plugins(ENGINES_GROUP)
    if "build" not in offered:
        raise DustError(
            "no installed package compiles engines",
            fix="pip install 'dust-compress[engine]', or measure with the openvino runtime",
        )
    build: Builder = offered["build"].load()
    return build
