"""The executor `distill` of P1: cut a student out of the teacher and train it."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

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
from dust_core.declared.specs.models.training import (
    DistillRecipe,
    DistillStage,
    PupilRecipe,
    Recipe,
)
from dust_core.errors import DustError
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
    path, outcomes = write_student(task)
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
    rise = {"validation_loss_rise": largest_rise_of(outcomes)}
    result = build_result(
        trained_by(execution, outcomes),
        parameters_of(task),
        trained(task, measured, outcomes, rise),
        artifacts={path.name: sha256_file(path)},
        runtime=evaluations["the student"].runtime,
        baselines=references,
    )
    extra = {**training_of(outcomes), "best_epoch": outcomes[-1].best_epoch}
    write_results(task, (result, baseline), extra)


def write_student(task: ResolvedTask) -> tuple[Path, list[Outcome]]:
    """Train a student, or take its finished training, and write its checkpoint.

    Raises:
        DustError: as `distill`.
    """
    folder = ARTIFACTS / task.profile_name
    teacher = load_checkpoint(folder / _TEACHER).network
    with all_ranks(task):
        student, outcomes = train_student(task, teacher)
    path = folder / task.task.outputs[0]
    save_checkpoint(student, path, exp_id=task.exp_id, spec_digest=task.digest, half=True)
    return path, outcomes


def train_student(task: ResolvedTask, teacher: Dust3r) -> tuple[Dust3r, list[Outcome]]:
    """The student with the best weights of the last stage by validation, and each stage's outcome.

    A stage whose patches are smaller than the network's trains both networks with these, and the
    student is enlarged afterwards.

    Raises:
        DustError: the experiment has fewer epochs than stages; as `train_by`.
    """
    own, common = task.task, task.common
    assert isinstance(own, DistillTask) and isinstance(common, DistillCommon)
    weights = Weights(temperature=own.T, beta=own.beta, gamma=own.gamma, schedule=own.beta_schedule)
    first = task.profile.training.distill
    folder = work_folder(task, first, teacher)
    guide = at_training_patches(teacher, first)
    # A finished training needs the shape alone, and no training pairs.
    fit = not is_finished(folder / "stage1")
    student, outcomes = start_student(task, guide, common.student, fit=fit), []
    for number, stage in enumerate(stages_of(first, own.epochs), 1):
        guide = at_training_patches(teacher, stage.recipe)
        factor = guide.config.patch_size // student.config.patch_size
        student = enlarge_patches(student, factor, detail=guide)
        objective = DistillObjective(student, guide, common.loss, weights, span=stage.span)
        outcome = train_by(
            task,
            stage.recipe,
            objective,
            epochs=stage.epochs,
            patience=own.patience,
            folder=folder / f"stage{number}",
        )
        if outcome.weights:  # an earlier stage of a carried training has none
            student.load_state_dict(outcome.weights)
        outcomes.append(outcome)
    factor = teacher.config.patch_size // student.config.patch_size
    return enlarge_patches(student, factor, detail=teacher), outcomes


class Stage(NamedTuple):
    """A stage of a student's training.

    Attributes:
        recipe: how it trains.
        epochs: how many of the experiment's epochs are its own.
        span: where it begins and ends in the whole training, from 0 to 1.
    """

    recipe: DistillRecipe | DistillStage
    epochs: int
    span: tuple[float, float]


def stages_of(first: DistillRecipe, epochs: int) -> list[Stage]:
    """The stages among which an experiment's epochs are shared.

    Raises:
        DustError: there are fewer epochs than stages.
    """
    later = [max(1, round(stage.share * epochs)) for stage in first.then]
    counts = [epochs - sum(later), *later]
    if counts[0] < 1:
        raise DustError(
            f"{epochs} epochs are too few for {len(counts)} stages of training",
            where="training.distill.then of the profile",
            fix="declare more epochs for the experiment, or smaller shares",
        )
    ends = [sum(counts[: index + 1]) / epochs for index in range(len(counts))]
    recipes: tuple[DistillRecipe | DistillStage, ...] = (first, *first.then)
    return [
        Stage(recipe, count, (end - count / epochs, end))
        for recipe, count, end in zip(recipes, counts, ends, strict=True)
    ]


def at_training_patches(teacher: Dust3r, recipe: PupilRecipe | DistillStage) -> Dust3r:
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


def largest_rise_of(outcomes: Sequence[Outcome]) -> float:
    """The largest rise within a stage; two stages' losses are at two resolutions."""
    return max(largest_rise([entry["score"] for entry in o.history]) for o in outcomes)


def largest_rise(losses: list[float]) -> float:
    """The largest rise of a curve above its lowest earlier point, in percent of that point."""
    lowest, rise = losses[0], 0.0
    for loss in losses[1:]:
        rise = max(rise, 100 * (loss - lowest) / max(abs(lowest), 1e-12))
        lowest = min(lowest, loss)
    return rise
