"""The executor `build-engine` (Q-3)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dust_compress.engine.build import build_engine
from dust_compress.quantize.checkpoint import load_quantized
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.origin import Origin
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import Execution, Measurement, build_result
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.quant import BuildEngine
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_eval.measure.execution import begin, write_results
from dust_eval.runtimes import RuntimeOptions, load_model


def build_quantized(task: ResolvedTask) -> None:
    """Write the quantized teacher as a Q/DQ graph and compile it, floats in FP16.

    Raises:
        DustError: the checkpoint is damaged, or the graph does not compile; the verdict is
            written in the second case too.
    """
    execution, folder = begin(task), ARTIFACTS / task.profile_name
    own = task.task
    assert isinstance(own, BuildEngine)
    checkpoint = load_quantized(folder / own.inputs[0])
    if checkpoint.exp_id is None:
        raise DustError(
            "the quantized checkpoint does not say which experiment made it",
            where=own.inputs[0],
            fix="run Q-2 again",
        )
    graph, engine = (folder / name for name in own.outputs)
    shape = task.workload.images
    export_int8(
        checkpoint.network, graph, Origin(checkpoint.exp_id),
        height=shape.height, width=shape.width, opset=own.opset,
    )  # fmt: skip
    try:
        manifest = build_engine(
            graph,
            engine,
            compiler=task.profile.runtime.compiler,
            floats="fp16",
            tf32=task.workload.timing.tf32,
        )
    except DustError as error:
        _write(task, execution, 0, {"reason": error.what}, graph)
        raise
    built, reason = _runs(task, engine)
    extra = {"engine": manifest.model_dump(mode="json"), "reason": reason}
    _write(task, execution, built, extra, graph, engine)


def _runs(task: ResolvedTask, engine: Path) -> tuple[int, str]:
    """Whether the engine computes finite values where it can run, and the reason in words."""
    if not torch.cuda.is_available():
        return 1, "compiled; not run, because this machine has no GPU"
    options = RuntimeOptions(
        precision="fp16",
        threads=task.profile.threads,
        device="cuda",
        tf32=task.workload.timing.tf32,
    )
    model = load_model("tensorrt", engine, options)
    shape = (1, 3, task.workload.images.height, task.workload.images.width)
    random = np.random.default_rng(task.workload.seed)
    images = (random.uniform(-1, 1, shape).astype(np.float32) for _ in range(2))
    if all(np.isfinite(output).all() for output in model(*images)):
        return 1, "compiled, and finite on random images"
    return 0, "it computes values that are not finite"


def _write(
    task: ResolvedTask, execution: Execution, built: int, extra: dict[str, Any], *files: Path
) -> None:
    result = build_result(
        execution,
        None,
        Measurement(quantities={"engine_built": built}),
        artifacts={path.name: sha256_file(path) for path in files},
    )
    write_results(task, (result,), extra)
