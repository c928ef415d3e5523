"""The executor `build-engine` (Q-3)."""

from dust_compress.engine.build import build_engine
from dust_compress.quantize.checkpoint import load_quantized
from dust_compress.quantize.export import Origin, export_int8
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.records import Measured, build_result
from dust_core.run import ARTIFACTS
from dust_core.specs import ResolvedTask
from dust_eval.results import begin, write_results


def build_quantized(task: ResolvedTask) -> None:
    """Write the quantized teacher as a Q/DQ graph and compile it.

    Raises:
        DustError: the checkpoint is damaged, or the graph does not compile.
    """
    execution, folder = begin(task), ARTIFACTS / task.profile_name
    checkpoint = load_quantized(folder / task.task.inputs[0])
    if checkpoint.exp_id is None:
        raise DustError(
            "the quantized checkpoint does not say which experiment made it",
            where=task.task.inputs[0],
            fix="run Q-2 again",
        )
    graph, engine = (folder / name for name in task.task.outputs)
    shape = task.workload.images
    export_int8(
        checkpoint.network, graph, Origin(checkpoint.exp_id),
        height=shape.height, width=shape.width,
    )  # fmt: skip
    manifest = build_engine(graph, engine, compiler=task.profile.runtime.compiler)
    result = build_result(
        execution,
        None,
        Measured(quantities={"engine_built": 1}),
        artifacts={path.name: sha256_file(path) for path in (graph, engine)},
    )
    write_results(task, (result,), {"engine": manifest.model_dump(mode="json")})
