"""The executors of P1, `distill` and `select-student`, and `choose-student` of P3."""

import shutil
from contextlib import closing
from typing import Any

import torch

from dust_compress.distill.objective import DistillObjective, Weights
from dust_compress.train import Outcome, train
from dust_compress.train.distributed import World
from dust_compress.train.outcome import trained
from dust_compress.train.plan import open_feed, recipe_for, validate_pairs, work_folder
from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records import (
    Measurement,
    Result,
    build_result,
    read_result_file,
    record_parameters,
)
from dust_core.declared.records import task_parameters as parameters_of
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.distill import (
    DistillCommon,
    DistillTask,
    SelectStudent,
    Student,
)
from dust_core.declared.specs.models.profile import DistillRecipe
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError
from dust_core.files import atomic_path, sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.surgery.cut import DepthRule, Reduction, UnitRule, cut, kept_blocks
from dust_core.network.surgery.patches import enlarge_patches, shrink_patches
from dust_core.network.surgery.refit import refit
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results

_TEACHER, _TEACHER_TASK = "teacher_fp32.pth", "P0-2"
_EMA_DECAY = 0.999


def distill(task: ResolvedTask) -> None:
    """Cut a student out of the teacher, train it, and measure it beside the teacher.

    Raises:
        DustError: a file or a training set is absent or damaged, or the training was stopped.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, DistillTask)
    execution = begin(task)
    teacher = load_checkpoint(folder / _TEACHER).network
    student, outcome = train_student(task, teacher)
    World.current().leave()
    path = folder / own.outputs[0]
    save_checkpoint(student, path, exp_id=task.exp_id, spec_digest=task.digest, half=True)
    student = load_checkpoint(path).network
    found = evaluate(
        task,
        {
            "the student": Subject(path=path, computed="fp32", network=student),
            "the teacher": Subject(path=folder / _TEACHER, computed="fp32", network=teacher),
        },
        baseline=(_TEACHER_TASK, "the teacher"),
    )
    baseline, references = baseline_beside(
        execution, _TEACHER_TASK, found["the teacher"], execution.inputs[_TEACHER], _TEACHER
    )
    measured = found["the student"].measured
    rise = {"validation_loss_rise": largest_rise([entry["score"] for entry in outcome.history])}
    result = build_result(
        execution,
        parameters_of(task),
        trained(task, measured, outcome, rise),
        artifacts={path.name: sha256_file(path)},
        runtime=found["the student"].runtime,
        baselines=references,
    )
    extra = {"curves": [outcome.history], "best_epoch": outcome.best_epoch}
    write_results(task, (result, baseline), extra)


def train_student(task: ResolvedTask, teacher: Dust3r) -> tuple[Dust3r, Outcome]:
    """The student with the best weights by validation, and how it got there.

    At smaller patches than the network's, both are trained so, and the student is enlarged again.
    """
    own, common = task.task, task.common
    assert isinstance(own, DistillTask) and isinstance(common, DistillCommon)
    weights = Weights(temperature=own.T, beta=own.beta, gamma=own.gamma, schedule=own.beta_schedule)
    profiled = task.profile.training.distill
    guide = at_training_patches(teacher, profiled)
    learner = start_student(task, guide, common.student)
    outcome = train(
        DistillObjective(learner, guide, common.loss, weights),
        open_feed(task, profiled),
        recipe_for(task, profiled, epochs=own.epochs, patience=own.patience, ema_decay=_EMA_DECAY),
        work_folder(task),
        validate_pairs(task, profiled.side),
        torch.device(task.profile.device.kind),
    )
    learner.load_state_dict(outcome.weights)
    factor = teacher.config.patch_size // guide.config.patch_size
    return enlarge_patches(learner, factor, detail=teacher), outcome


def at_training_patches(teacher: Dust3r, recipe: DistillRecipe) -> Dust3r:
    """The teacher with the patches at which its students are trained."""
    whole = teacher.config.patch_size
    return shrink_patches(teacher, whole // (recipe.patch_size or whole))


def start_student(
    task: ResolvedTask,
    teacher: Dust3r,
    shape: Student,
    *,
    depth_rule: DepthRule = "even",
    units: UnitRule = "l1",
) -> Dust3r:
    """The student before its training, with the teacher's patches."""
    recipe = task.profile.training.distill
    reduction = Reduction(depth=shape.depth, heads=shape.heads, ffn=shape.ffn)
    student = cut(teacher, reduction, depth_rule=depth_rule, units=units)
    if shape.init == "refitted_layers":
        device = torch.device(task.profile.device.kind)
        # Each rank fits on pairs of its own; training begins from the first one's weights.
        one = recipe.model_copy(update={"batch": recipe.refit_pairs * World.current().size})
        with closing(open_feed(task, one, augment=False)) as feed:
            pairs = next(feed)
        images = pairs.image1.to(device), pairs.image2.to(device)
        kept = kept_blocks(teacher, reduction, depth_rule)
        refit(student.to(device), teacher.to(device), kept, *images)
    return student


def largest_rise(losses: list[float]) -> float:
    """By how much a curve ever rose above its lowest point so far, in percent of that point."""
    lowest, rise = losses[0], 0.0
    for loss in losses[1:]:
        rise = max(rise, 100 * (loss - lowest) / max(abs(lowest), 1e-12))
        lowest = min(lowest, loss)
    return rise


def select_student(task: ResolvedTask) -> None:
    """Measure every candidate beside the teacher; keep the one that is best on validation.

    Raises:
        DustError: a candidate has no result, or its file is absent or damaged.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, SelectStudent)
    execution = begin(task)
    standings = {one: _standing(task, one) for one in own.candidates}
    best = max(standings, key=lambda one: standings[one]["delta1"])
    subjects = {
        one: Subject(path=folder / standing["file"], computed="fp32")
        for one, standing in standings.items()
    }
    teacher = Subject(path=folder / _TEACHER, computed="fp32")
    found = evaluate(
        task, subjects | {"the teacher": teacher}, baseline=(_TEACHER_TASK, "the teacher")
    )
    baseline, references = baseline_beside(
        execution, _TEACHER_TASK, found["the teacher"], sha256_file(teacher.path), _TEACHER
    )
    kept = folder / own.outputs[-1]
    with atomic_path(kept) as temporary:
        shutil.copyfile(subjects[best].path, temporary)
    results: list[Result] = []
    for one, subject in subjects.items():
        artifacts = {subject.path.name: sha256_file(subject.path)}
        if one == best:
            artifacts[kept.name] = sha256_file(kept)
        results.append(
            build_result(
                execution,
                record_parameters(parse_exp_id(standings[one]["exp_id"])),
                found[one].measured,
                artifacts=artifacts,
                role="candidate" if one == best else "reference",
                runtime=found[one].runtime,
                baselines=references,
            )
        )
    extra = {
        "kept": best,
        "validation": standings,
        "curves": {one: standing.pop("curve") for one, standing in standings.items()},
    }
    write_results(task, (*results, baseline), extra)


def choose_student(task: ResolvedTask) -> None:
    """Check that the student at hand is the one that P1 found best, and say its rank.

    Raises:
        DustError: it is not the file that P1 kept.
    """
    log, student = (ARTIFACTS / task.profile_name / name for name in task.task.inputs)
    execution = begin(task)
    file = read_result_file(log)
    (kept,) = file.candidates
    if kept.provenance.artifacts.get(student.name) != execution.inputs[student.name]:
        raise DustError(
            "this is not the student that P1 kept",
            where=str(student),
            fix=f"pull it again, or run {file.task} again",
            exit_code=1,
        )
    standings: Any = file.extra["validation"]
    mine = standings[file.extra["kept"]]["delta1"]
    rank = 1 + sum(other["delta1"] > mine for other in standings.values())
    result = build_result(
        execution,
        None,
        Measurement(quantities={"quality_rank": rank}),
        artifacts={student.name: execution.inputs[student.name]},
    )
    write_results(task, (result,), {"student": kept.exp_id})


def _standing(task: ResolvedTask, task_id: str) -> dict[str, Any]:
    """What the log of a distillation says of its student on the validation set."""
    file = result_of(task, task_id)
    (candidate,) = file.candidates
    curve: Any = file.extra["curves"]
    entry = next(one for one in curve[0] if one["epoch"] == file.extra["best_epoch"])
    metrics = {key.removeprefix("val/"): v for key, v in entry.items() if key.startswith("val/")}
    (name,) = candidate.provenance.artifacts
    return {"file": name, "exp_id": candidate.exp_id, **metrics, "curve": curve[0]}
