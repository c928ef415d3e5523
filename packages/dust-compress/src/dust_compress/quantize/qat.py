"""The executors `qat` (Q-2) and `qat-student` (KQ-2): training with quantizers."""

from collections.abc import Iterator
from pathlib import Path

from dust_compress.engine.build import build_engine
from dust_compress.quantize.checkpoint import save_quantized
from dust_compress.quantize.comparison import (
    STUDENT,
    TEACHER,
    after_training,
    compare,
    results_of,
)
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.prepare import (
    experiment_of,
    export_by,
    quantize_by,
    train_quantized,
)
from dust_compress.train import Outcome
from dust_compress.train.distributed import all_ranks
from dust_compress.train.outcome import trained_by, training_of
from dust_compress.train.task_training import work_folder
from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records import Execution, Measurement, ResultFile, build_result
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.quant import QatSchedule, QuantTask
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_eval.measure.execution import begin, write_results


def qat(task: ResolvedTask) -> None:
    """Train the teacher with quantizers on, if quantizing it without training missed its line.

    Otherwise the output is the network that was calibrated without training.

    Raises:
        DustError: see `ptq`; or the training was stopped.
    """
    own = task.task
    assert isinstance(own, QuantTask)
    execution, policy = begin(task), task.common
    network = load_checkpoint(TEACHER.path(task)).network
    with all_ranks(task):
        outcome = train_quantized(task, network, policy) if _escalated(task) else None
    if outcome is None:
        quantize_by(task, network, policy)
    origin = experiment_of(task) if outcome else _calibrated(task)
    path = ARTIFACTS / task.profile_name / own.outputs[0]
    save_quantized(network, path, policy, exp_id=origin, spec_digest=task.digest)
    if outcome is None:
        _write_not_needed(task, execution, path)
    else:
        _write_trained(task, execution, network, path, outcome)


def qat_student(task: ResolvedTask) -> None:
    """Train the best student with quantizers under P2's policy, export, compile, measure.

    Raises:
        DustError: see `qat`; or no compiler of engines is installed.
    """
    own = task.task
    assert isinstance(own, QatSchedule)
    execution = begin(task)
    checkpoint = load_checkpoint(STUDENT.path(task))
    (policy_task,) = task.references.values()
    with all_ranks(task):
        outcome = train_quantized(task, checkpoint.network, policy_task.common)
    graph, engine = (ARTIFACTS / task.profile_name / name for name in own.outputs)
    built_on = (str(checkpoint.exp_id), experiment_of(policy_task))
    export_by(task, checkpoint.network, graph, Origin(experiment_of(task), built_on))
    build_engine(
        graph,
        engine,
        compiler=task.profile.runtime.compiler,
        floats="fp16",
        tf32=task.workload.timing.tf32,
    )
    comparison = after_training(task, compare(task, STUDENT, graph, engine), outcome)
    results = results_of(trained_by(execution, (outcome,)), comparison, graph, engine=engine)
    write_results(task, results, training_of((outcome,)))


def _calibrated(task: ResolvedTask) -> str:
    """The experiment that calibrated the network without training, which met its line."""
    (name,) = (result.exp_id for file in _earlier(task) for result in file.candidates)
    assert name is not None, "every task that quantizes is an experiment"
    return name


def _write_not_needed(task: ResolvedTask, execution: Execution, path: Path) -> None:
    artifacts = {path.name: sha256_file(path)}
    result = build_result(execution, None, Measurement(), artifacts=artifacts)
    extra = {"not_needed": "the network quantized without training meets its line"}
    write_results(task, (result,), extra, judged=False)


def _write_trained(
    task: ResolvedTask, execution: Execution, network: Dust3r, path: Path, outcome: Outcome
) -> None:
    graph = work_folder(task, task.profile.training.qat) / "quantized.onnx"
    export_by(task, network, graph, Origin(experiment_of(task)))
    comparison = after_training(task, compare(task, TEACHER, graph), outcome)
    results = results_of(trained_by(execution, (outcome,)), comparison, graph, checkpoint=path)
    write_results(task, results, training_of((outcome,)))


def _escalated(task: ResolvedTask) -> bool:
    """Whether a task that escalates to this one missed its line."""
    return any(verdict.status != "pass" for file in _earlier(task) for verdict in file.verdicts)


def _earlier(task: ResolvedTask) -> Iterator[ResultFile]:
    """The results of the tasks that this one may continue."""
    return (result_of(task, needed) for needed in task.task.needs)
