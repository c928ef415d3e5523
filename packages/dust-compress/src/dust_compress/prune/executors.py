"""The executors `prune` (P-1, P-2) and `evaluate-pruned` (P-3)."""

from pathlib import Path

from pydantic_core import to_jsonable_python

from dust_compress.distill.students import largest_rise
from dust_compress.prune.fine_tune import Pruned, train_pruned
from dust_compress.train.distributed import all_ranks
from dust_compress.train.outcome import trained, trained_by, training_of
from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records import (
    BaselineRef,
    Execution,
    Result,
    build_result,
    record_parameters,
    task_parameters,
)
from dust_core.declared.records.provenance import Role
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.prune import PruneTask
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_eval.measure.evaluate import Evaluation, Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results

_TEACHER, _TEACHER_TASK = "teacher_fp32.pth", "P0-2"


def prune_teacher(task: ResolvedTask) -> None:
    """Prune the teacher, fine-tune what stays, and measure it together with the teacher.

    Raises:
        DustError: see `train_pruned` and `evaluate`.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, PruneTask)
    execution = begin(task)
    path, pruned = write_pruned(task)
    evaluations = evaluate(
        task,
        {
            "the pruned network": Subject(path=path, computed="fp32"),
            "the teacher": Subject(path=folder / _TEACHER, computed="fp32"),
        },
        baseline=(_TEACHER_TASK, "the teacher"),
    )
    baseline, references = _teacher(execution, evaluations["the teacher"])
    evaluation, history = evaluations["the pruned network"], pruned.outcome.history
    rise = {"validation_loss_rise": largest_rise([entry["score"] for entry in history])}
    result = build_result(
        trained_by(execution, (pruned.outcome,)),
        task_parameters(task),
        trained(task, evaluation.measured, (pruned.outcome,), rise),
        artifacts={path.name: sha256_file(path)},
        runtime=evaluation.runtime,
        baselines=references,
    )
    extra = {
        **training_of((pruned.outcome,)),
        "best_epoch": pruned.outcome.best_epoch,
        "validation": pruned.steps,
        "sensitivity": pruned.sensitivity,
        "shape": to_jsonable_python(pruned.network.config.to_dict()),
    }
    write_results(task, (result, baseline), extra)


def write_pruned(task: ResolvedTask) -> tuple[Path, Pruned]:
    """Prune and fine-tune the teacher, or take the finished training, and write the checkpoint.

    Raises:
        DustError: see `train_pruned`.
    """
    folder = ARTIFACTS / task.profile_name
    teacher = load_checkpoint(folder / _TEACHER).network
    with all_ranks(task):
        pruned = train_pruned(task, teacher)
    path = folder / task.task.outputs[0]
    save_checkpoint(pruned.network, path, exp_id=task.exp_id, spec_digest=task.digest, half=True)
    return path, pruned


def evaluate_pruned(task: ResolvedTask) -> None:
    """Measure every pruned network beside the teacher in one process.

    The lines bind the network with the largest rho; the others are references.

    Raises:
        DustError: a pruned network has no result, or its file is absent or not the measured one.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    execution = begin(task)
    networks = {needed: _measured_before(execution, needed) for needed in own.needs}
    subjects = {
        needed: Subject(path=folder / name, computed="fp32")
        for needed, (name, _) in networks.items()
    }
    teacher = Subject(path=folder / _TEACHER, computed="fp32")
    evaluations = evaluate(
        task, subjects | {"the teacher": teacher}, baseline=(_TEACHER_TASK, "the teacher")
    )
    baseline, references = _teacher(execution, evaluations["the teacher"])
    parameters = {
        needed: record_parameters(parse_exp_id(exp_id)) for needed, (_, exp_id) in networks.items()
    }
    judged = max(parameters, key=lambda needed: parameters[needed]["rho"] or 0.0)
    results = []
    for needed, (name, _) in networks.items():
        role: Role = "candidate" if needed == judged else "reference"
        results.append(
            build_result(
                execution,
                parameters[needed],
                evaluations[needed].measured,
                artifacts={name: execution.inputs[name]},
                role=role,
                runtime=evaluations[needed].runtime,
                baselines=references,
            )
        )
    write_results(task, (*results, baseline), {"judged": judged})


def _teacher(execution: Execution, evaluation: Evaluation) -> tuple[Result, dict[str, BaselineRef]]:
    return baseline_beside(
        execution, _TEACHER_TASK, evaluation, execution.inputs[_TEACHER], _TEACHER
    )


def _measured_before(execution: Execution, needed: str) -> tuple[str, str]:
    """The file and the experiment of a pruned network, if the file is the one that its task made.

    Raises:
        DustError: it has no result, or the file is another one.
    """
    (candidate,) = result_of(execution.task, needed).candidates
    ((name, sha256),) = candidate.provenance.artifacts.items()
    if execution.inputs.get(name) != sha256:
        raise DustError(
            f"this is not the network that {needed} made",
            where=str(ARTIFACTS / execution.task.profile_name / name),
            fix=f"pull it again, or run {needed} again",
            exit_code=1,
        )
    return name, str(candidate.exp_id)
