"""The executor `ptq` (Q-1): the teacher quantized without training."""

from dust_compress.quantize.calibrate import sensitivity
from dust_compress.quantize.comparison import TEACHER, compare, results_of
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.prepare import experiment_of, export_by, quantize_by
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask
from dust_core.network.checkpoint import load_checkpoint
from dust_eval.measure.execution import begin, write_results


def ptq(task: ResolvedTask) -> None:
    """Quantize the teacher without training, and measure it together with the float teacher.

    Raises:
        DustError: a file or the calibration set is absent or damaged, or the keep-list is wrong.
    """
    execution = begin(task)
    network = load_checkpoint(TEACHER.path(task)).network
    quantize_by(task, network, task.common)
    graph = ARTIFACTS / task.profile_name / task.task.outputs[0]
    export_by(task, network, graph, Origin(experiment_of(task)))
    layers = sensitivity(task, network)
    comparison = compare(task, TEACHER, graph)
    write_results(task, results_of(execution, comparison, graph), {"sensitivity": layers})
