"""Engines of the graphs that are measured on a GPU."""

from collections.abc import Callable
from pathlib import Path

from dust_core.cli import plugins
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.runtimes.base import Precision
from dust_eval.runtimes.engine_manifest import EngineManifest, manifest_path, verify_engine

ENGINES_GROUP = "dust.engines"


def compiled(task: ResolvedTask, graph: Path, precision: Precision) -> Path:
    """The graph's engine with floats in that precision, compiled once for the graph's bytes.

    Measuring does not know how to compile: a package that does offers `build` in the entry-point
    group `dust.engines`.

    Raises:
        DustError: no such package is installed, there are no engines in that precision, or the
            graph does not compile.
    """
    if precision == "bf16":
        raise DustError(
            "engines compute in fp32 or fp16, not in bf16",
            where=f"profile {task.profile_name}",
            fix="set runtime.float_precision to fp16",
        )
    name = f"{sha256_file(graph)[:16]}-{precision}.trt"
    engine = ARTIFACTS / task.profile_name / ".work" / "engines" / name
    # The manifest is written last: where it stands, the engine is whole.
    if manifest_path(engine).is_file():
        verify_engine(engine, graph)
    else:
        _builder()(
            graph,
            engine,
            compiler=task.profile.runtime.compiler,
            floats=precision,
            tf32=task.workload.timing.tf32,
        )
    return engine


def _builder() -> Callable[..., EngineManifest]:
    found = plugins(ENGINES_GROUP)
    if "build" not in found:
        raise DustError(
            "no installed package compiles engines",
            fix="pip install 'dust-compress[engine]', or measure with the openvino runtime",
        )
    build: Callable[..., EngineManifest] = found["build"].load()
    return build
