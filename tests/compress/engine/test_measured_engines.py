"""Graphs that are measured in TensorRT are compiled on the way."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from dust_compress.engine.build import build_engine
from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_eval.measure.engines import compiled, engine_key
from dust_eval.runtimes import RuntimeOptions, load_model
from dust_eval.runtimes.engine_manifest import verify_engine


@pytest.mark.skipif(
    find_spec("tensorrt_bindings") is None, reason="nothing that compiles engines is installed"
)
def test_a_graph_is_compiled_once_for_its_bytes(
    float_graph: Path,
    engine_task: ResolvedTask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = compiled(engine_task, float_graph, "fp32")
    manifest = verify_engine(engine, float_graph)
    assert (manifest.floats, manifest.tf32) == ("fp32", False)
    first = engine.stat().st_mtime_ns
    assert compiled(engine_task, float_graph, "fp32").stat().st_mtime_ns == first
    if not torch.cuda.is_available():
        with pytest.raises(DustError, match="an engine runs on a GPU only, and none is here"):
            load_model("tensorrt", engine, RuntimeOptions(threads=1, device="cuda"))


def test_an_engine_is_another_for_all_that_makes_it(
    engine_task: ResolvedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, workload = engine_task.profile, engine_task.workload
    assert profile.runtime.compiler == "tensorrt_rtx"
    keys = [engine_key(engine_task, build_engine)]
    timing = workload.timing.model_copy(update={"tf32": True})
    with_tf32 = workload.model_copy(update={"timing": timing})
    keys.append(engine_key(replace(engine_task, workload=with_tf32), build_engine))
    runtime = profile.runtime.model_copy(update={"compiler": "tensorrt"})
    other_compiler = profile.model_copy(update={"runtime": runtime})
    keys.append(engine_key(replace(engine_task, profile=other_compiler), build_engine))
    keys.append(engine_key(engine_task, load_model))  # of another package's code
    assert engine_key(engine_task, build_engine) == keys[0]
    monkeypatch.setattr("dust_eval.runtimes.engine_manifest.version", lambda package: "99.0")
    keys.append(engine_key(engine_task, build_engine))
    assert len(set(keys)) == 5


def test_engines_in_bf16_are_refused(float_graph: Path, engine_task: ResolvedTask) -> None:
    with pytest.raises(DustError, match="profile ci: engines compute in fp32 or fp16"):
        compiled(engine_task, float_graph, "bf16")
