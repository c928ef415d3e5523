"""The executors `evaluate-quant` (Q-4) and `evaluate-kq` (KQ-3): a network from its files alone."""

from dust_compress.quantize.comparison import STUDENT, TEACHER, compare, results_of
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_eval.measure.execution import begin, write_results
from dust_eval.runtimes.engine_manifest import verify_engine


def evaluate_quantized(task: ResolvedTask) -> None:
    """Measure a quantized network from its own files: Q-4 the teacher's, KQ-3 the student's.

    Raises:
        DustError: a file is absent, or the engine is not of this graph.
    """
    execution, folder = begin(task), ARTIFACTS / task.profile_name
    graph, engine = (
        next(folder / name for name in task.task.inputs if name.endswith(suffix))
        for suffix in (".onnx", ".trt")
    )
    verify_engine(engine, graph)
    source = STUDENT if STUDENT.file in task.task.inputs else TEACHER
    comparison = compare(task, source, graph, engine)
    write_results(task, results_of(execution, comparison, graph, engine=engine))
