"""The executor `distill` of P1: cut a student out of the teacher and train it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dust_compress.distill.objective import DistillObjective, Weights
from dust_compress.train import Outcome
from dust_compress.train.distributed import all_ranks, device_of
from dust_compress.train.finished import is_finished
from dust_compress.train.outcome import trained, trained_by, training_of
from dust_compress.train.task_training import open_feed, train_by, work_folder
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import build_result
from dust_core.declared.records import task_parameters as parameters_of
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.distill import (
    DistillCommon,
    DistillTask,
    Student,
)
from dust_core.declared.specs.models.training import DistillRecipe, Recipe
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.surgery.cut import Reduction, cut, kept_blocks
from dust_core.network.surgery.patches import enlarge_patches, shrink_patches
from dust_core.network.surgery.refit import refit
from dust_core.pairs.feed.feed import PairBatch
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results

_TEACHER, _TEACHER_TASK = "teacher_fp32.pth", "P0-2"


def distill(task: ResolvedTask) -> None:
    """Cut a student out of the teacher, train it, and measure it together with the teacher.

    Raises:
        DustError: a file or a training set is absent or damaged, or the training was stopped.
    """
    own, folder = task.task, ARTIFACTS / task.profile_name
    assert isinstance(own, DistillTask)
    execution = begin(task)
    teacher = load_checkpoint(folder / _TEACHER).network
    path, outcome = write_student(task)
    student = load_checkpoint(path).network
    evaluations = evaluate(
        task,
        {
            "the student": Subject(path=path, computed="fp32", network=student),
            "the teacher": Subject(path=folder / _TEACHER, computed="fp32", network=teacher),
        },
        baseline=(_TEACHER_TASK, "the teacher"),
    )
    baseline, references = baseline_beside(
        execution, _TEACHER_TASK, evaluations["the teacher"], execution.inputs[_TEACHER], _TEACHER
    )
    measured = evaluations["the student"].measured
    rise = {"validation_loss_rise": largest_rise([entry["score"] for entry in outcome.history])}
    result = build_result(
        trained_by(execution, (outcome,)),
        parameters_of(task),
        trained(task, measured, outcome, rise),
        artifacts={path.name: sha256_file(path)},
        runtime=evaluations["the student"].runtime,
        baselines=references,
    )
    extra = {**training_of((outcome,)), "best_epoch": outcome.best_epoch}
    write_results(task, (result, baseline), extra)


def write_student(task: ResolvedTask) -> tuple[Path, Outcome]:
    """Train a student, or take its finished training, and write its checkpoint.

    Raises:
        DustError: as `distill`.
    """
    folder = ARTIFACTS / task.profile_name
    teacher = load_checkpoint(folder / _TEACHER).network
    with all_ranks(task):
        student, outcome = train_student(task, teacher)
    path = folder / task.task.outputs[0]
    save_checkpoint(student, path, exp_id=task.exp_id, spec_digest=task.digest, half=True)
    return path, outcome


def train_student(task: ResolvedTask, teacher: Dust3r) -> tuple[Dust3r, Outcome]:
    """The student with the best weights by validation, and the outcome of its training.

    Where the training patches are smaller than the network's, both networks are trained with the
    smaller ones, and the student is enlarged afterwards.
    """
    own, common = task.task, task.common
    assert isinstance(own, DistillTask) and isinstance(common, DistillCommon)
    weights = Weights(temperature=own.T, beta=own.beta, gamma=own.gamma, schedule=own.beta_schedule)
    recipe = task.profile.training.distill
    folder = work_folder(task, recipe, teacher)
    guide = at_training_patches(teacher, recipe)
    # A finished training needs the shape alone, and no training pairs.
    learner = start_student(task, guide, common.student, fit=not is_finished(folder))
    objective = DistillObjective(learner, guide, common.loss, weights)
    outcome = train_by(
        task, recipe, objective, epochs=own.epochs, patience=own.patience, folder=folder
    )
    learner.load_state_dict(outcome.weights)
    factor = teacher.config.patch_size // guide.config.patch_size
    return enlarge_patches(learner, factor, detail=teacher), outcome


def at_training_patches(teacher: Dust3r, recipe: DistillRecipe) -> Dust3r:
    """The teacher, with the patches of its students' training."""
    whole = teacher.config.patch_size
    return shrink_patches(teacher, whole // (recipe.patch_size or whole))


def start_student(
    task: ResolvedTask, teacher: Dust3r, shape: Student, *, fit: bool = True
) -> Dust3r:
    """The student before its training, with the teacher's patches.

    Args:
        fit: whether its layers are fitted to the teacher's, where the spec says so.
    """
    reduction = Reduction(depth=shape.depth, heads=shape.heads, ffn=shape.ffn)
    student = cut(
        teacher,
        reduction,
        depth_rule=shape.blocks,
        units=shape.units,
        ffn_multiple=shape.ffn_multiple,
    )
    if fit and shape.init == "refitted_layers":
        device, recipe = device_of(task), task.profile.training.distill
        (pairs,) = plain_pairs(task, recipe, recipe.refit_pairs, recipe.refit_pairs)
        images = pairs.image1.to(device), pairs.image2.to(device)
        refit(
            student.to(device),
            teacher.to(device),
            kept_blocks(teacher, reduction, shape.blocks),
            *images,
            ridge=shape.refit_ridge,
        )
    return student


def plain_pairs(
    task: ResolvedTask, recipe: Recipe, count: int, together: int
) -> Iterator[PairBatch]:
    """The first `count` training pairs without augmentation, `together` of them in a batch.

    All ranks have the same pairs, so that what is fitted to them does not depend on their number.
    """
    whole = recipe.model_copy(update={"batch": together, "accumulate": 1})
    with closing(open_feed(task, whole, augment=False, shared=True)) as feed:
        for start in range(0, count, together):
            batch = next(feed)
            yield PairBatch(*(part[: count - start] for part in batch))


def largest_rise(losses: list[float]) -> float:
    """The largest rise of a curve above its lowest earlier point, in percent of that point."""
    lowest, rise = losses[0], 0.0
    for loss in losses[1:]:
        rise = max(rise, 100 * (loss - lowest) / max(abs(lowest), 1e-12))
        lowest = min(lowest, loss)
    return rise
