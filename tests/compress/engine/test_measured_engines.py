"""Graphs that are measured in TensorRT are compiled on the way."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from dust_core.declared.specs import ResolvedTask
from dust_core.errors import DustError
from dust_eval.measure.engines import compiled
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


def test_engines_in_bf16_are_refused(float_graph: Path, engine_task: ResolvedTask) -> None:
    with pytest.raises(DustError, match="profile ci: engines compute in fp32 or fp16"):
        compiled(engine_task, float_graph, "bf16")
